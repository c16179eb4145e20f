// V8's second compiler: the one that runs a kernel's later calls.
import { setFlagsFromString } from "node:v8";
import { opSuite } from "../testing/op-suite.ts";

setFlagsFromString("--no-liftoff");
opSuite("compiled by TurboFan");
