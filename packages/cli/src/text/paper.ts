import { styleText } from "node:util";
import type { Io } from "../io.ts";

type Style = Parameters<typeof styleText>[0];

/** What a report is written on: its width, and whether it shows colours. */
export interface Paper {
  readonly width: number;
  paint(style: Style, text: string): string;
}

/** Lines of pipes and files are as long as they need to be. */
const UNBOUNDED = 10_000;

/** Colours on a terminal only, and not where NO_COLOR (https://no-color.org) or TERM=dumb asks for none. */
export const paperOf = ({ stdout, env }: Pick<Io, "stdout" | "env">): Paper => {
  const coloured = stdout.isTTY === true && !env.NO_COLOR && env.TERM !== "dumb";
  return {
    width: stdout.isTTY ? (stdout.columns ?? 80) : UNBOUNDED,
    paint: (style, text) => (coloured && text !== "" ? styleText(style, text, { validateStream: false }) : text),
  };
};
