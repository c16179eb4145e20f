import fc from "fast-check";

const utf8 = new TextEncoder();
const DATA_TYPE_FLOAT = 1;
const LOCATION_EXTERNAL = 1;
const VARINT_BITS = 7;

const varint = (value: number): number[] =>
  value < 1 << VARINT_BITS ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
/** A field that holds bytes, a message or a text. */
const field = (number: number, content: Uint8Array | number[] | string): number[] => {
  const bytes = typeof content === "string" ? utf8.encode(content) : content;
  return [...varint(number * 8 + 2), ...varint(bytes.length), ...bytes];
};
const number = (at: number, value: number): number[] => [...varint(at * 8), ...varint(value)];

/** What a model says about weights in another file; texts, as the file has them. */
export interface ExternalEntry {
  readonly location: string;
  readonly offset?: string;
  readonly length?: string;
}

const WIDTH = 8;
/** Bytes of the weight [8, 8] of float32. */
export const WEIGHT_BYTES = WIDTH * WIDTH * 4;

/** The bytes of a model y = x w whose weight lies outside. */
export const externalModel = (entry: ExternalEntry): Uint8Array => {
  const entries = Object.entries(entry).flatMap(([key, value]) => field(13, [...field(1, key), ...field(2, value)]));
  const weight = [
    ...number(1, WIDTH),
    ...number(1, WIDTH),
    ...number(2, DATA_TYPE_FLOAT),
    ...field(8, "w"),
    ...entries,
    ...number(14, LOCATION_EXTERNAL),
  ];
  const node = [...field(1, "x"), ...field(1, "w"), ...field(2, "y"), ...field(4, "MatMul")];
  const graph = [
    ...field(1, node),
    ...field(2, "g"),
    ...field(5, weight),
    ...field(11, field(1, "x")),
    ...field(12, field(1, "y")),
  ];
  return Uint8Array.from([...number(1, 8), ...field(7, graph), ...field(8, number(2, 17))]);
};

/** Locations that name the model's own data file in a way that is allowed. */
export const DATA_FILE = "weights.bin";
/** A file outside the model's folder that no model may read. */
export const SECRET_FILE = "secret.bin";

const hostile = [
  `../${SECRET_FILE}`,
  `./../${SECRET_FILE}`,
  `a/../../${SECRET_FILE}`,
  `..\\${SECRET_FILE}`,
  "link.bin",
  "linked/weights.bin",
  `${DATA_FILE}/../../${SECRET_FILE}`,
  "/etc/passwd",
  "/dev/zero",
  "C:\\weights.bin",
  "\\\\server\\share",
  "file:///etc/passwd",
  "",
  ".",
  "..",
  "./",
  "folder",
  "fifo",
  "none.bin",
  "con",
  `${DATA_FILE}\0.txt`,
  `%2e%2e%2f${SECRET_FILE}`,
  "__proto__",
  "a".repeat(5000),
];
const numbers = [
  "0",
  "1",
  "-1",
  "4",
  "256",
  "257",
  "1e3",
  "0x10",
  " 5",
  "",
  "NaN",
  "9007199254740993",
  "99999999999999999999",
];

/** Places of weights as hostile and damaged files give them. */
export const externalEntry: fc.Arbitrary<ExternalEntry> = fc.record(
  {
    location: fc.oneof(
      fc.constantFrom(...hostile, DATA_FILE, `./${DATA_FILE}`),
      fc.string(),
      fc.string({ unit: "binary" }),
    ),
    offset: fc.oneof(fc.constantFrom(...numbers), fc.nat().map(String)),
    length: fc.oneof(fc.constantFrom(...numbers), fc.nat().map(String)),
  },
  { requiredKeys: ["location"] },
);
