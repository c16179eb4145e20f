/** What is told to a worker when it starts. */
export interface WorkerStart {
  readonly memory: WebAssembly.Memory;
  readonly control: SharedArrayBuffer;
  readonly index: number;
}

/** A function that ends the worker. */
export type Stop = () => void;

const startInNode = async (source: string, data: WorkerStart): Promise<Stop> => {
  const { Worker } = await import("node:worker_threads");
  const worker = new Worker(source, { eval: true, workerData: data });
  worker.unref();
  return () => void worker.terminate();
};

const startInBrowser = (source: string, data: WorkerStart): Stop => {
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const worker = new Worker(url);
  worker.postMessage(data);
  return () => {
    worker.terminate();
    URL.revokeObjectURL(url);
  };
};

/** By what Node has and nothing else has: libraries give Node a global `Worker`. */
const isNode = () => Boolean((globalThis as { process?: { versions?: { node?: string } } }).process?.versions?.node);

/** Starts a worker from source text: one of Node's in Node, a web worker elsewhere. It does not keep Node alive. */
export const startWorker = async (source: string, data: WorkerStart): Promise<Stop> =>
  isNode() ? startInNode(source, data) : startInBrowser(source, data);
