"""Compares packages/core/src/upgrade/table.ts with the schema history of the onnx package.

Usage: python scripts/dev/check-opset-table.py   (onnx 1.23.2)
Prints every operator or version that one of them has and the other has not; exit code 1 when there is any.
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

from onnx import defs

OLDEST = 7
table = Path(__file__).resolve().parents[2] / "packages/core/src/upgrade/table.ts"
text = table.read_text()
newest = int(re.search(r"NEWEST_OPSET = (\d+)", text).group(1))
rows = re.findall(r"^  (\w+): \[(.*?)\],$", text[text.index("SCHEMA_CHANGES") :], re.M)
ours = {op: {int(v) for v in re.findall(r"\d+", re.sub(r"[A-Za-z]\w*", "", row))} for op, row in rows}

theirs = defaultdict(set)
for schema in defs.get_all_schemas_with_history():
    if schema.domain == "" and schema.since_version <= newest:
        theirs[schema.name].add(schema.since_version)

wrong = 0
for op in sorted(set(ours) | set(theirs)):
    versions = theirs[op]
    start = max((v for v in versions if v <= OLDEST), default=0)
    expected = {v for v in versions if v >= start}
    if ours.get(op, set()) != expected:
        wrong += 1
        print(op, "table:", sorted(ours.get(op, [])), "onnx:", sorted(expected))
print(f"{len(theirs)} operators up to opset {newest}, {wrong} differ")
sys.exit(1 if wrong else 0)
