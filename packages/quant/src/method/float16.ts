import {
  attrs,
  type Context,
  checkAborted,
  definePass,
  type Graph,
  type Model,
  type Node,
  type Pass,
  sizeOf,
  storedBytes,
} from "@espalier/core";
import { freshNames, pieceBytes } from "../export/piece.ts";
import { rewrite } from "../export/rewrite.ts";
import { runtimesOf } from "../support.ts";
import { halfCompute } from "./half-compute.ts";
import { floatConstants, halfConstants } from "./half-constants.ts";

export interface Float16Options {
  /**
   * `storage`: constants are stored as float16 and cast to float32, which onnxruntime folds when it loads the model:
   * float's speed and exact activations everywhere. `compute`: values and weights are float16, for GPUs; onnxruntime
   * has few float16 kernels for processors and casts around the others.
   */
  readonly mode?: "storage" | "compute";
  /** `compute`: inputs and outputs keep their types. */
  readonly keepIo?: boolean;
  /** `compute`: operators, or names of nodes, that stay float32, beside those that always do. */
  readonly blockList?: readonly string[];
}

const HALF_BITS = 16;
const NAME = "quant/float16";

const storage = async (model: Model, { report, signal }: Context): Promise<Model> => {
  const constants = floatConstants(model);
  const pieces = await halfConstants(constants, freshNames(model), () => checkAborted(NAME, signal));
  for (const constant of constants) {
    const { name, tensor } = constant;
    const piece = pieces.get(constant);
    const bytesBefore = storedBytes(tensor);
    if (piece)
      report({
        pass: NAME,
        layer: name,
        action: "changed",
        form: "float16",
        ...runtimesOf("float16", HALF_BITS, "linear"),
        bytesBefore,
        bytesAfter: pieceBytes(piece),
      });
    else if (sizeOf(tensor.dims) > SCALAR)
      report({ pass: NAME, layer: name, action: "skipped", reason: "too small, or float16 would change its values" });
  }
  return rewrite(model, { values: pieces });
};

/** Constants of so few values are not worth a line of the report. */
const SCALAR = 16;

const countNodes = (graph: Graph, test: (node: Node) => boolean): number =>
  graph.nodes.reduce(
    (sum, node) =>
      sum + Number(test(node)) + attrs.subgraphsOf(node).reduce((n, { graph: g }) => n + countNodes(g, test), 0),
    0,
  );

/**
 * A model in float16, at half of float32's bytes: stored only, or computed in.
 *
 * Safe against overflow: what exceeds 65504 stays float32 where it is a weight and is clamped where it is a mask; small
 * constants, sums over many values and powers stay float32. Source: IEEE 754 binary16; operator types of onnx.
 */
export const float16 = ({ mode = "storage", keepIo = true, blockList = [] }: Float16Options = {}): Pass =>
  definePass({
    name: NAME,
    stage: "quantize",
    async apply(model, ctx) {
      if (mode === "storage") return storage(model, ctx);
      const listed = new Set(blockList);
      const fresh = freshNames(model);
      const result = halfCompute(model, fresh, {
        keepIo,
        blocked: ({ name, opType }) => listed.has(opType) || listed.has(name),
      });
      const casts = countNodes(result.graph, ({ opType }) => opType === "Cast");
      ctx.report({ pass: NAME, layer: "", action: "note", reason: `${casts} Cast nodes stand between the types` });
      return rewrite(result, { sweep: floatConstants(result) });
    },
  });
