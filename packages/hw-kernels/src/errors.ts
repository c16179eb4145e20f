/** Codes that `EspalierError` carries here. They are stable: programs may switch on them. */
export type ErrorCode = "BAD_DATA" | "BAD_OPTION" | "TOO_LARGE" | "UNSUPPORTED" | "RUNTIME";

/** The error of these kernels: `[where] what was found, with the values. What to do.` Same shape as in other packages. */
export class EspalierError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, where: string, message: string, options?: { cause?: unknown }) {
    super(`[${where}] ${message}`, options);
    this.name = "EspalierError";
    this.code = code;
  }
}
