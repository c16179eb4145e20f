import { EXIT } from "./exit-code.ts";
import type { Io } from "./io.ts";
import { removeParts } from "./remove-parts.ts";

/** Ctrl-C as an abort signal. */
export interface Interrupt {
  readonly signal: AbortSignal;
  /** The file that a second Ctrl-C leaves no part of. */
  writing(path: string): void;
  release(): void;
}

/** The first Ctrl-C stops the work and keeps the best so far; the second ends the process at once. */
export const interrupt = (io: Io, notice: (line: string) => void): Interrupt => {
  const controller = new AbortController();
  let path: string | undefined;
  const release = io.onInterrupt?.(() => {
    if (controller.signal.aborted) {
      if (path !== undefined) removeParts(path);
      process.exit(EXIT.interrupted);
    }
    controller.abort();
    notice("stopping; press Ctrl-C again to end at once");
  });
  return {
    signal: controller.signal,
    writing(file) {
      path = file;
    },
    release: () => release?.(),
  };
};
