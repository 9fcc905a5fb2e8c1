"""Study files, traces and network files to try: valid ones, changed in odd ways."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import fields
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np
import torch
from exporting import lively
from fuzzing import NASTY, Kind, Raw, as_json, as_toml, damaged, flipped, mutated
from tracing import searched

from optuna_egnas import Architecture
from optuna_egnas._search.identity import asked_recipes
from optuna_egnas._search.plan import spaces_of
from optuna_egnas._search.study_file import StudyFile, read_study_file
from optuna_egnas.evaluation.data.labelled import load_training
from optuna_egnas.evaluation.engine.archive import read_archive
from optuna_egnas.evaluation.engine.sealed import sealed
from optuna_egnas.evaluation.trained import onnx as _onnx
from optuna_egnas.evaluation.trained.export import export_network
from optuna_egnas.evaluation.trained.network_file import KIND as NETWORK
from optuna_egnas.evaluation.trained.network_file import (
    TrainedNetwork,
    metadata_of,
    packed,
    unpacked,
)
from optuna_egnas.evaluation.trained.prediction import (
    Classifier,
    _guesses,
    read_classifier,
    read_trained,
)
from optuna_egnas.options import SearchOptions
from optuna_egnas.replay import read_trace, replay, write_trace

# Study files

STUDY: dict[str, Any] = {
    "dataset": "digits",
    "name": "own",
    "profile": "quick",
    "precision": "fp32",
    "seed": 3,
    "valid_fraction": 0.2,
    "subset": 300,
    "inherit": False,
    "deterministic": True,
    "artifacts": "kept",
    "checkpoint_seconds": 10,
    "stale_after": 900.0,
    "time_limit": 60,
    "max_total_epochs": 50,
    "data": {"root": "data", "download": False, "image_size": 8, "test_fraction": 0.2},
    "macro": {"policy": "paper", "min_depth": 2, "max_depth": 3, "depth_gain": 0.001},
    "micro": {"operations": ["sep", "conv"], "kernels": [3, 5], "epochs": 1},
    "recipe": {"learning_rate": 0.05, "batch_size": 32, "flip": False, "precision": "fp32"},
}


def study_files(folder: Path) -> Kind:
    """Study files in a folder."""

    def draw(random: Random) -> bytes:
        text = as_toml(mutated(STUDY, random)).encode("utf-8", "surrogatepass")
        return damaged(text, random) if random.random() < 0.4 else text

    def attempt(content: bytes) -> None:
        file = folder / "study.toml"
        file.write_bytes(content)
        found = read_study_file(file)
        check_options(found.options)
        file.write_text(as_toml(_of_study(found)), encoding="utf-8")
        assert read_study_file(file) == found

    return Kind(draw=draw, attempt=attempt)


def _of_study(found: StudyFile) -> dict[str, Any]:
    """A study file that says the same."""
    options = found.options
    data = {each.name: getattr(options.data, each.name) for each in fields(options.data)}
    values = {each.name: getattr(options, each.name) for each in fields(options)}
    spaces = {"macro": {}, "micro": {}, **values.pop("spaces")}
    record = {"dataset": found.dataset, "name": found.name, **values, "data": data, **spaces}
    if record["precision"] == "auto":
        del record["precision"]
    for name in ("data", "recipe", *spaces):
        record[name] = {k: v for k, v in record[name].items() if v is not None}
    for name in {*spaces} - {*options.spaces}:
        del record[name]
    return {key: value for key, value in record.items() if value is not None}


def check_options(options: SearchOptions) -> None:
    """What can be searched with these is stored and read unchanged."""
    content = _digits()
    spaces = spaces_of(content, (400, 100), options)
    for space in spaces.values():
        assert type(space).from_json(json.loads(json.dumps(space.to_json()))) == space
    for recipe in asked_recipes(content, options, spaces, 200, None):
        assert type(recipe)(**json.loads(json.dumps(recipe.to_json()))) == recipe


@cache
def _digits() -> Any:
    return load_training("digits")


# Traces


@cache
def _trace() -> dict[str, Any]:
    return write_trace(searched(epochs_per_layer=0, epochs_per_width_step=0, base_epochs=1))


def traces(folder: Path) -> Kind:
    """Traces in a folder."""

    def draw(random: Random) -> bytes:
        text = as_json(mutated(_trace(), random)).encode()
        return damaged(text, random) if random.random() < 0.3 else text

    def attempt(content: bytes) -> None:
        file = folder / "trace.json"
        file.write_bytes(content)
        found = read_trace(file)
        file.write_text(json.dumps(json.loads(content.decode("utf-8-sig")), indent=1))
        assert read_trace(file) == found
        shown = replay(found).to_json()
        assert json.loads(json.dumps(shown)) == json.loads(json.dumps(replay(found).to_json()))

    return Kind(draw=draw, attempt=attempt)


# Networks


@cache
def network() -> TrainedNetwork:
    """A small one."""
    return lively(Architecture(width=2, ops=("sep", "conv", "sep"), kernels=(3, 5, 3)), classes=3)


class File(NamedTuple):
    """What is in a file, and whether it is the valid one with a bit flipped."""

    content: bytes
    is_flipped: bool


def _tensors(random: Random) -> tuple[Any, ...]:
    """Values that torch can write, and no network has."""
    some = torch.arange(12, dtype=torch.float32)
    return (
        *(some, some.double(), some.half(), some.bool(), some.to(torch.complex64), some[:0]),
        *(some.reshape(3, 4).t(), some.as_strided([10**9], [0]), torch.tensor(1.0)),
        *(some.to_sparse(), torch.empty(5, device="meta"), torch.nn.Parameter(some)),
        *(some * torch.nan, some / 0, torch.zeros(3, 0)),
        *(random.choice(NASTY), torch.Size([3]), torch.float32, {1, 2}, b"bytes", 1j),
    )


def _odd_record(record: dict[str, Any], random: Random) -> dict[str, Any]:
    values = tuple(_tensors(random)) if random.random() < 0.5 else NASTY
    return dict(mutated(record, random, tuple(v for v in values if not isinstance(v, Raw))))


def _rezipped(content: bytes, random: Random) -> bytes:
    """An archive with other entries, whose checksums hold."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
        entries = old.infolist()
        changed = random.choice(entries) if random.random() < 0.5 else entries[0]
        deflated = random.choice(entries) if random.random() < 0.03 else None
        for entry in entries:
            record = old.read(entry)
            if entry is changed:
                record = damaged(record, random)
            if entry is changed and random.random() < 0.05:
                continue
            way = zipfile.ZIP_DEFLATED if entry is deflated else zipfile.ZIP_STORED
            new.writestr(entry.filename, record, way)
    return out.getvalue()


