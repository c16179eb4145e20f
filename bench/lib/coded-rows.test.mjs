import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { decodeRows, encodeRows, readBlock } from "./coded-rows.mjs";

const WIDTH = 1000;
const ramp = (offset) => Float32Array.from({ length: 3 * WIDTH }, (_, i) => offset + 20 * Math.sin(i * i));

test("rows come back from a file of blocks within half a step of 16 bits, each block by itself", async () => {
  const folder = await mkdtemp(join(tmpdir(), "espalier-"));
  const file = join(folder, "rows");
  const blocks = [ramp(0), ramp(-7)];
  await writeFile(file, Buffer.concat(blocks.map((block) => encodeRows(block, WIDTH))));
  for (const [index, block] of blocks.entries()) {
    const found = decodeRows(await readBlock(file, index, blocks.length), WIDTH);
    expect(found.length).toBe(block.length);
    const most = found.reduce((worst, value, i) => Math.max(worst, Math.abs(value - block[i])), 0);
    expect(most).toBeLessThan(40 / 65535 / 2 + 3e-6);
  }
  await rm(folder, { recursive: true });
});

test("a row of one value comes back exact", () => {
  expect([...decodeRows(encodeRows(new Float32Array(4).fill(1.5), 4), 4)]).toEqual([1.5, 1.5, 1.5, 1.5]);
});
