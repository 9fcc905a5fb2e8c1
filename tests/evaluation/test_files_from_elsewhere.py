"""Files of networks that a stranger has written, or that are damaged: one line, no memory."""

import io
import json
import pickle
import zipfile
from dataclasses import replace
from functools import cache

import numpy as np
import onnx
import pytest
import torch
from exporting import lively

from optuna_egnas import Architecture
from optuna_egnas.errors import SearchError
from optuna_egnas.evaluation import _onnx
from optuna_egnas.evaluation._archive import read_archive
from optuna_egnas.evaluation._export import export_network
from optuna_egnas.evaluation._formats import FORMATS, described
from optuna_egnas.evaluation._prediction import Classifier, _guesses, read_classifier
from optuna_egnas.evaluation._trained import packed, unpacked

NETWORK = lively(Architecture.chain(depth=3, width=4), classes=3)


@cache
def state_dict():
    """The file of the network as a state dict."""
    return _saved({"weights": dict(NETWORK.weights), "metadata": described(NETWORK)})


def _saved(record):
    out = io.BytesIO()
    torch.save(record, out)
    return out.getvalue()


def _refused(tmp_path, content, suffix=".pt"):
    """Why a file of this content is refused."""
    file = tmp_path / f"network{suffix}"
    file.write_bytes(content)
    with pytest.raises(SearchError) as refusal:
        read_classifier(file)
    message = str(refusal.value)
    assert len(message.splitlines()) == 1
    assert len(message) < 400
    return message.removeprefix(f"{file} must be ")


# Damage


def test_each_bit_that_directories_of_an_archive_hold_is_refused_or_harmless(tmp_path):
    content, file = state_dict(), tmp_path / "network.pt"
    begin = content.find(b"PK\x01\x02")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        length = 46 + len(archive.infolist()[0].filename)
    accepted = 0
    for at in [*range(begin, begin + length), *range(len(content) - 22, len(content))]:
        for bit in (0, 4):
            damaged = bytearray(content)
            damaged[at] ^= 1 << bit
            file.write_bytes(damaged)
            try:
                found = read_classifier(file).logits.network.state_dict()
            except SearchError:
                continue
            accepted += 1
            assert all(torch.equal(found[name], NETWORK.weights[name]) for name in found)
    assert accepted > 10, "attributes of a file system, say, change nothing"


def test_a_damaged_file_beside_an_exported_module_is_refused(tmp_path):
    module, weights = export_network(NETWORK, tmp_path, format="python").files
    content = weights.read_bytes()
    other = tmp_path / "other.pt"
    other.write_bytes(_saved({"weights": dict(NETWORK.weights)}))
    weights.write_bytes(content.replace(b"\x00PK", b"\x01PK", 1))
    found = {"__file__": str(module), "__name__": "module"}
    exec(compile(module.read_text(), module.name, "exec"), found)

    with pytest.raises(ValueError, match=r"must have the SHA-256 [0-9a-f]{64}, but has"):
        found["load"]()
    assert not found["load"](other).training, "one's own weights have no checksum"


# Odd content under right checksums


def _with_metadata(**changes):
    return _saved(
        {"weights": dict(NETWORK.weights), "metadata": {**described(NETWORK), **changes}}
    )


