/**
 * Relaxed SIMD, prefix 0xfd: each of these may differ between hosts in the ways that `interpret-relaxed.ts` lists.
 * Source: WebAssembly specification 3.0, section 5.4.8.
 */
export const relaxed = {
  "i8x16.relaxed_swizzle": [0x100, "vv:v"],
  "i32x4.relaxed_trunc_f32x4_s": [0x101, "v:v"],
  "i32x4.relaxed_trunc_f32x4_u": [0x102, "v:v"],
  "i32x4.relaxed_trunc_f64x2_s_zero": [0x103, "v:v"],
  "i32x4.relaxed_trunc_f64x2_u_zero": [0x104, "v:v"],
  "f32x4.relaxed_madd": [0x105, "vvv:v"],
  "f32x4.relaxed_nmadd": [0x106, "vvv:v"],
  "f64x2.relaxed_madd": [0x107, "vvv:v"],
  "f64x2.relaxed_nmadd": [0x108, "vvv:v"],
  "i8x16.relaxed_laneselect": [0x109, "vvv:v"],
  "i16x8.relaxed_laneselect": [0x10a, "vvv:v"],
  "i32x4.relaxed_laneselect": [0x10b, "vvv:v"],
  "i64x2.relaxed_laneselect": [0x10c, "vvv:v"],
  "f32x4.relaxed_min": [0x10d, "vv:v"],
  "f32x4.relaxed_max": [0x10e, "vv:v"],
  "f64x2.relaxed_min": [0x10f, "vv:v"],
  "f64x2.relaxed_max": [0x110, "vv:v"],
  "i16x8.relaxed_q15mulr_s": [0x111, "vv:v"],
  "i16x8.relaxed_dot_i8x16_i7x16_s": [0x112, "vv:v"],
  "i32x4.relaxed_dot_i8x16_i7x16_add_s": [0x113, "vvv:v"],
} as const;
