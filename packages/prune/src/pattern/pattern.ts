import { badOption } from "../errors.ts";

/** At most `keep` weights of each `of` that follow one another along the inputs. */
export interface Pattern {
  readonly keep: number;
  readonly of: number;
}

/** The pattern of a text such as "2:4". @throws EspalierError `BAD_OPTION` for any other text, and for "4:4" */
export const parsePattern = (where: string, text: string): Pattern => {
  const [, keep, of] = /^(\d+):(\d+)$/.exec(text)?.map(Number) ?? [];
  if (!(keep >= 1 && keep < of))
    throw badOption(
      where,
      `pattern is ${JSON.stringify(text)}. Give "N:M", N weights to keep of each M, such as "2:4".`,
    );
  return { keep, of };
};

export const patternText = ({ keep, of }: Pattern): string => `${keep}:${of}`;
