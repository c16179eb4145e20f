const NAME = 28;
const COLUMN = 18;
const number = (value) => String(Number(value.toPrecision(3)));

/** The machine, and the heads of the columns. */
export const printTop = (machine, threads, clock, { gflops, gigabytesPerSecond }) => {
  console.log(machine);
  const ceiling = `one thread at most ${number(gflops)} GFLOP/s in registers, ${number(gigabytesPerSecond)} GB/s from memory`;
  console.log(`${threads === 1 ? "one thread" : `${threads} threads`}, ${clock} time; ${ceiling}`);
  console.log("ratios: ours / theirs, over 1 is faster; [bar] where there is one, ! below it\n");
  const heads = ["case", "ours", "of ceiling", "ort-web", "tfjs-wasm", "ort-node", "numpy", "dense"];
  console.log(heads.map((head, i) => head.padEnd(i ? COLUMN : NAME)).join(""));
};

/** One line: our speed, its share of what the machine does, and each peer's speed with the ratio. */
export const printRow = ({ case: name, ours, unit, peers }, { bars, unit: kind }, ceilings, threads, isCurrent) => {
  const ceiling = (kind === "GB/s" ? ceilings.gigabytesPerSecond : ceilings.gflops) * threads;
  const cells = ["ort-web", "tfjs-wasm", "ort-node", "numpy", "dense"].map((peer) => {
    const speed = peers[peer];
    if (speed === undefined) return "-";
    const bar = bars[peer]?.[isCurrent ? 1 : 0];
    const ratio = kind === "ms" ? speed / ours : ours / speed;
    const mark = bar && threads === 1 ? ` [${bar}]${ratio < bar ? "!" : ""}` : "";
    return `${number(speed)} ${ratio.toFixed(2)}x${mark}`;
  });
  const own = `${number(ours)} ${unit}`;
  const share = kind === "ms" ? "-" : `${Math.round((100 * ours) / ceiling)} %`;
  console.log(
    [name.padEnd(NAME), own.padEnd(COLUMN), share.padEnd(COLUMN), ...cells.map((cell) => cell.padEnd(COLUMN))].join(""),
  );
};
