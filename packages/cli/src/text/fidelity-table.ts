import type { Fidelity } from "@espalier/core";
import { number, percent } from "./format.ts";
import type { Paper } from "./paper.ts";
import { table } from "./table.ts";

const COSINE_DIGITS = 6;
const DECIBEL_DIGITS = 3;

/** A line for each output: how far it is from the original's. */
export const fidelityTable = (fidelity: Readonly<Record<string, Fidelity>>, paper: Paper): string => {
  const right = (head: string) => ({ head, align: "right" as const });
  const rows = Object.entries(fidelity).map(([output, { relativeL2, sqnrDb, cosine, maxAbs, argmaxAgreement, kl }]) => [
    output,
    number(relativeL2, DECIBEL_DIGITS),
    `${number(sqnrDb, DECIBEL_DIGITS)} dB`,
    number(cosine, COSINE_DIGITS),
    number(maxAbs, DECIBEL_DIGITS),
    argmaxAgreement === undefined ? "" : percent(argmaxAgreement),
    kl === undefined ? "" : number(kl, DECIBEL_DIGITS),
  ]);
  const heads = ["relative L2", "SQNR", "cosine", "max abs", "same argmax", "KL"];
  return table([{ head: "output", cut: "middle" as const }, ...heads.map(right)], rows, paper);
};
