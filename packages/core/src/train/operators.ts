import type { Node } from "../model.ts";
import type { Operator } from "./call.ts";
import { activations } from "./ops/activations.ts";
import { attentions } from "./ops/attention.ts";
import { controls } from "./ops/control.ts";
import { convolutions } from "./ops/conv.ts";
import { elementwise } from "./ops/elementwise.ts";
import { gathers } from "./ops/gather.ts";
import { HOST_ONLY } from "./ops/host.ts";
import { losses } from "./ops/losses.ts";
import { products } from "./ops/matmul.ts";
import { norms } from "./ops/norm.ts";
import { pools } from "./ops/pool.ts";
import { quantized } from "./ops/quantized.ts";
import { recurrents } from "./ops/recurrent.ts";
import { reductions } from "./ops/reductions.ts";
import { resizes } from "./ops/resize.ts";
import { shapes } from "./ops/shape.ts";
import { unaries } from "./ops/unary.ts";

/** Every operator with a gradient; those of other domains as "domain:operator". */
export const operators: Readonly<Record<string, Operator>> = {
  ...activations,
  ...attentions,
  ...controls,
  ...convolutions,
  ...elementwise,
  ...gathers,
  ...losses,
  ...norms,
  ...pools,
  ...products,
  ...quantized,
  ...recurrents,
  ...reductions,
  ...resizes,
  ...shapes,
  ...unaries,
};

const keyOf = ({ domain, opType }: Node): string =>
  domain === "" || domain === "ai.onnx" ? opType : `${domain}:${opType}`;

export const operatorOf = (node: Node): Operator | undefined => {
  const key = keyOf(node);
  return Object.hasOwn(operators, key) ? operators[key] : undefined;
};

/** True for what can be run, on the host or with a gradient. */
export const isKnown = (node: Node): boolean => operatorOf(node) !== undefined || HOST_ONLY.has(keyOf(node));
