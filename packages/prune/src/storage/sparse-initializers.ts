import {
  type Context,
  checkAborted,
  definePass,
  type Model,
  type Pass,
  type SparseTensor,
  sizeOf,
  storedBytes,
  type Tensor,
  tensor,
} from "@espalier/core";
import { survivorsOf } from "./pack-sparse.ts";

const NAME = "prune/sparse-initializers";

/** A weight as values and their places; undefined where it is no float or has no zeros. */
const sparseOf = async (name: string, weight: Tensor): Promise<SparseTensor | undefined> => {
  const survivors = await survivorsOf(weight);
  if (!survivors || survivors.places.length === 0) return undefined;
  const { places, values } = survivors;
  const count = [places.length];
  return {
    name,
    values: { type: weight.type, dims: count, data: values } as Tensor,
    indices: tensor("int64", count, BigInt64Array.from(places, BigInt)),
    dims: weight.dims,
  };
};

/**
 * Writes weights of the main graph as ONNX `sparse_initializer`, where that takes fewer bytes: each value that is not zero
 * costs 8 more for its place, so that float32 gains from two thirds of zeros on. The last pass: what is stored so is no
 * layer to others.
 *
 * onnxruntime expands it when it loads the model: the file gets smaller, memory and latency do not.
 */
export const sparseInitializers = (): Pass =>
  definePass({
    name: NAME,
    stage: "encode",
    async apply(model: Model, ctx: Context): Promise<Model> {
      const { graph } = model;
      const given = new Set(graph.inputs.map(({ name }) => name));
      const sparse = new Map<string, SparseTensor>();
      for (const [layer, weight] of graph.weights) {
        checkAborted(NAME, ctx.signal);
        const found = given.has(layer) ? undefined : await sparseOf(layer, weight);
        if (!found) continue;
        const bytesBefore = storedBytes(weight);
        const bytesAfter = storedBytes(found.values) + storedBytes(found.indices);
        const sizes = { bytesBefore, bytesAfter };
        if (bytesAfter < bytesBefore) {
          sparse.set(layer, found);
          ctx.report({ pass: NAME, layer, action: "changed", form: "sparse_initializer", ...sizes });
        } else if (2 * found.values.dims[0] <= sizeOf(weight.dims)) {
          const reason = `as sparse_initializer it would take ${bytesAfter} bytes for ${bytesBefore}`;
          ctx.report({ pass: NAME, layer, action: "skipped", reason });
        }
      }
      if (sparse.size === 0) return model;
      return {
        ...model,
        graph: {
          ...graph,
          weights: new Map([...graph.weights].filter(([name]) => !sparse.has(name))),
          sparseWeights: [...graph.sparseWeights, ...sparse.values()],
        },
      };
    },
  });
