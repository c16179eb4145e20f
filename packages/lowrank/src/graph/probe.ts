import {
  attrs,
  type Graph,
  type Model,
  type Node,
  type Ort,
  openSession,
  producers,
  type Tensor,
  tensor,
} from "@espalier/core";
import { type Matrix, matrix } from "@espalier/core/linalg";

/** The nodes that make one value of another and of constants; undefined where anything else is needed. */
const between = (graph: Graph, from: string, to: string): Node[] | undefined => {
  const made = producers(graph);
  const needed = new Set<Node>();
  const pending = [to];
  let met = false;
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (name === from) {
      met = true;
      continue;
    }
    if (name === "" || graph.weights.has(name)) continue;
    const node = made.get(name);
    if (!node || attrs.subgraphsOf(node).length > 0) return undefined;
    if (needed.has(node)) continue;
    needed.add(node);
    pending.push(...node.inputs);
  }
  return met ? graph.nodes.filter((node) => needed.has(node)) : undefined;
};

/** Rows of the identity that are asked for at a time. */
const ROWS = 512;

/**
 * The matrix [out, in] that a stretch of the graph multiplies rows by, whatever form it is stored in, found by sending
 * the identity through it; a bias is taken off. Undefined where the stretch does not stand by itself.
 *
 * @param columns length of a row
 * @throws EspalierError `RUNTIME`
 */
export const probe = async (
  ort: Ort,
  model: Model,
  from: string,
  to: string,
  columns: number,
): Promise<Matrix | undefined> => {
  const { graph } = model;
  const nodes = between(graph, from, to);
  if (!nodes) return undefined;
  const read = new Set(nodes.flatMap((node) => node.inputs));
  const stretch: Model = {
    ...model,
    graph: {
      name: "stretch",
      nodes,
      inputs: [{ name: from, type: { kind: "tensor", type: "float32", shape: ["rows", columns] } }],
      outputs: [{ name: to, type: { kind: "tensor", type: "float32" } }],
      values: [],
      weights: new Map([...graph.weights].filter(([name]) => read.has(name))),
      sparseWeights: graph.sparseWeights.filter(({ name }) => read.has(name)),
    },
  };
  const session = await openSession(ort, stretch);
  try {
    const run = async (x: Tensor) => (await session.run({ [from]: x }, [to]))[to];
    const zero = await run(tensor("float32", [1, columns], new Float32Array(columns)));
    const offset = zero.data as Float32Array;
    const rows = offset.length;
    const found = matrix(rows, columns);
    for (let first = 0; first < columns; first += ROWS) {
      const count = Math.min(ROWS, columns - first);
      const identity = new Float32Array(count * columns);
      for (let i = 0; i < count; i++) identity[i * columns + first + i] = 1;
      const y = (await run(tensor("float32", [count, columns], identity))).data as Float32Array;
      for (let i = 0; i < count; i++)
        for (let o = 0; o < rows; o++) found.data[o * columns + first + i] = y[i * rows + o] - offset[o];
    }
    return found;
  } finally {
    await session.release();
  }
};
