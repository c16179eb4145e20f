import { describe, expect, it } from "vitest";
import { modelOf, waves } from "../test/layer-cases.ts";
import { makeNode } from "./attrs.ts";
import { layers } from "./layers/find-layers.ts";
import { type LayerFilter, layerFilter, unselected } from "./select.ts";

const nodes = ["h.0.mlp", "h.1.mlp", "h.1.head"].map((name, i) =>
  makeNode(i === 2 ? "Gemm" : "MatMul", [`v${i}`, `${name}.weight`], [`v${i + 1}`], {}, { name }),
);
const weights = Object.fromEntries(nodes.map((node) => [node.inputs[1], waves([4, 4])]));
const all = layers(modelOf(nodes, waves([4, 4]), weights));
const chosen = (filter: LayerFilter) => all.filter(layerFilter(filter)).map(({ name }) => name);

describe("layerFilter", () => {
  it.each([
    ["a name", "h.0.mlp", ["h.0.mlp"]],
    ["the name of a weight", "h.1.head.weight", ["h.1.head"]],
    ["an operator", "Gemm", ["h.1.head"]],
    ["a glob", "h.1.*", ["h.1.mlp", "h.1.head"]],
    ["several", ["h.0.*", "Gemm"], ["h.0.mlp", "h.1.head"]],
    ["a function", ({ node }) => node.opType === "MatMul", ["h.0.mlp", "h.1.mlp"]],
    ["a dot that is only a dot", "h_0_mlp", []],
    ["none", [], []],
  ] satisfies [string, LayerFilter, string[]][])("chooses by %s", (_, filter, names) => {
    expect(chosen(filter)).toEqual(names);
  });
  it("says why a layer is not selected; skip goes before only", () => {
    const reason = unselected({ skip: "h.0.*", only: "MatMul" });
    expect(all.map(reason)).toEqual(["named by skip", undefined, "not named by only"]);
  });
});
