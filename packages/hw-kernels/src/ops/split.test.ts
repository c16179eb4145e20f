import { describe } from "vitest";
import { splitSuite } from "../testing/op-suite.ts";

describe("calls in parts, as threads run them", () => splitSuite());
