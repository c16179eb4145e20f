import { axisOf, integers, numbers, type Operator, string, unsupported, x } from "../call.ts";

/** Constants around, or what lies at the edge, once or mirrored; pads below zero cut. */
export const pad: Operator = (call) => {
  const { tf } = call;
  const a = x(call);
  const given = integers(call, "pads", 1) ?? [];
  const axes = numbers(call, 3)?.map((axis) => axisOf(axis, a.rank)) ?? a.shape.map((_, i) => i);
  const mode = string(call, "mode", "constant");
  const value = numbers(call, 2)?.[0] ?? call.node.attributes.get("value");
  const around = a.shape.map((): [number, number] => [0, 0]);
  axes.forEach((axis, i) => {
    around[axis] = [given[i], given[axes.length + i]];
  });
  // negative pads cut
  const begin = around.map(([before]) => Math.max(0, -before));
  const size = a.shape.map((dim, i) => dim - begin[i] - Math.max(0, -around[i][1]));
  const cut = tf.slice(a, begin, size);
  const positive = around.map(([before, after]): [number, number] => [Math.max(0, before), Math.max(0, after)]);
  if (mode === "constant") {
    const fill = typeof value === "number" ? value : value?.kind === "float" ? value.value : 0;
    return tf.pad(cut, positive, fill);
  }
  if (mode !== "reflect" && mode !== "edge") throw unsupported(call, `has mode "${mode}". Pad beforehand.`);
  return positive.reduce((padded, [before, after], axis) => {
    if (before === 0 && after === 0) return padded;
    const length = padded.shape[axis];
    const place = (i: number) => {
      const at = i - before;
      if (mode === "edge") return Math.max(0, Math.min(length - 1, at));
      return at < 0 ? -at : at >= length ? 2 * (length - 1) - at : at;
    };
    const from = Array.from({ length: length + before + after }, (_, i) => place(i));
    const parts = from.map((at) =>
      tf.slice(
        padded,
        padded.shape.map((_, j) => (j === axis ? at : 0)),
        padded.shape.map((dim, j) => (j === axis ? 1 : dim)),
      ),
    );
    return tf.concat(parts, axis);
  }, cut);
};
