const INFINITY_BITS = 0x7f800000;
const QUIET_NAN = 0x7fc0;

/** float32 values of bfloat16 bit patterns: their upper 16 bits. */
export const fromBfloat16 = (bits: Uint16Array): Float32Array => {
  const words = Uint32Array.from(bits, (half) => half << 16);
  return new Float32Array(words.buffer);
};

/** bfloat16 bits nearest to each float, halves to even; NaN stays NaN. */
export const toBfloat16 = (values: Float32Array): Uint16Array => {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) {
    const word = words[i];
    const unordered = (word & 0x7fffffff) > INFINITY_BITS;
    bits[i] = unordered ? (word >>> 16) | QUIET_NAN : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return bits;
};
