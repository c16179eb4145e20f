import { labelOf, type Model, readData } from "@espalier/core";

const OFFSET = 0x811c_9dc5;
const PRIME = 0x0100_0193;
const BASE = 36;

/** A text that differs between models: FNV-1a over the names of nodes, and the names, dims and words of weights. */
export const fingerprint = async ({ graph }: Model): Promise<string> => {
  let hash = OFFSET;
  const take = (word: number) => {
    hash = Math.imul(hash ^ word, PRIME);
  };
  const takeText = (text: string) => {
    for (let i = 0; i < text.length; i++) take(text.charCodeAt(i));
  };
  for (const node of graph.nodes) takeText(`${node.opType} ${labelOf(node)} ${node.inputs.join()}`);
  for (const [name, weight] of graph.weights) {
    takeText(`${name} ${weight.type} ${weight.dims.join()}`);
    const data = await readData(weight);
    if (!ArrayBuffer.isView(data)) continue;
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    if (bytes.byteOffset % 4 === 0 && bytes.length % 4 === 0)
      for (const word of new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)) take(word);
    else for (const byte of bytes) take(byte);
  }
  return `${(hash >>> 0).toString(BASE)}-${graph.nodes.length}-${graph.weights.size}`;
};
