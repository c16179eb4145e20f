import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { build, type Metafile } from "esbuild";
import { type Page as BrowserPage, chromium } from "playwright-core";
import { type FileServer, type Routes, type Served, serveFiles } from "./browser/server.ts";

const EXECUTABLE = "/usr/bin/chromium";
const FLAGS = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Why tests in Chromium do not run here, or undefined where they do. */
export const withoutChromium: string | undefined = existsSync(EXECUTABLE) ? undefined : `there is no ${EXECUTABLE}`;

/** Adds the reason to the name of tests that are skipped for want of Chromium: `describe.skipIf(withoutChromium)(…)`. */
export const inChromium = (name: string): string => (withoutChromium ? `${name} (skipped: ${withoutChromium})` : name);

export interface PageOptions {
  /** A TypeScript module whose exports `call` reaches; it is bundled from source with all that it imports. */
  readonly entry: string;
  /** What else the page may fetch, by path. onnxruntime-web's files are at `/ort/`. */
  readonly routes?: Routes;
  /** Further flags; `--disable-gpu` is among those used unless `gpu` is set. */
  readonly flags?: readonly string[];
  readonly gpu?: boolean;
}

// biome-ignore lint/suspicious/noExplicitAny: functions of any kind
type Functions = Readonly<Record<string, (...args: any[]) => unknown>>;

export interface ChromiumPage<Module extends Functions> {
  /** Calls an exported function in the page. Arguments and result travel as JSON does. */
  call<Name extends keyof Module & string>(
    name: Name,
    ...args: Parameters<Module[Name]>
  ): Promise<Awaited<ReturnType<Module[Name]>>>;
  /** Puts a file on disk, or content, at a path. */
  serve(path: string, content: string | Uint8Array): void;
  /** Everything the page fetched. */
  readonly served: readonly Served[];
  /** What was bundled. */
  readonly bundle: Metafile;
  /** Uncaught errors and console errors of the page. */
  readonly errors: readonly string[];
  readonly browser: BrowserPage;
  close(): Promise<void>;
}

const html = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>test</title>
<input type="file"><script type="module">
import * as page from "./entry.js";
globalThis.page = page;
</script>`;

/** The module bundled for a browser; imports of node: stay as they are, and fail in the page when they are reached. */
const bundled = async (entry: string) => {
  const { outputFiles, metafile } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    metafile: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    conditions: ["espalier-source"],
    external: ["node:*"],
    logLevel: "error",
  });
  return { code: outputFiles[0].contents, metafile };
};

const launch = async (server: FileServer, { flags = [], gpu = false }: PageOptions) => {
  const browser = await chromium.launch({
    executablePath: EXECUTABLE,
    args: [...FLAGS, ...(gpu ? [] : ["--disable-gpu"]), ...flags],
  });
  const page = await browser.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  await page.goto(`${server.origin}/index.html`);
  await page.waitForFunction("globalThis.page !== undefined", undefined, { timeout: 20_000 }).catch((cause) => {
    throw new Error(`the page did not load: ${errors.join("; ")}`, { cause });
  });
  return { browser, page, errors };
};

/** Opens a module in a page of Chromium. Close it when done. */
export const openPage = async <Module extends Functions>(options: PageOptions): Promise<ChromiumPage<Module>> => {
  const { code, metafile } = await bundled(options.entry);
  const ort = dirname(createRequire(import.meta.url).resolve("onnxruntime-web"));
  const routes: Routes = {
    "/index.html": new TextEncoder().encode(html),
    "/entry.js": code,
    "/ort/": ort,
    ...options.routes,
  };
  const server = await serveFiles(routes);
  const { browser, page, errors } = await launch(server, options);
  return {
    call: (name, ...args) =>
      page.evaluate(([key, given]) => (globalThis as unknown as { page: Functions }).page[key](...given) as never, [
        name,
        args,
      ] as const),
    serve(path, content) {
      routes[path] = content;
    },
    served: server.served,
    bundle: metafile,
    errors,
    browser: page,
    async close() {
      await browser.close();
      await server.close();
    },
  };
};
