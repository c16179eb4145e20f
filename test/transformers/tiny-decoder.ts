import { attrs, type Model, makeNode, type Node, tensor } from "@espalier/core";
import { gaussian, tinyModel } from "@espalier/core/testing";

/** `config.json` of `tinyDecoder`, for transformers.js. */
export const decoderConfig = {
  model_type: "llama",
  architectures: ["LlamaForCausalLM"],
  vocab_size: 96,
  hidden_size: 32,
  num_hidden_layers: 1,
  num_attention_heads: 1,
  num_key_value_heads: 1,
  eos_token_id: 0,
  bos_token_id: 1,
  pad_token_id: 0,
};

const node = (
  opType: string,
  inputs: readonly string[],
  output: string,
  attributes: Node["attributes"] | object = {},
) => makeNode(opType, inputs, [output], attributes as Parameters<typeof makeNode>[3]);

/** One block of a language model with a cache of keys and values, by the names that exports for transformers.js have. */
export const tinyDecoder = (): Model => {
  const { vocab_size: vocabulary, hidden_size: width } = decoderConfig;
  const cache = ["batch", 1, "past", width] as const;
  const axis = (value: number) => tensor("int64", [1], BigInt64Array.of(BigInt(value)));
  const linear = (seed: number) => gaussian([width, width], seed, 0.4);
  return tinyModel({
    inputs: {
      input_ids: ["int64", ["batch", "length"]],
      attention_mask: ["int64", ["batch", "total"]],
      position_ids: ["int64", ["batch", "length"]],
      "past_key_values.0.key": ["float32", cache],
      "past_key_values.0.value": ["float32", cache],
    },
    outputs: { logits: "float32", "present.0.key": "float32", "present.0.value": "float32" },
    weights: {
      table: gaussian([vocabulary, width], 1),
      positions: gaussian([vocabulary, width], 7, 0.3),
      q: linear(2),
      k: linear(3),
      v: linear(4),
      o: linear(5),
      head: gaussian([width, vocabulary], 6),
      one: axis(1),
      last: axis(-1),
    },
    nodes: [
      node("Gather", ["table", "input_ids"], "tokens"),
      node("Gather", ["positions", "position_ids"], "places"),
      node("Add", ["tokens", "places"], "x"),
      ...["q", "k", "v"].flatMap((name) => [
        node("MatMul", ["x", name], `x_${name}`),
        node("Unsqueeze", [`x_${name}`, "one"], `heads_${name}`),
      ]),
      node("Concat", ["past_key_values.0.key", "heads_k"], "present.0.key", { axis: attrs.int(2) }),
      node("Concat", ["past_key_values.0.value", "heads_v"], "present.0.value", { axis: attrs.int(2) }),
      node("Transpose", ["present.0.key"], "keys", { perm: attrs.ints([0, 1, 3, 2]) }),
      node("MatMul", ["heads_q", "keys"], "scores"),
      // a mask of ones and zeros, as log(mask), so that what is masked has no share
      node("Cast", ["attention_mask"], "mask", { to: attrs.int(1) }),
      node("Log", ["mask"], "bias"),
      node("Add", ["scores", "bias"], "masked"),
      node("Softmax", ["masked"], "shares", { axis: attrs.int(-1) }),
      node("MatMul", ["shares", "present.0.value"], "mixed"),
      node("Squeeze", ["mixed", "one"], "joined"),
      node("MatMul", ["joined", "o"], "attended"),
      node("Add", ["attended", "x"], "hidden"),
      node("MatMul", ["hidden", "head"], "logits"),
    ],
  });
};
