import { makeNode, type Node } from "@espalier/core";
import { MICROSOFT, needsMicrosoft, type Piece } from "./piece.ts";
import type { StaticForm, StaticUse } from "./static-form.ts";

interface Operator {
  readonly opType: string;
  readonly domain?: string;
  /** Attributes that it shares with the float operator; all where nothing is said. */
  readonly attributes?: readonly string[];
}

/** Integer operators: those of ONNX, and onnxruntime's own for Gemm. */
const operators: Readonly<Record<string, Operator>> = {
  Conv: { opType: "QLinearConv" },
  MatMul: { opType: "QLinearMatMul" },
  Gemm: { opType: "QGemm", domain: MICROSOFT, attributes: ["transA", "transB"] },
};

const own = ({ node, input, weight, output, bias }: StaticUse): Node => {
  const { opType, domain = "", attributes: shared } = operators[node.opType]!;
  const attributes = new Map([...node.attributes].filter(([name]) => shared?.includes(name) ?? true));
  const operands = [input.codes, input.scale, input.zero, weight.codes, weight.scale, weight.zero];
  const grid = output ? [output.scale, output.zero] : [];
  const sum = bias ? [bias.codes] : [];
  // QGemm takes its bias before the grid of the result, and without that gives floats.
  const inputs = node.opType === "Gemm" ? [...operands, ...sum] : [...operands, ...grid, ...sum];
  return { ...node, opType, domain, attributes, inputs, outputs: output ? [output.codes] : node.outputs };
};

/**
 * Integer operators in place of float ones: QLinearConv and QLinearMatMul (ONNX, opset 10), with Relu and Clip in the
 * range of the result, and com.microsoft QGemm. Codes go from layer to layer as they are; DequantizeLinear stands
 * where something else reads a result.
 */
export const qOperator: StaticForm = {
  gridded: ({ opType }) => opType !== "Gemm",
  label: ({ opType }) => operators[opType]!.opType,
  enter: ({ value, codes, scale, zero, constants }) => ({
    nodes: [makeNode("QuantizeLinear", [value, scale, zero], [codes])],
    weights: constants,
  }),
  weight: () => undefined,
  node: (use): Piece => {
    const { node, output, weight, bias, readAsFloat } = use;
    const decode =
      output && readAsFloat
        ? [makeNode("DequantizeLinear", [output.codes, output.scale, output.zero], [output.value])]
        : [];
    return {
      nodes: [own(use), ...decode],
      weights: new Map([
        ...weight.constants,
        ...(output?.constants ?? []),
        ...(bias ? [...bias.constants].filter(([name]) => name === bias.codes) : []),
      ]),
      ...(node.opType === "Gemm" && { opsets: needsMicrosoft }),
    };
  },
  last: () => ({ nodes: [], weights: new Map() }),
};