METADATA = {
    "a list": ({"architecture": [1]}, "an object with `width` must stand where [1] is"),
    "width": ({"architecture": {"width": 1e9, "ops": ["sep"], "kernels": [3]}}, "`width` must be"),
    "kernel": (
        {"architecture": {"width": 1, "ops": ["sep"], "kernels": [2**40 + 1]}},
        "odd, 1 to",
    ),
    "operation": ({"architecture": {"width": 1, "ops": ["x"], "kernels": [3]}}, "but got 'x'"),
    "no shape": ({"input_shape": []}, "`input_shape` must have 3 sizes"),
    "flat": ({"input_shape": [1, 0, 8]}, "`input_shape` must be a whole number, at least 1"),
    "texts": ({"input_shape": ["1", 8, 8]}, "`input_shape` must be a whole number"),
    "huge images": ({"input_shape": [1, 10**5, 10**5]}, "at most 134,217,728 values"),
    "other images": ({"input_shape": [3, 8, 8]}, "for each of 3 channels, but have 1 and 1"),
    "true": ({"mean": [True]}, "`mean` must hold finite numbers"),
    "NaN": ({"mean": [float("nan")]}, "`mean` must hold finite numbers"),
    "tensor": ({"mean": torch.ones(1)}, "`mean` must be a list, but got tensor([1.])"),
    "no deviation": ({"std": [0.0]}, "`std` must be above 0, but is (0.0,)"),
    "next to none": ({"std": [1e-60]}, "`std` must be above 0"),
    "below": ({"std": [-1.0]}, "`std` must be above 0"),
    "a class": ({"class_names": [None] * 3}, "`class_names` must be text, but got None"),
    "twins": ({"class_names": ["a", "b", "a"]}, "each once, but are ('a', 'b', 'a')"),
    "none": ({"class_names": []}, "`class_names` must be one or more"),
    "classes": ({"class_names": ["a", "b"]}, "'head.weight' must be float32 [2, 16], but is"),
    "right answers": ({"test_correct": 9, "n_test": 8}, "0 to 8, but got 9"),
    "half a test": ({"test_correct": 9, "n_test": None}, "`n_test` must be a whole number"),
    "seed": ({"seed": -1}, "`seed` must be a whole number"),
    "name": ({"search": 5}, "`search` must be text"),
    "deep": ({"epochs": json.loads("[" * 99 + "]" * 99)}, "at most 1,000,000 values, 20 deep"),
}


@pytest.mark.parametrize("row", METADATA)
def test_odd_metadata_are_refused(tmp_path, row):
    changes, reason = METADATA[row]

    assert reason in _refused(tmp_path, _with_metadata(**changes))


BIAS = torch.arange(3, dtype=torch.float32)
WEIGHTS = {
    "another type": (BIAS.double(), "must be float32 [3], but is float64 [3]"),
    "another shape": (BIAS.reshape(3, 1), "must be float32 [3], but is float32 [3, 1]"),
    "NaN": (BIAS * float("nan"), "must hold finite numbers"),
    "infinite": (BIAS / 0, "must hold finite numbers"),
    "one value a billion times": (BIAS.as_strided([10**9], [0]), "must have as many values"),
    "nothing": (torch.zeros(0), "but is float32 [0]"),
    "without values": (torch.zeros(3, device="meta"), "plain values and tensors only, but names"),
    "sparse": (BIAS.to_sparse(), "plain values and tensors only, but names"),
    "complex": (BIAS.to(torch.complex64), "plain values and tensors only, but names"),
    "a number": (5, "must be a tensor, but is 5"),
    "shared": (NETWORK.weights["head.weight"][0, :3], "bytes of its own, but one has none"),
}


@pytest.mark.parametrize("row", WEIGHTS)
def test_odd_weights_are_refused(tmp_path, row):
    value, reason = WEIGHTS[row]
    content = _saved(
        {"weights": {**NETWORK.weights, "head.bias": value}, "metadata": described(NETWORK)}
    )

    assert reason in _refused(tmp_path, content)


def test_weights_of_other_names_are_refused(tmp_path):
    metadata = described(NETWORK)
    more = {**NETWORK.weights, "x": BIAS}
    less = {name: more[name] for name in more if name not in ("x", "head.bias")}

    for weights, reason in ((more, "must not have 'x'"), (less, "must have 'head.bias'")):
        assert reason in _refused(tmp_path, _saved({"weights": weights, "metadata": metadata})), (
            reason
        )
    assert "must be a state dict" in _refused(
        tmp_path, _saved({"weights": 5, "metadata": metadata})
    )


def test_logits_that_are_no_numbers_are_no_prediction():
    classifier = Classifier(
        logits=lambda images: torch.full((1, 2), float("inf")),
        input_shape=(1, 8, 8),
        class_names=("a", "b"),
    )

    with pytest.raises(SearchError, match="logits must be finite"):
        _guesses(classifier, torch.zeros(1, 1, 8, 8), 1)


