import { describe } from "vitest";
import { hosts } from "../asm/interpreter/relaxed-semantics.ts";
import { hostSuite } from "../testing/op-suite.ts";

describe("relaxed kernels on hosts other than this one", () => hostSuite(hosts));
