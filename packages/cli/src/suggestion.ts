import { nearest } from "@espalier/combine";

/** ` Did you mean "x"?`, or nothing where no name is near. */
export const suggestion = async (word: string, names: readonly string[]): Promise<string> => {
  const near = await nearest(word, names);
  return near === undefined ? "" : ` Did you mean "${near}"?`;
};
