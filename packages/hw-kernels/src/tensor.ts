import { EspalierError } from "./errors.ts";
import type { ElementArrays, ElementType } from "./op.ts";
import type { Arena } from "./runtime/arena.ts";
import { elementArrays } from "./runtime/elements.ts";

/** Element types by ONNX Runtime's names. */
const elements = {
  float32: "f32",
  float64: "f64",
  int8: "i8",
  uint8: "u8",
  int16: "i16",
  uint16: "u16",
  int32: "i32",
  uint32: "u32",
} as const satisfies Record<string, ElementType>;
export type TensorType = keyof typeof elements;
type ArrayOf<T extends TensorType> = ElementArrays[(typeof elements)[T]];

/** Structurally ONNX Runtime's tensor: one of those is one of these. */
export interface Tensor<T extends TensorType = TensorType> {
  readonly type: T;
  readonly dims: readonly number[];
  readonly data: ArrayOf<T>;
}

/** A tensor in the kernels' own memory: used without copying. Give it back by `dispose`. */
export interface Handle<T extends TensorType = TensorType> extends Tensor<T> {
  /** A view of the memory as it is now; ask again after anything else was allocated. */
  readonly data: ArrayOf<T>;
  dispose(): void;
}

export const sizeOf = (dims: readonly number[]): number => dims.reduce((product, size) => product * size, 1);

/** A tensor in the arena's memory, with a copy of `data`, or zeros. */
export const makeHandle = <T extends TensorType>(
  arena: Arena,
  type: T,
  dims: readonly number[],
  data?: ArrayLike<number>,
): Handle<T> => {
  const kind = elementArrays[elements[type]];
  const count = sizeOf(dims);
  if (!kind || !dims.every((size) => Number.isSafeInteger(size) && size >= 0))
    throw new EspalierError("BAD_OPTION", "hw-kernels/tensor", `type ${type} with dims [${dims}] is no tensor.`);
  if (data && data.length !== count)
    throw new EspalierError(
      "BAD_DATA",
      "hw-kernels/tensor",
      `data has ${data.length} elements and dims [${dims}] ask for ${count}. Make them agree.`,
    );
  const address = arena.allocate(count * kind.BYTES_PER_ELEMENT);
  const view = () => new kind(arena.memory.buffer, address, count) as ArrayOf<T>;
  if (data) view().set(data);
  else view().fill(0);
  return {
    type,
    dims: [...dims],
    get data() {
      return view();
    },
    dispose: () => arena.free(address),
  };
};
