"""A network as one ONNX file, and what onnxruntime calculates with it.

The file says in its metadata what it holds, and has a checksum there over all the rest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .._core.cost import Shape
from .._core.text import reason
from ..errors import SearchError
from ._onnx_graph import INPUT, OUTPUT, check_graph

Logits = Callable[[Tensor], Tensor]
"""Uint8 pixels [N, C, H, W] to logits, float [N, classes]; both on the CPU."""
PACKAGES = ("onnx", "onnxruntime", "onnxscript")
CHECKSUM = "sha256"
NOTHING = 4
"""What onnxruntime calls the level of its log on which it does not print what it also raises."""


def check_packages() -> None:
    """Refuse to go on without the packages.

    Raises:
        SearchError: one is missing.
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise SearchError(
            f"For ONNX, {' and '.join(missing)} must be installed, but cannot be found: "
            "pip install 'optuna-egnas[onnx]'."
        )


def write(network: nn.Module, images: Tensor, metadata: Mapping[str, Any], path: Path) -> None:
    """Write a network to a file, with one input `images` and one output `logits`.

    `images` [2, C, H, W] are an example; any number of such can be asked for later. The values
    of the metadata are written as JSON.
    """
    import onnx

    exported = torch.onnx.export(
        network,
        (images,),
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes={INPUT: {0: torch.export.Dim("batch")}},
        dynamo=True,
        verbose=False,
    )
    assert exported is not None
    model = exported.model_proto
    _forget_origin(model.graph)
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=json.dumps(value))
    model.metadata_props.add(key=CHECKSUM, value=_checksum(model))
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())


def parsed(content: bytes) -> tuple[Any, dict[str, Any]]:
    """The model in a file, and its metadata; nothing of it is run.

    Raises:
        ValueError: it is none, or not as `write` has written it.
    """
    import onnx

    try:
        model = onnx.load_model_from_string(content)
        found = {entry.key: entry.value for entry in model.metadata_props}
        whole = found.pop(CHECKSUM, None) == _checksum(model)
    # protobuf has errors of its own, which depend on how it was built.
    except Exception as error:
        raise ValueError(f"it is no ONNX: {reason(error)}") from None
    if not whole:
        raise ValueError("its content must have the checksum in its metadata, but has another")
    if len(found) + 1 != len(model.metadata_props):
        raise ValueError("its metadata must have each name once, but do not")
    try:
        return model, {key: json.loads(text) for key, text in found.items()}
    except (ValueError, RecursionError):
        raise ValueError("its metadata must be JSON, but are not") from None


def runnable(model: Any, input_shape: Shape, classes: int) -> tuple[Logits, int]:
    """What a model calculates (uint8 [N, *input_shape] to logits [N, classes]), and a good N.

    Raises:
        ValueError: it is no graph of that, or not one that onnxruntime runs.
    """
    import onnxruntime

    batch = check_graph(model, input_shape, classes)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = NOTHING
    options.intra_op_num_threads = torch.get_num_threads()
    run = onnxruntime.RunOptions()
    run.log_severity_level = NOTHING
    content, providers = model.SerializeToString(), ["CPUExecutionProvider"]
    try:
        session = onnxruntime.InferenceSession(content, options, providers=providers)
    # onnxruntime has an error class for each kind of trouble.
    except Exception as error:
        raise ValueError(f"onnxruntime cannot read it: {reason(error)}") from None

    def logits(images: Tensor) -> Tensor:
        try:
            return torch.from_numpy(session.run([OUTPUT], {INPUT: images.numpy()}, run)[0])
        except Exception as error:
            raise SearchError(f"onnxruntime cannot run it: {reason(error)}.") from None

    return logits, batch


def _forget_origin(graph: Any) -> None:
    """Remove what torch tells of each step: where on this machine its code lies, for one."""
    parts = (graph.node, graph.input, graph.output, graph.initializer, graph.value_info)
    for entry in (graph, *(entry for part in parts for entry in part)):
        del entry.metadata_props[:]
        entry.ClearField("doc_string")


def _checksum(model: Any) -> str:
    """The SHA-256 of a model, in hexadecimal digits, that in its metadata left out."""
    rest = type(model)()
    rest.CopyFrom(model)
    entries = [entry for entry in rest.metadata_props if entry.key != CHECKSUM]
    del rest.metadata_props[:]
    rest.metadata_props.extend(entries)
    return hashlib.sha256(rest.SerializeToString(deterministic=True)).hexdigest()
