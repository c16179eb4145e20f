#!/usr/bin/env node
import { main } from "./main.ts";

// a reader of stdout that has seen enough (`| head`) is no error
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});

const code = await main(process.argv.slice(2));
// the user's own data module may have left something open, which must not keep the process
process.stdout.write("", () => process.exit(code));
