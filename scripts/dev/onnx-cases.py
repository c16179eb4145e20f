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

# Ways of round-trip.mjs. Those in STORED may store elements in other fields; `bare` has no docs and no origins.
WAYS = ("plain", "edited", "renamed", "copied", "touched", "bare", "saved", "resaved", "outside")
STORED = ("touched", "bare", "resaved", "outside")


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


def names_in(graph):
    """Everything that the nodes and outputs of a graph read, those of its subgraphs too."""
    yield from (value.name for value in graph.output)
    for node in graph.node:
        yield from node.input
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs): yield from names_in(inner)


def sweep(model):
    """A model without nodes that nothing reads, as every real edit leaves it."""
    graph = model.graph
    while True:
        used = set(names_in(graph))
        dead = [node for node in graph.node if any(node.output) and not used.intersection(node.output)]
        if not dead: return model
        for node in dead: graph.node.remove(node)


def take_tensors(message, found, bare, named=True):
    """Moves the values of every tensor in a message to `found`, and drops what a bare copy does not hold."""
    if isinstance(message, onnx.TensorProto):
        value = numpy_helper.to_array(message)
        elements = [bytes(str(e), "utf8") for e in value.flatten()] if value.dtype == object else value.tobytes()
        # a new tensor in an attribute has no name: nothing refers to it
        found.append((message.name if named else "", message.data_type, list(message.dims), elements))
        message.Clear()
        return
    for field, value in message.ListFields():
        if bare and field.name in DOCS: message.ClearField(field.name)
        elif field.message_type is None: continue
        elif field.is_repeated:
            for item in value: take_tensors(item, found, bare, field.name not in UNNAMED)
        else: take_tensors(value, found, bare, field.name not in UNNAMED)


DOCS = ("doc_string", "denotation", "producer_name", "producer_version", "domain", "model_version", "training_info")
UNNAMED = ("t", "tensors", "indices")


def equal_values(a, b, bare=False):
    """True for models that are equal but for how the elements of their tensors are stored."""
    x, y = [], []
    take_tensors(a, x, bare); take_tensors(b, y, bare)
    return x == y and a == b


def compare(folder):
    counts, problems = Counter(), []
    for path in sorted(folder.glob("*.onnx")):
        group = path.name.split("-")[0]
        before = path.read_bytes()
        expected = onnx.load_model_from_string(before)
        for way in WAYS:
            written = folder / "out" / f"{path.name}.{way}"
            if not written.exists():
                problems.append(f"{way} {path.name}: not written"); continue
            after = written.read_bytes()
            counts[group, way, "all"] += 1
            counts[group, way, "same bytes"] += after == before
            try:
                found = onnx.load(written) if way == "outside" else onnx.load_model_from_string(after)
                equal = equal_values(found, onnx.load_model_from_string(before), way == "bare") if way in STORED else found == (sweep(onnx.load_model_from_string(before)) if way == "renamed" else expected)
            except Exception as error: equal, problems = False, problems + [f"{way} {path.name}: {error}"]
            counts[group, way, "equal"] += equal
            if not equal: problems.append(f"{way} {path.name}: differs")
    for group in ("wheel", "node", "raw", "typed"):
        for way in WAYS:
            total, equal, same = (counts[group, way, what] for what in ("all", "equal", "same bytes"))
            if total: print(f"{group:6} {way:7} {total:5} written, {equal:5} equal, {same:5} byte-identical ({same / total:.1%})")
    print(*problems, sep="\n")
    sys.exit(bool(problems))


warnings.filterwarnings("ignore")
command, where = sys.argv[1], Path(sys.argv[2])
where.mkdir(parents=True, exist_ok=True)
{"save": save, "compare": compare}[command](where)
