// node -C espalier-source --import ./test/typescript.mjs FILE.ts: runs TypeScript from source, packages of ours too.
import { register } from "node:module";

register("./typescript-hooks.mjs", import.meta.url);
