import Table from "cli-table3";
import type { Paper } from "./paper.ts";

const NO_BORDERS = Object.fromEntries(
  [
    ..."top|top-mid|top-left|top-right|bottom|bottom-mid|bottom-left|bottom-right".split("|"),
    ..."left|left-mid|mid|mid-mid|right|right-mid|middle".split("|"),
  ].map((place) => [place, ""]),
);
const INDENT = 2;
const GAP = 2;
/** A column of text is not cut shorter than this. */
const NARROWEST = 12;
/** Of a name that is cut, what is kept of its end. */
const TAIL_SHARE = 0.65;

export interface Column {
  readonly head: string;
  readonly align?: "left" | "right";
  /** Cut there where the table is wider than the paper: names in the middle, sentences at the end. */
  readonly cut?: "middle" | "end";
  /** Goes on in the next line instead. */
  readonly wrap?: boolean;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences of colours
const COLOURS = /\x1b\[\d*m/g;
/** Chinese, Japanese and Korean characters, which take two places. */
const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/g;

const placesOf = (text: string) => text.replace(COLOURS, "").replace(WIDE, "xx").length;

/** Places of the longest line. */
export const widthOf = (text: string): number => Math.max(...text.split("\n").map(placesOf));

/** Widths of the columns, gap included, those that can be cut so narrow that the whole fits. */
const widthsOf = (columns: readonly Column[], rows: readonly (readonly string[])[], paper: Paper): number[] => {
  const widths = columns.map(
    ({ head }, i) => GAP + Math.max(placesOf(head), ...rows.map((row) => placesOf(row[i] ?? ""))),
  );
  let over = INDENT + widths.reduce((sum, width) => sum + width, -GAP) - paper.width;
  for (const [i, { cut, wrap }] of columns.entries()) {
    if ((!cut && !wrap) || over <= 0) continue;
    const less = Math.min(over, Math.max(0, widths[i] - GAP - NARROWEST));
    widths[i] -= less;
    over -= less;
  }
  return widths;
};

/** Lines of a table without borders; columns without a cell, and a head without any text, are left out. */
export const table = (columns: readonly Column[], rows: readonly (readonly string[])[], paper: Paper): string => {
  const used = columns.map((_, i) => rows.some((row) => (row[i] ?? "") !== ""));
  return fullTable(
    columns.filter((_, i) => used[i]),
    rows.map((row) => row.filter((_, i) => used[i])),
    paper,
  );
};

/** "If_0_then_branch__Inline_0__/stft/Conv" in 16 places: "If_0_…/stft/Conv". Ends are more telling than beginnings. */
const cutMiddle = (text: string, places: number): string => {
  if (placesOf(text) <= places || text.includes("\x1b")) return text;
  const tail = Math.ceil((places - 1) * TAIL_SHARE);
  return `${text.slice(0, places - 1 - tail)}…${text.slice(-tail)}`;
};

const fullTable = (columns: readonly Column[], rows: readonly (readonly string[])[], paper: Paper): string => {
  const widths = widthsOf(columns, rows, paper);
  const heads = columns.map(({ head }) => head);
  const made = new Table({
    head: heads.some((head) => head !== "") ? heads.map((head) => paper.paint("dim", head)) : [],
    chars: NO_BORDERS,
    style: { head: [], border: [], compact: true, "padding-left": 0, "padding-right": GAP },
    colAligns: columns.map(({ align = "left" }) => align),
    colWidths: widths,
    wordWrap: columns.some(({ wrap }) => wrap),
  });
  const cell = (text: string, i: number) => (columns[i].cut === "middle" ? cutMiddle(text, widths[i] - GAP) : text);
  made.push(...rows.map((row) => row.map(cell)));
  const indent = " ".repeat(INDENT);
  return made
    .toString()
    .split("\n")
    .map((line) => `${indent}${line}`.trimEnd())
    .join("\n");
};
