import { recipes } from "@espalier/combine";
import { EXIT } from "../exit-code.ts";
import type { Io } from "../io.ts";
import { paperOf } from "../text/paper.ts";
import { table } from "../text/table.ts";

/** `espalier recipes`: the recipes that go by a name. */
export const recipesCommand = ({ json = false }: { readonly json?: boolean }, io: Io): number => {
  const all = Object.values(recipes);
  if (json) {
    io.stdout.write(`${JSON.stringify(all, null, 2)}\n`);
    return EXIT.good;
  }
  const paper = paperOf(io);
  const rows = all.map(({ name, description = "" }) => [paper.paint("bold", name), description]);
  io.stdout.write(`${table([{ head: "" }, { head: "", wrap: true }], rows, paper)}\n`);
  return EXIT.good;
};
