"""Conformance with ONNX's own test models, for developers: not part of the product, not run in CI.

  pip install onnx==1.23.2 numpy ml_dtypes
  python scripts/dev/onnx-cases.py save DIR       # the 149 models of the wheel and every node case
  npm run build && node scripts/dev/round-trip.mjs DIR
  python scripts/dev/onnx-cases.py compare DIR    # equal by onnx.load, and byte for byte

`save` also puts the inputs and outputs of every node case into a model of their own as initializers, once as raw bytes
and once in the typed fields, so that every element type is stored in both ways.
"""
import sys, warnings
from collections import Counter
from pathlib import Path

import numpy as np, onnx
from onnx import helper, numpy_helper

KINDS = ("plain", "copied", "rebuilt", "edited")


def tensors_of(case):
    for inputs, outputs in case.data_sets or []:
        for value in (*inputs, *outputs):
            if isinstance(value, np.ndarray): yield value
            elif isinstance(value, onnx.TensorProto): yield numpy_helper.to_array(value)


def storage(case, raw):
    """A model whose only content is the case's tensors."""
    weights = []
    for i, value in enumerate(tensors_of(case)):
        tensor = numpy_helper.from_array(value, f"t{i}")
        if not raw and tensor.raw_data:
            tensor = helper.make_tensor(f"t{i}", tensor.data_type, value.shape, value.flatten())
        weights.append(tensor)
    if not weights: return None
    graph = helper.make_graph([], case.name, [], [helper.make_tensor_value_info("t0", weights[0].data_type, None)], weights)
    return helper.make_model(graph)


def save(folder):
    from onnx.backend.test.case.node import collect_testcases
    counts = Counter()
    data = Path(onnx.__file__).parent / "backend/test/data"
    for path in sorted(data.rglob("*.onnx")):
        (folder / f"wheel-{'-'.join(path.relative_to(data).parts)}").write_bytes(path.read_bytes())
        counts["wheel"] += 1
    for case in collect_testcases(None):
        (folder / f"node-{case.name}.onnx").write_bytes(case.model.SerializeToString())
        counts["node"] += 1
        for raw in (True, False):
            kind = "raw" if raw else "typed"
            try: model = storage(case, raw)
            except Exception as error:
                print(f"{kind} {case.name}: onnx cannot make it: {error}")
                continue
            if model is None: continue
            (folder / f"{kind}-{case.name}.onnx").write_bytes(model.SerializeToString())
            counts[kind] += 1
    print(dict(counts))


def equal_values(a, b):
    """True for models that are equal but for how the elements of their initializers are stored."""
    for x, y in zip(a.graph.initializer, b.graph.initializer, strict=True):
        u, v = numpy_helper.to_array(x), numpy_helper.to_array(y)
        same = (u == v).all() if u.dtype == object else u.tobytes() == v.tobytes()
        if (x.name, x.data_type, x.dims) != (y.name, y.data_type, y.dims) or not same: return False
        x.Clear(); y.Clear()
    return a == b


def compare(folder):
    counts, problems = Counter(), []
    for path in sorted(folder.glob("*.onnx")):
        group = path.name.split("-")[0]
        before = path.read_bytes()
        expected = onnx.load_model_from_string(before)
        for kind in KINDS:
            written = folder / "out" / f"{path.name}.{kind}"
            if not written.exists():
                problems.append(f"{kind} {path.name}: not written"); continue
            after = written.read_bytes()
            counts[group, kind, "all"] += 1
            counts[group, kind, "same bytes"] += after == before
            found = onnx.load_model_from_string(after)
            try: equal = equal_values(found, onnx.load_model_from_string(before)) if kind == "rebuilt" else found == expected
            except Exception as error: equal, problems = False, problems + [f"{kind} {path.name}: {error}"]
            counts[group, kind, "equal"] += equal
            if not equal: problems.append(f"{kind} {path.name}: differs")
    for group in ("wheel", "node", "raw", "typed"):
        for kind in KINDS:
            total, equal, same = (counts[group, kind, what] for what in ("all", "equal", "same bytes"))
            if total: print(f"{group:6} {kind:7} {total:5} written, {equal:5} equal, {same:5} byte-identical ({same / total:.1%})")
    print(*problems, sep="\n")
    sys.exit(bool(problems))


warnings.filterwarnings("ignore")
command, where = sys.argv[1], Path(sys.argv[2])
where.mkdir(parents=True, exist_ok=True)
{"save": save, "compare": compare}[command](where)
