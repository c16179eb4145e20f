import { EspalierError } from "@espalier/core";

export const badOption = (where: string, message: string): EspalierError =>
  new EspalierError("BAD_OPTION", where, message);
