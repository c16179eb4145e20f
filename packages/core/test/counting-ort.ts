import type * as node from "onnxruntime-node";
import type { Ort } from "../src/run/ort.ts";

/** An ort that counts its sessions and the outputs each run asked for. */
export const countingOrt = (ort: typeof node) => {
  const fetched: number[] = [];
  let open = 0;
  let opened = 0;
  const counted: Ort = {
    ...ort,
    InferenceSession: {
      async create(model: never, options: never) {
        const session = await ort.InferenceSession.create(model, options);
        open++;
        opened++;
        return {
          inputNames: session.inputNames,
          outputNames: session.outputNames,
          run(feeds: never, fetches: string[]) {
            fetched.push(fetches.length);
            return session.run(feeds, fetches);
          },
          async release() {
            open--;
            await session.release();
          },
        };
      },
    },
  };
  /** `open`: sessions that are open now; `opened`: ever. */
  return { counted, fetched, open: () => open, opened: () => opened };
};
