import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import { progressOn } from "./progress.ts";

/** What stood on the line, one time after another. */
const framesOf = (text: string) => stripVTControlCharacters(text.replaceAll("\x1b[1G", "\n")).split("\n");

const collect = async (isTTY: boolean, columns = 60) => {
  let text = "";
  const progress = await progressOn({
    isTTY,
    columns,
    write(part: string) {
      text += part;
    },
  });
  return { progress, text: () => text };
};

describe("progress", () => {
  it("is a plain line for each task, and few more, where stderr is no terminal", async () => {
    const { progress, text } = await collect(false);
    progress.event({ kind: "start", task: "auto", total: 6 });
    progress.event({ kind: "step", task: "auto", done: 1, total: 6, note: "int4" });
    progress.event({ kind: "start", task: "quant/rtn", total: 54 });
    for (let done = 1; done <= 54; done++)
      progress.event({ kind: "step", task: "quant/rtn", done, total: 54, note: `layer ${done}` });
    progress.event({ kind: "end", task: "quant/rtn" });
    progress.event({ kind: "end", task: "auto" });
    progress.stop();
    expect(text()).toBe("auto\nauto 1/6 int4\n");
  });

  it("is a line drawn again and again on a terminal, cut to its width, and gone at the end", async () => {
    const { progress, text } = await collect(true, 30);
    progress.event({ kind: "start", task: "calibrate with very many samples", total: 4 });
    progress.line("stopping");
    progress.stop();
    for (const line of framesOf(text())) expect(line.length).toBeLessThan(30);
    expect(text().endsWith("\x1b[1G\x1b[2Kstopping\n")).toBe(true);
    expect(text()).not.toContain("undefined");
  });

  it("shows the tasks around, a bar and how far it is where that is known, and the note", async () => {
    const { progress, text } = await collect(true, 80);
    progress.event({ kind: "start", task: "auto", total: 6 });
    progress.event({ kind: "step", task: "auto", done: 1, total: 6, note: "int4" });
    progress.event({ kind: "start", task: "evaluate" });
    progress.event({ kind: "step", task: "evaluate", done: 7 });
    progress.event({ kind: "end", task: "evaluate" });
    progress.event({ kind: "start", task: "quant/rtn", total: 8 });
    progress.event({ kind: "step", task: "quant/rtn", done: 2, total: 8, note: "layer 2" });
    progress.stop();
    const frames = framesOf(text());
    expect(frames).toContain(`auto ${"░".repeat(16)} 0/6 `);
    expect(frames).toContain("auto 1/6 int4 › evaluate 7 ");
    expect(frames).toContain(`auto 1/6 int4 › quant/rtn ${"█".repeat(4)}${"░".repeat(12)} 2/8 layer 2`);
  });
});
