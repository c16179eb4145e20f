// V8's second compiler: the one that runs a kernel's later calls.
import { setFlagsFromString } from "node:v8";
import { opSuite } from "../testing/op-suite.ts";

setFlagsFromString("--no-liftoff");
// Inlining goes by what Liftoff's code counted.
setFlagsFromString("--no-wasm-inlining");
opSuite("compiled by TurboFan");
