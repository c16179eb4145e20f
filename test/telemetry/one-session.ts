// The first session of a process, for telemetry.test.ts.
import { openModel, openSession } from "@espalier/core";
import * as ort from "onnxruntime-node";
import { realModels } from "../../packages/core/test/real-models.ts";

const session = await openSession(ort, await openModel(realModels.classifier));
await session.release();
