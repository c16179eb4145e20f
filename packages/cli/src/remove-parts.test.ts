import { randomUUID } from "node:crypto";
import { readdirSync, writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { temporaryFolder } from "../test/temporary-folder.ts";
import { removeParts } from "./remove-parts.ts";

const folder = temporaryFolder();

it("removeParts takes away temporary files of this output, and of no other", () => {
  const temporary = (name: string) => `${name}.${randomUUID()}.tmp`;
  const others = [
    temporary("b.onnx"),
    "a.onnx",
    "a.onnx.tmp",
    "a.onnx_data",
    temporary("aa.onnx"),
    temporary("a-onnx"),
  ];
  const parts = ["a.onnx", "a.onnx_data", "a.onnx_data_1"].map(temporary);
  for (const name of [...others, ...parts]) writeFileSync(folder.at(name), "");
  removeParts(folder.at("a.onnx"));
  expect(readdirSync(folder.at()).sort()).toEqual([...others].sort());
});