def test_what_a_user_has_trained_further_and_saved_is_taken(tmp_path):
    """An ordered dictionary with attributes, as a module gives it; layouts of any kind."""
    network = NETWORK.network().to(memory_format=torch.channels_last)
    file = tmp_path / "further.pt"
    file.write_bytes(_saved({"weights": network.state_dict(), "metadata": described(NETWORK)}))

    read = read_classifier(file)

    images = torch.arange(64, dtype=torch.uint8).reshape(1, 1, 8, 8)
    with torch.inference_mode():
        assert torch.allclose(
            read.logits(images), Classifier.of(NETWORK).logits(images), atol=1e-5
        )


# Archives


def _zipped(entries, **options):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", **options) as archive:
        for name, record in entries:
            archive.writestr(name, record)
    return out.getvalue()


def _entries():
    with zipfile.ZipFile(io.BytesIO(state_dict())) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def test_what_is_compressed_is_not_unpacked(tmp_path):
    bomb = [*_entries(), ("archive/data/999", bytes(10**7))]
    content = _zipped(bomb, compression=zipfile.ZIP_DEFLATED)

    assert len(content) < 10**6
    assert "stored as they are, but one is compressed" in _refused(tmp_path, content)


def test_entries_that_lie_over_each_other_are_refused(tmp_path):
    content = _zipped([("archive/data.pkl", bytes(10**5))])
    at, end = content.find(b"PK\x01\x02"), content.find(b"PK\x05\x06")
    entry, tail = content[at:end], bytearray(content[end:])
    tail[8:12] = (100).to_bytes(2, "little") * 2
    tail[12:16] = (100 * len(entry)).to_bytes(4, "little")

    message = _refused(tmp_path, content[:at] + 100 * entry + bytes(tail))

    assert "must have at most the file's" in message


class _Pickled:
    """Is pickled as a call."""

    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("pickled", "reason"),
    [
        (pickle.dumps(_Pickled(bytearray, (10**12,)), 2), "names '__builtin__.bytearray'"),
        (pickle.dumps({"a": 1}, 4), "but has FRAME"),
        (b"\x80\x02Nr\xff\xff\xff\x7f.", "must number its values in turn"),
        (b"\x80\x02]q\x00h\x00a.", "at most 1,000,000 values, 20 deep"),
        (b"\x80\x02.", "cannot be read"),
        (b"", "no pickle"),
        (b"\x80\x02ctorch\nFloatStorage\n.", "plain values, but has a dtype"),
    ],
)
def test_a_pickle_of_anything_else_is_refused(pickled, reason):
    with pytest.raises(ValueError, match=reason):
        read_archive(_zipped([("archive/data.pkl", pickled)]))


def test_a_network_is_not_built_before_its_weights_are_there(tmp_path, monkeypatch):
    def build(*_, **__):
        raise AssertionError("it is built")

    monkeypatch.setattr("optuna_egnas.evaluation._weights.ChainNetwork", build)
    for size in (
        Architecture.chain(depth=1, width=12_000),
        Architecture.chain(depth=900, width=1),
        Architecture.chain(depth=1, width=4, op="conv", kernel=255),
    ):
        content = _with_metadata(architecture=size.to_json(), input_shape=[1, 4, 4])
        assert "parameters and at least" in _refused(tmp_path, content)


def test_a_searchs_own_file_is_held_against_the_same():
    content = packed(NETWORK)

    assert unpacked(content).class_names == NETWORK.class_names
    with pytest.raises(SearchError, match="`std` must be above 0"):
        unpacked(packed(replace(NETWORK, std=(0.0,))))


# ONNX


