import { describe, expect, it } from "vitest";
import { progressOn } from "./progress.ts";

const collect = (isTTY: boolean, columns = 60) => {
  let text = "";
  const progress = progressOn({
    isTTY,
    columns,
    write(part: string) {
      text += part;
    },
  });
  return { progress, text: () => text };
};

describe("progress", () => {
  it("is a plain line for each task, and few more, where stderr is no terminal", () => {
    const { progress, text } = collect(false);
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

  it("is a line drawn again and again on a terminal, cut to its width, and gone at the end", () => {
    const { progress, text } = collect(true, 30);
    progress.event({ kind: "start", task: "calibrate with very many samples", total: 4 });
    progress.line("stopping");
    progress.stop();
    for (const line of text().split(/[\r\n]/)) expect(line.replace("\x1b[K", "").length).toBeLessThan(30);
    expect(text()).toContain("\r\x1b[Kstopping\n");
    expect(text()).not.toContain("undefined");
  });
});
