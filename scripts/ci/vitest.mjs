import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Reporter arguments of vitest, and a function that counts the tests passed and failed once it has run. */
export const counted = () => {
  const file = join(mkdtempSync(join(tmpdir(), "espalier-ci-")), "tests.json");
  const args = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
  return { args, count: (status) => countIn(file, status) };
};

const countIn = (file, status) => {
  let report;
  try {
    report = JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return { passed: 0, failed: 1 };
  }
  // A file that does not load has no tests to fail, and an error outside every test fails the run alone.
  const broken = report.testResults.filter(
    ({ status: of, assertionResults }) => of === "failed" && !assertionResults.some((test) => test.status === "failed"),
  );
  const failed = report.numFailedTests + broken.length;
  return { passed: report.numPassedTests, failed: failed === 0 && status !== 0 ? 1 : failed };
};
