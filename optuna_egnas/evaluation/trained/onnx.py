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

from ...errors import SearchError

PACKAGES = ("onnx", "onnxruntime", "onnxscript")
CHECKSUM = "sha256"
ERRORS_ONLY = 3
"""What onnxruntime calls this level of its log."""


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
        input_names=["images"],
        output_names=["logits"],
        dynamic_shapes={"images": {0: torch.export.Dim("batch")}},
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


def read(content: bytes) -> tuple[Callable[[Tensor], Tensor], dict[str, Any]]:
    """What a file calculates (uint8 [N, C, H, W] to logits), and its metadata.

    Raises:
        ValueError: `write` has not written it so.
    """
    import onnx
    import onnxruntime

    try:
        model = onnx.load_model_from_string(content)
        found = {entry.key: entry.value for entry in model.metadata_props}
        whole = found.pop(CHECKSUM, None) == _checksum(model)
    # protobuf has errors of its own, which depend on how it was built.
    except Exception as error:
        raise ValueError(f"it is no ONNX: {error}") from None
    if not whole:
        raise ValueError("its content must have the checksum in its metadata, but has another")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def logits(images: Tensor) -> Tensor:
        return torch.from_numpy(session.run(["logits"], {"images": images.numpy()})[0])

    return logits, {key: json.loads(text) for key, text in found.items()}


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
