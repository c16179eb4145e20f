export const solve64Args = {
  l: "f64[]",
  x: "f64[] inout",
  n: "i32",
  count: "i32",
  strideL: "i32",
  strideX: "i32",
  transposed: "i32",
  across: "i32",
} as const;
