import { createReadStream, statSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { Readable } from "node:stream";

/** What a request asked for and was sent. */
export interface Served {
  readonly path: string;
  readonly range: string | undefined;
  readonly bytes: number;
}

export interface FileServer {
  /** `http://127.0.0.1:PORT` */
  readonly origin: string;
  /** All requests so far, in order. */
  readonly served: readonly Served[];
  close(): Promise<void>;
}

/** What lies at a path: a file or a folder on disk, or content. A path that ends in "/" is a folder. */
export type Routes = Record<string, string | Uint8Array>;

const types: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
};
const OK = 200;
const PARTIAL = 206;
const NOT_FOUND = 404;

const find = (path: string, routes: Routes): string | Uint8Array | undefined => {
  if (routes[path] !== undefined) return routes[path];
  const folder = Object.keys(routes).find((route) => route.endsWith("/") && path.startsWith(route));
  if (folder === undefined) return undefined;
  const file = normalize(path.slice(folder.length));
  return file.startsWith("..") ? undefined : join(String(routes[folder]), file);
};

const sizeOf = (found: string | Uint8Array): number | undefined =>
  typeof found === "string" ? statSync(found, { throwIfNoEntry: false })?.size : found.length;

/**
 * Serves files on a free port of this machine, with ranges; a query of `?whole` is answered without them.
 */
export const serveFiles = async (routes: Routes): Promise<FileServer> => {
  const served: Served[] = [];
  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const { pathname, search } = new URL(request.url ?? "/", "http://localhost");
    const found = find(pathname, routes);
    const size = found === undefined ? undefined : sizeOf(found);
    if (found === undefined || size === undefined) {
      response.writeHead(NOT_FOUND).end();
      return;
    }
    const range = search === "?whole" ? undefined : request.headers.range;
    const [, from = "0", to = ""] = /^bytes=(\d+)-(\d*)$/.exec(range ?? "") ?? [];
    const start = Number(from);
    const end = to === "" ? size - 1 : Math.min(Number(to), size - 1);
    served.push({ path: pathname, range, bytes: end - start + 1 });
    response.writeHead(range ? PARTIAL : OK, {
      "content-type": types[extname(pathname)] ?? "application/octet-stream",
      "content-length": end - start + 1,
      "cache-control": "no-store",
      ...(range && { "content-range": `bytes ${start}-${end}/${size}` }),
    });
    const body =
      typeof found === "string"
        ? createReadStream(found, { start, end })
        : Readable.from([found.subarray(start, end + 1)]);
    body.on("error", () => response.destroy());
    body.pipe(response);
  };
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    served,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
};
