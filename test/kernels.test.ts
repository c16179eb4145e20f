import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as here from "./browser/kernels-page.ts";
import { type ChromiumPage, inChromium, openPage, withoutChromium } from "./chromium.ts";

type Page = typeof here;
const entry = fileURLToPath(new URL("./browser/kernels-page.ts", import.meta.url));
/** Relaxed SIMD is in Chrome from here on. */
const FIRST_RELAXED = 114;

describe.skipIf(withoutChromium)(inChromium("kernels in Chromium"), () => {
  let plain: ChromiumPage<Page>;
  let shared: ChromiumPage<Page>;
  beforeAll(async () => {
    plain = await openPage<Page>({ entry });
    // As in a page that is cross-origin isolated.
    shared = await openPage<Page>({ entry, flags: ["--enable-features=SharedArrayBuffer"] });
  });
  afterAll(() => Promise.all([plain.close(), shared.close()]));

  it("every kernel proves itself, plain and relaxed", async () => {
    const { host, relaxed, choices } = await plain.call("proveAll");
    const version = Number(/^(?:Headless)?Chrome (\d+)/.exec(host)?.[1]);
    expect(relaxed).toBe(version >= FIRST_RELAXED);
    const states = choices.flatMap(({ op, candidates }) =>
      candidates.map(({ variant, state, reason }) => [op, variant, state, reason]),
    );
    // of the two forms that the relaxed dot may have, an engine has one
    const other = /^the relaxed dot is \w+ here$/;
    const missing = states.filter(([, , state]) => state === "failed" || state === "unavailable");
    expect(missing.filter(([, , , reason]) => !other.test(reason ?? ""))).toEqual([]);
    expect(choices.map(({ level }) => level)).not.toContain("reference");
  });

  it("works on one thread, and says why, where a page may share no memory", async () => {
    const { sum, description } = await plain.call("product");
    expect(description).toContain("no threads (there is no SharedArrayBuffer: the page is not cross-origin isolated)");
    expect(description).toContain("using one thread");
    expect(sum).toBe((await here.product(1)).sum);
  });

  it("works on two threads, on the page's main thread, with the same result", async () => {
    const { sum, description } = await shared.call("product", 2);
    expect(description).toContain("using 2 threads (1 of 1 workers started)");
    expect(sum).toBe((await here.product(1)).sum);
  });
});
