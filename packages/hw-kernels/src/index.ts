export { type ErrorCode, EspalierError } from "./errors.ts";