def _saved(record: Any) -> bytes:
    out = io.BytesIO()
    torch.save(record, out)
    return out.getvalue()


def _networks(file: Path, valid: bytes, resealed: Any, record: dict[str, Any]) -> Kind:
    def draw(random: Random) -> File:
        way = random.random()
        if way < 0.3:
            return File(flipped(valid, random), True)
        if way < 0.4:
            return File(damaged(valid, random), False)
        if way < 0.7:
            return File(resealed(_rezipped(_saved(record), random)), False)
        return File(resealed(_saved(_odd_record(record, random))), False)

    def attempt(given: File) -> None:
        file.write_bytes(given.content)
        found = read_trained(file)
        again = unpacked(packed(found))
        _check_same(again, found)
        if given.is_flipped:
            _check_same(found, network())
        _check_guesses(Classifier.of(found))

    return Kind(draw=draw, attempt=attempt)


def _check_same(one: TrainedNetwork, other: TrainedNetwork) -> None:
    assert metadata_of(one) == metadata_of(other)
    assert one.weights.keys() == other.weights.keys()
    assert all(torch.equal(one.weights[name], other.weights[name]) for name in one.weights)


def _check_guesses(classifier: Classifier) -> None:
    images = torch.full((2, *classifier.input_shape), 7, dtype=torch.uint8)
    if images.numel() < 1e6:
        rows = _guesses(classifier, images, 2)
        assert all(0 <= guess.probability <= 1 for row in rows for guess in row)


def sealed_networks(folder: Path) -> Kind:
    """Files as a search keeps them."""
    record = {**metadata_of(network()), "weights": dict(network().weights)}

    def resealed(content: bytes) -> bytes:
        head = sealed(NETWORK, {})[: len(f"egnas-{NETWORK}\n")]
        return head + hashlib.sha256(content).hexdigest().encode() + content

    return _networks(folder / "network.egnas", packed(network()), resealed, record)


def state_dicts(folder: Path) -> Kind:
    """State dicts as an export writes them."""
    valid = export_network(network(), folder, format="state-dict").files[0].read_bytes()
    return _networks(folder / "network.pt", valid, bytes, read_archive(valid))


def onnx_files(folder: Path) -> Kind:
    """ONNX files as an export writes them."""
    import onnx

    valid = export_network(network(), folder, format="onnx").files[0].read_bytes()
    expected = read_classifier(folder / "lively.onnx").logits(_pixels())

    def draw(random: Random) -> File:
        if random.random() < 0.3:
            return File(flipped(valid, random), True)
        if random.random() < 0.1:
            return File(damaged(valid, random), False)
        model = onnx.load_model_from_string(valid)
        for _ in range(random.choice((1, 1, 2))):
            random.choice(GRAPHS)(model, random)
        entries = {entry.key: entry.value for entry in model.metadata_props}
        del model.metadata_props[:], entries["sha256"]
        for key, value in entries.items():
            model.metadata_props.add(key=key, value=value)
        model.metadata_props.add(key="sha256", value=_onnx._checksum(model))
        return File(model.SerializeToString(), False)

    def attempt(given: File) -> None:
        file = folder / "network.onnx"
        file.write_bytes(given.content)
        classifier = read_classifier(file)
        if given.is_flipped:
            assert torch.equal(classifier.logits(_pixels()), expected)
        _check_guesses(classifier)

    return Kind(draw=draw, attempt=attempt)