@cache
def graph():
    """The network as an ONNX model; not to be changed."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        FORMATS["onnx"].write(NETWORK, Path(folder) / "x.onnx")
        return onnx.load(f"{folder}/x.onnx")


def _metadata(**changes):
    def change(model):
        entries = {entry.key: entry.value for entry in model.metadata_props} | changes
        del model.metadata_props[:]
        for key, value in entries.items():
            model.metadata_props.add(key=key, value=value)

    return change


def _initialiser(change):
    return lambda model: change(model.graph.initializer[0])


def _external(tensor):
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")


def _first(*nodes):
    """Begin with these operations."""

    def change(model):
        many = onnx.numpy_helper.from_array(np.array([10**5, 10**5, 1, 1]), "many")
        model.graph.initializer.append(many)
        for node in reversed(nodes):
            model.graph.node.insert(0, onnx.helper.make_node(*node))

    return change


def _loop(model):
    body = onnx.helper.make_graph([], "body", [], [])
    model.graph.node[0].attribute.append(onnx.helper.make_attribute("body", body))


GRAPHS = {
    "no shape": (_metadata(input_shape=""), "metadata must be JSON"),
    "shape": (_metadata(input_shape="[1, 8]"), "`input_shape` must have 3 sizes"),
    "images": (_metadata(input_shape="[1, 16, 16]"), "must have images [N, 1, 16, 16], but has"),
    "classes": (_metadata(class_names='["a", "b"]'), "must have logits [N, 2], but has"),
    "class names": (_metadata(class_names="5"), "`class_names` must be a list, but got 5"),
    "deep": (_metadata(class_names="[" * 10**5), "metadata must be JSON"),
    "no nodes": (lambda model: model.graph.ClearField("node"), "onnx refuses it"),
    "operation": (lambda model: _set(model.graph.node[0], op_type="Nope"), "onnx refuses it"),
    "domain": (lambda model: _set(model.graph.node[0], domain="x"), "must be ONNX's own"),
    "opset": (lambda model: _set(model.opset_import[0], version=9999), "its opset must be 1 to"),
    "output": (lambda model: _set(model.graph.output[0], name="x"), "must have logits"),
    "a loop": (_loop, "its operations must be plain, but 'Cast' holds a graph"),
    "function": (lambda model: model.functions.add(name="f"), "one graph of plain operations"),
    "another file": (_initialiser(_external), "must lie in it"),
    "more than there": (_initialiser(lambda tensor: tensor.dims.append(10**10)), "is no tensor"),
    "less than there": (_initialiser(lambda tensor: tensor.ClearField("dims")), "is no tensor"),
    "NaN": (
        _initialiser(lambda tensor: _set(tensor, raw_data=b"\xff" * len(tensor.raw_data))),
        "must hold finite numbers",
    ),
    "bomb": (_first(("Expand", ["images", "many"], ["x"])), "an image must take at most"),
    "constant bomb": (_first(("ConstantOfShape", ["many"], ["x"])), "an image must take at most"),
    "tiles": (_first(("Tile", ["images", "many"], ["x"])), "an image must take at most"),
    "of unknown size": (_first(("NonZero", ["images"], ["x"])), "of known sizes, but 'NonZero'"),
}


def _set(message, **values):
    for name, value in values.items():
        setattr(message, name, value)


@pytest.mark.parametrize("row", GRAPHS)
def test_odd_graphs_are_refused(tmp_path, row):
    change, reason = GRAPHS[row]
    model = onnx.ModelProto()
    model.CopyFrom(graph())
    change(model)
    entries = {each.key: each.value for each in model.metadata_props if each.key != "sha256"}
    del model.metadata_props[:]
    for key, value in entries.items():
        model.metadata_props.add(key=key, value=value)
    model.metadata_props.add(key="sha256", value=_onnx._checksum(model))

    assert reason in _refused(tmp_path, model.SerializeToString(), ".onnx")


# What is no file


def test_what_is_no_plain_file_of_a_network_is_not_read(tmp_path):
    for name, reason in (("/dev/zero", "plain file"), (str(tmp_path), "Is a directory")):
        with pytest.raises(SearchError, match=f"Cannot read {name}: .*{reason}"):
            read_classifier(type(tmp_path)(name))
