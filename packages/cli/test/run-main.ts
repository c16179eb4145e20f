import type { Io } from "../src/io.ts";
import { main } from "../src/main.ts";

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly columns?: number;
  readonly env?: Io["env"];
}

/** Runs the command in this process, in the folder `cwd`; with `columns` as on a terminal of that width. */
export const runMain = async (
  cwd: string,
  args: readonly string[],
  { columns, env = {} }: RunOptions = {},
): Promise<Ran> => {
  const written = { stdout: "", stderr: "" };
  const output = (name: keyof typeof written) => ({
    write: (text: string) => {
      written[name] += text;
    },
    ...(columns !== undefined && { isTTY: true, columns }),
  });
  const code = await main(args, { stdout: output("stdout"), stderr: output("stderr"), cwd, env });
  return { code, ...written };
};
