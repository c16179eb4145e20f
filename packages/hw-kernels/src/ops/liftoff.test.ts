// V8's first compiler: the one that runs a kernel's first calls, and that had a wrong relaxed dot in Node 20.
import { setFlagsFromString } from "node:v8";
import { opSuite } from "../testing/op-suite.ts";

setFlagsFromString("--liftoff-only");
opSuite("compiled by Liftoff");
