/** Reads a stream of chunks in lengths of the caller's choice; memory holds one chunk and what was asked for. */
export interface ByteReader {
  /** A new array of the next `length` bytes, shorter where the stream ends. */
  take(length: number): Promise<Uint8Array<ArrayBuffer>>;
  /** Reads what is left, so that the stream can say what is wrong with the whole. */
  finish(): Promise<void>;
  close(): Promise<void>;
}

export const byteReader = (chunks: AsyncGenerator<Uint8Array>): ByteReader => {
  let rest: Uint8Array = new Uint8Array();
  return {
    async take(length) {
      const bytes = new Uint8Array(length);
      let done = 0;
      while (done < length) {
        if (rest.length === 0) {
          const next = await chunks.next();
          if (next.done) return bytes.slice(0, done);
          rest = next.value;
        }
        const part = rest.subarray(0, length - done);
        bytes.set(part, done);
        done += part.length;
        rest = rest.subarray(part.length);
      }
      return bytes;
    },
    async finish() {
      while (!(await chunks.next()).done);
    },
    async close() {
      await chunks.return(undefined);
    },
  };
};