def _pixels() -> torch.Tensor:
    return torch.arange(128, dtype=torch.uint8).reshape(2, 1, 8, 8)


def _other_metadata(model: Any, random: Random) -> None:
    texts = {entry.key: entry.value for entry in model.metadata_props if entry.key != "sha256"}
    try:
        record = {key: json.loads(text) for key, text in texts.items()}
    except ValueError:
        return  # They have been made odd before.
    changed = mutated(record, random)
    del model.metadata_props[:]
    for key, value in changed.items():
        model.metadata_props.add(key=key, value=as_json(value).encode("utf-8", "replace"))
    model.metadata_props.add(key="sha256", value="")


def _other_tensor(model: Any, random: Random) -> None:
    tensor = random.choice(model.graph.initializer)
    match random.randrange(7):
        case 0:
            tensor.raw_data = damaged(tensor.raw_data, random)
        case 1:
            tensor.dims[random.randrange(len(tensor.dims))] = random.choice((0, 1, 10**10, -1))
        case 2:
            tensor.data_type = random.choice((0, 2, 8, 10, 11, 16, 22, 99))
        case 3:
            tensor.data_location = 1
            tensor.external_data.add(key="location", value="/etc/hostname")
        case 4:
            tensor.raw_data = np.full(len(tensor.raw_data) // 4, np.nan, "f4").tobytes()
        case 5:
            tensor.name += "x"
        case _:
            del tensor.dims[:]


def _other_node(model: Any, random: Random) -> None:
    nodes, at = model.graph.node, random.randrange(len(model.graph.node))
    node = nodes[at]
    match random.randrange(6):
        case 0:
            node.op_type = random.choice(("Loop", "Nope", "Relu", "Tile", "Resize", "Exp", ""))
        case 1:
            node.domain = random.choice(("com.microsoft", "x", "ai.onnx.ml"))
        case 2:
            del nodes[at]
        case 3:
            node.input[random.randrange(len(node.input))] = random.choice(("", "images", "y"))
        case 4:
            node.output[0] = random.choice(("", "images", "logits"))
        case _:
            nodes.append(node)


def _other_attribute(model: Any, random: Random) -> None:
    node = random.choice([each for each in model.graph.node if each.attribute])
    attribute = random.choice(node.attribute)
    match random.randrange(3):
        case 0:
            attribute.ints[:] = random.choice(([], [10**6] * 2, [-1, -1], [3] * 4, [0, 0]))
        case 1:
            attribute.type = random.randrange(8)
        case _:
            attribute.g.name = "inner"


def _other_ends(model: Any, random: Random) -> None:
    ends = random.choice((model.graph.input, model.graph.output))
    match random.randrange(4):
        case 0:
            ends[0].name = random.choice(("", "images", "logits", "x"))
        case 1:
            ends[0].type.tensor_type.shape.dim[-1].dim_value = random.choice((0, 9, 10**9, -1))
        case 2:
            ends[0].type.tensor_type.elem_type = random.choice((0, 1, 2, 7, 11, 99))
        case _:
            ends.append(ends[0])


def _bomb(model: Any, random: Random) -> None:
    """A first operation that makes much of little, or asks for it."""
    import onnx

    many = random.choice((10**5, 10**9, 10**12))
    shape = onnx.numpy_helper.from_array(np.array([many, many // 10, 1, 1]), "many")
    model.graph.initializer.append(shape)
    op = random.choice(("Expand", "Tile", "ConstantOfShape", "Reshape"))
    inputs = ["many"] if op == "ConstantOfShape" else ["images", "many"]
    model.graph.node.insert(0, onnx.helper.make_node(op, inputs, ["bomb"]))


def _other_head(model: Any, random: Random) -> None:
    match random.randrange(4):
        case 0:
            model.opset_import[0].version = random.choice((0, 1, 9999, -1, 13))
        case 1:
            model.ir_version = random.choice((0, 1, 99, 10**6))
        case 2:
            model.opset_import.add(domain="com.microsoft", version=1)
        case _:
            model.functions.add(name="f", domain="x")


GRAPHS = (
    _other_metadata,
    _other_tensor,
    _other_node,
    _other_attribute,
    _other_ends,
    _other_head,
    _bomb,
)
