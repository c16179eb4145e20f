/** A matrix seen through steps: element (i, j) is `data[offset + i * rowStep + j * columnStep]`. */
export interface View {
  readonly data: Float64Array | Float32Array;
  readonly offset: number;
  readonly rows: number;
  readonly columns: number;
  readonly rowStep: number;
  readonly columnStep: number;
}

/** Where a product is added: row i begins at `rowStart(i)` and its columns follow one another. */
export interface Target {
  readonly data: Float64Array;
  rowStart(row: number): number;
  /** Only elements with column <= row are touched. */
  readonly lower: boolean;
}

/** Edge of the squares that are summed in registers, and of the strips that are packed for them. */
const STRIP = 4;
/** Depth and width of the part of B that stays in the second cache: 256 × 256 doubles. */
const DEPTH = 256;
const WIDTH = 256;

/** Strips of four rows of a view (four columns, of its transpose), each with its elements interleaved; the last is padded by zeros. */
const pack = (
  { data, offset }: View,
  lanes: number,
  laneStep: number,
  laneFrom: number,
  depth: number,
  depthStep: number,
  depthFrom: number,
  out: Float64Array,
) => {
  for (let lane = 0; lane < lanes; lane += STRIP) {
    const base = lane * depth;
    const width = Math.min(STRIP, lanes - lane);
    if (width < STRIP) out.fill(0, base, base + STRIP * depth);
    for (let l = 0; l < width; l++) {
      let from = offset + (laneFrom + lane + l) * laneStep + depthFrom * depthStep;
      for (let k = 0, to = base + l; k < depth; k++, to += STRIP, from += depthStep) out[to] = data[from];
    }
  }
};

/** sums[4 i + j] = sum over k of a[4 k + i] b[4 k + j] */
const square = (a: Float64Array, i: number, b: Float64Array, j: number, depth: number, sums: Float64Array) => {
  let [s00, s01, s02, s03] = [0, 0, 0, 0];
  let [s10, s11, s12, s13] = [0, 0, 0, 0];
  let [s20, s21, s22, s23] = [0, 0, 0, 0];
  let [s30, s31, s32, s33] = [0, 0, 0, 0];
  for (let k = 0; k < depth; k++, i += STRIP, j += STRIP) {
    const b0 = b[j];
    const b1 = b[j + 1];
    const b2 = b[j + 2];
    const b3 = b[j + 3];
    const a0 = a[i];
    s00 += a0 * b0;
    s01 += a0 * b1;
    s02 += a0 * b2;
    s03 += a0 * b3;
    const a1 = a[i + 1];
    s10 += a1 * b0;
    s11 += a1 * b1;
    s12 += a1 * b2;
    s13 += a1 * b3;
    const a2 = a[i + 2];
    s20 += a2 * b0;
    s21 += a2 * b1;
    s22 += a2 * b2;
    s23 += a2 * b3;
    const a3 = a[i + 3];
    s30 += a3 * b0;
    s31 += a3 * b1;
    s32 += a3 * b2;
    s33 += a3 * b3;
  }
  sums[0] = s00;
  sums[1] = s01;
  sums[2] = s02;
  sums[3] = s03;
  sums[4] = s10;
  sums[5] = s11;
  sums[6] = s12;
  sums[7] = s13;
  sums[8] = s20;
  sums[9] = s21;
  sums[10] = s22;
  sums[11] = s23;
  sums[12] = s30;
  sums[13] = s31;
  sums[14] = s32;
  sums[15] = s33;
};

/**
 * C += factor · A B, in double precision.
 *
 * A is cut in strips of four rows and B in strips of four columns, packed so that sixteen sums run in registers over
 * memory that is read in order. With `lower`, squares above the diagonal are left out: half the work of A Aᵀ.
 */
export const multiplyAdd = ({ data, rowStart, lower }: Target, a: View, b: View, factor = 1): void => {
  const [rows, depth, columns] = [a.rows, a.columns, b.columns];
  const padded = (n: number) => STRIP * Math.ceil(n / STRIP);
  const packedB = new Float64Array(padded(Math.min(columns, WIDTH)) * Math.min(depth, DEPTH));
  const packedA = new Float64Array(STRIP * Math.min(depth, DEPTH));
  const sums = new Float64Array(STRIP * STRIP);
  for (let k0 = 0; k0 < depth; k0 += DEPTH) {
    const kc = Math.min(DEPTH, depth - k0);
    for (let j0 = 0; j0 < columns; j0 += WIDTH) {
      const jc = Math.min(WIDTH, columns - j0);
      pack(b, jc, b.columnStep, j0, kc, b.rowStep, k0, packedB);
      const first = lower ? j0 : 0;
      for (let i = first; i < rows; i += STRIP) {
        const ic = Math.min(STRIP, rows - i);
        pack(a, ic, a.rowStep, i, kc, a.columnStep, k0, packedA);
        const end = lower ? Math.min(jc, i + ic - j0) : jc;
        for (let j = 0; j < end; j += STRIP) {
          square(packedA, 0, packedB, j * kc, kc, sums);
          const wide = Math.min(STRIP, jc - j);
          for (let r = 0; r < ic; r++) {
            const at = rowStart(i + r) + j0 + j;
            const width = lower ? Math.min(wide, i + r - (j0 + j) + 1) : wide;
            for (let c = 0; c < width; c++) data[at + c] += factor * sums[STRIP * r + c];
          }
        }
      }
    }
  }
};
