"""Conformance with ONNX's own test models, for developers: not part of the product, not run in CI.

  pip install onnx==1.23.2 numpy ml_dtypes
  python scripts/dev/onnx-cases.py save DIR       # the 149 models of the wheel and every node case
  npm run build && node scripts/dev/round-trip.mjs DIR
  python scripts/dev/onnx-cases.py compare DIR    # equal by onnx.load, and byte for byte
  node scripts/dev/same-outputs.mjs DIR           # fold and upgradeOpset keep outputs in onnxruntime-node

`save` also puts the inputs and outputs of every node case into a model of their own as initializers, once as raw bytes
and once in the typed fields, so that every element type is stored in both ways. In DIR/feeds are the inputs by name; in DIR/old what
onnx.version_converter makes of each model in older opsets.
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


OLD_OPSETS = (7, 8, 9, 10, 12, 15, 17, 19, 20)


def save_feeds(folder, name, model, values):
    """The inputs as initializers of a model; made up from their types where the case has none."""
    weights = {weight.name for weight in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    random = np.random.default_rng(0)
    if not values:
        values = [random.standard_normal([d.dim_value or 1 for d in i.type.tensor_type.shape.dim]).astype(
            helper.tensor_dtype_to_np_dtype(i.type.tensor_type.elem_type)) for i in inputs]
    if len(values) < len(inputs) or any(not isinstance(v, (np.ndarray, onnx.TensorProto)) for v in values): return
    tensors = [v if isinstance(v, onnx.TensorProto) else numpy_helper.from_array(v) for v in values[: len(inputs)]]
    for tensor, value in zip(tensors, inputs): tensor.name = value.name
    graph = helper.make_graph([], name, [], [], tensors)
    (folder / "feeds" / f"{name}.onnx").write_bytes(helper.make_model(graph).SerializeToString())


def constant_inputs(folder, name, model):
    """The model with all inputs but the first as initializers: what older forms hold in attributes must be constant."""
    feeds = folder / "feeds" / f"{name}.onnx"
    if not feeds.exists(): return None
    result = onnx.ModelProto(); result.CopyFrom(model)
    tensors = onnx.load(feeds).graph.initializer[1:]
    rest = {tensor.name for tensor in tensors}
    kept = [value for value in model.graph.input if value.name not in rest]
    del result.graph.input[:]
    result.graph.input.extend(kept); result.graph.initializer.extend(tensors)
    return result


def save_old(folder, name, model):
    from onnx import version_converter
    made = 0
    for suffix, start in (("", model), (".constant", constant_inputs(folder, name, model))):
        if start is None or start.functions: continue
        for opset in OLD_OPSETS:
            if opset == next((o.version for o in start.opset_import if not o.domain), 0): continue
            try: converted = version_converter.convert_version(start, opset)
            except Exception: continue
            (folder / "old" / f"{name}{suffix}.{opset}.onnx").write_bytes(converted.SerializeToString())
            made += 1
    return made


def save(folder):
    from onnx.backend.test.case.node import collect_testcases
    counts = Counter()
    for part in ("feeds", "old"): (folder / part).mkdir(exist_ok=True)
    data = Path(onnx.__file__).parent / "backend/test/data"
    for path in sorted(data.rglob("*.onnx")):
        name = "wheel-" + "-".join(path.relative_to(data).with_suffix("").parts)
        (folder / f"{name}.onnx").write_bytes(path.read_bytes())
        counts["wheel"] += 1
        inputs = sorted((path.parent / "test_data_set_0").glob("input_*.pb"), key=lambda p: int(p.stem[6:]))
        model = onnx.load(path)
        if all(value.type.HasField("tensor_type") for value in model.graph.input):
            save_feeds(folder, name, model, [onnx.load_tensor(p) for p in inputs])
            # whole networks take long to run, and their operators are among the others
            if "light" not in name: counts["old"] += save_old(folder, name, model)
    for case in collect_testcases(None):
        (folder / f"node-{case.name}.onnx").write_bytes(case.model.SerializeToString())
        counts["node"] += 1
        inputs = list((case.data_sets or [([], [])])[0][0])
        if inputs: save_feeds(folder, f"node-{case.name}", case.model, inputs)
        counts["old"] += save_old(folder, f"node-{case.name}", case.model)
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
