import { nearest } from "@espalier/combine";

/** ` Did you mean "x"?`, or nothing where no name is near. */
export const suggestion = (word: string, names: readonly string[]): string => {
  const near = nearest(word, names);
  return near === undefined ? "" : ` Did you mean "${near}"?`;
};
