// npm test [-- VITEST_ARGUMENTS]: installs and builds what is missing, then runs every package's tests.
import { bin, build, install, run } from "./workspace.mjs";

install();
build();
process.exit(run(bin("vitest"), ["run", ...process.argv.slice(2)]));
