import type { Node } from "../../model.ts";
import { attentions } from "./attention.ts";
import { convolutions } from "./convolutions.ts";
import { elementwise } from "./elementwise.ts";
import { fusedNorms, norms } from "./norms.ts";
import { pieces } from "./pieces.ts";
import { fusedProducts, products } from "./products.ts";
import { recurrents } from "./recurrent.ts";
import { resizing } from "./resize.ts";
import type { Rule, Rules } from "./rule.ts";
import { shapes } from "./shapes.ts";

const standard: Rules = {
  ...convolutions,
  ...elementwise,
  ...norms,
  ...pieces,
  ...products,
  ...recurrents,
  ...resizing,
  ...shapes,
};

/** Operators of onnxruntime's own. Source: onnxruntime, docs/ContribOperators.md. */
const microsoft: Rules = {
  ...attentions,
  ...fusedNorms,
  ...fusedProducts,
  ...Object.fromEntries(["BiasGelu", "FastGelu", "Gelu", "QuickGelu"].map((name) => [name, elementwise[name]])),
};

/** How axes are followed through a node; undefined where nobody knows. */
export const ruleOf = ({ domain, opType }: Node): Rule | undefined => {
  const rules = domain === "" ? standard : domain === "com.microsoft" ? microsoft : {};
  return Object.hasOwn(rules, opType) ? rules[opType] : undefined;
};
