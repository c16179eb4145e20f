/** Codes that `EspalierError` carries. They are stable: programs may switch on them. */
export type ErrorCode =
  | "BAD_MODEL"
  | "BAD_PATH"
  | "BAD_TENSOR"
  | "BAD_OPTION"
  | "BAD_DATA"
  | "BAD_RECIPE"
  | "TOO_LARGE"
  | "NOT_FOUND"
  | "NOT_LOADED"
  | "EXISTS"
  | "UNSUPPORTED"
  | "MISSING_NEED"
  | "CONFLICT"
  | "RUNTIME"
  | "BUDGET"
  | "ABORTED"
  /** A training whose loss is no number. */
  | "DIVERGED"
  | "IO";

/** The one error class of Espalier: `[where] what was found, with the values. What to do.` */
export class EspalierError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, where: string, message: string, options?: { cause?: unknown }) {
    super(`[${where}] ${message}`, options);
    this.name = "EspalierError";
    this.code = code;
  }
}

/** True for errors of this library, also of a second copy of it. */
export const isEspalierError = (error: unknown): error is EspalierError =>
  error instanceof Error && error.name === "EspalierError" && "code" in error;
