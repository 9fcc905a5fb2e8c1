"""The formats in which a trained network is handed over: how each is written, and read again.

In all of them the network takes uint8 pixels and normalises them itself. Only a state dict and
ONNX are read from foreign hands; torch.export's archives and Python modules can hold code.
"""

from __future__ import annotations

import io
import json
import runpy
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..._core.method import method
from ..data.images import how_files_are_read
from ..engine.archive import read_archive
from . import onnx as _onnx
from .network_file import TrainedNetwork, fields_of, metadata_of, trained_of
from .onnx import Logits

KIND = "egnas-export/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A format of exported networks.

    Args:
        suffix: how its file's name ends.
        also: how the name of a second file ends, if there is one.
        check: refuses a network that cannot be written so, or missing packages.
        write: writes a network to a file.
        read: what a file that `write` wrote here and now calculates.
        runtime: the package that calculates it.
    """

    suffix: str
    also: str | None = None
    check: Callable[[TrainedNetwork], None]
    write: Callable[[TrainedNetwork, Path], None]
    read: Callable[[Path], Logits]
    runtime: str = "torch"


def described(trained: TrainedNetwork) -> dict[str, Any]:
    """What an exported file says of its network, as plain values."""
    channels, height, width = trained.input_shape
    return {
        "kind": KIND,
        "input": f"images: uint8 pixels 0 to 255, [N, {channels}, {height}, {width}]",
        "output": f"logits: float32 [N, {len(trained.class_names)}], one for each class",
        "normalisation": "(pixels - mean) / std by channel, inside the network; "
        "a bare state dict is that of the network behind it",
        "image files": how_files_are_read(trained.reading, trained.ground),
        **metadata_of(trained),
        "versions": {name: version(name) for name in ("optuna-egnas", "torch")},
    }


class PixelNetwork(nn.Module):
    """A trained network behind its normalisation, in evaluation mode and without gradients."""

    mean: Tensor
    std: Tensor

    def __init__(self, trained: TrainedNetwork) -> None:
        super().__init__()
        self.register_buffer("mean", trained.statistics.mean)
        self.register_buffer("std", trained.statistics.std)
        self.network = trained.network()
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of uint8 pixels [N, C, H, W]."""
        logits: Tensor = self.network((images.float() - self.mean) / self.std)
        return logits


def read_state_dict(content: bytes) -> TrainedNetwork:
    """The network of a state dict's file.

    Raises:
        ValueError: it is none, or not as it was written.
    """
    record = read_archive(content)
    metadata = record.get("metadata") if isinstance(record, dict) else None
    return trained_of(own_fields(metadata), record.get("weights"))


def read_onnx(content: bytes) -> tuple[Logits, int, dict[str, Any]]:
    """What an ONNX file calculates, at most on how many images at once, and its fields.

    Raises:
        ValueError: it is none, or not as it was written.
    """
    model, metadata = _onnx.parsed(content)
    fields = fields_of(own_fields(metadata))
    logits, batch = _onnx.runnable(model, fields["input_shape"], len(fields["class_names"]))
    return logits, batch, fields


def own_fields(metadata: Any) -> dict[str, Any]:
    """What `described` took from `metadata_of`.

    Raises:
        ValueError: it has not written these.
    """
    if not isinstance(metadata, dict) or metadata.get("kind") != KIND:
        raise ValueError(f"its metadata must say {KIND}, but do not")
    return {key: metadata[key] for key in TrainedNetwork.__slots__ if key in metadata}


def _state_dict(trained: TrainedNetwork) -> bytes:
    weights = {name: value.cpu().contiguous() for name, value in trained.weights.items()}
    content = io.BytesIO()
    # To a file, torch would write that file's name into it.
    torch.save({"weights": weights, "metadata": described(trained)}, content)
    return content.getvalue()


def _write_state_dict(trained: TrainedNetwork, path: Path) -> None:
    path.write_bytes(_state_dict(trained))


def _read_state_dict(path: Path) -> Logits:
    return PixelNetwork(read_state_dict(path.read_bytes()))


def _example(trained: TrainedNetwork) -> Tensor:
    """Two images: a single one would be taken for a constant of the network."""
    return torch.zeros((2, *trained.input_shape), dtype=torch.uint8)


def _write_program(trained: TrainedNetwork, path: Path) -> None:
    program = torch.export.export(
        PixelNetwork(trained),
        (_example(trained),),
        dynamic_shapes={"images": {0: torch.export.Dim("batch")}},
    )
    for node in program.graph.nodes:
        # Where on this machine the code of the network lies.
        node.meta.pop("stack_trace", None)
    torch.export.save(program, path, extra_files={"metadata.json": json.dumps(described(trained))})


def _read_program(path: Path) -> Logits:
    return torch.export.load(path).module()


def _write_python(trained: TrainedNetwork, path: Path) -> None:
    weights = _state_dict(trained)
    text = method(trained.method).source(trained, path.stem, sha256(weights).hexdigest())
    path.write_text(text, encoding="utf-8")
    path.with_suffix(".pt").write_bytes(weights)


def _read_python(path: Path) -> Logits:
    network: nn.Module = runpy.run_path(str(path))["load"]()
    return network


def _write_onnx(trained: TrainedNetwork, path: Path) -> None:
    _onnx.write(PixelNetwork(trained), _example(trained), described(trained), path)


def _read_onnx(path: Path) -> Logits:
    return read_onnx(path.read_bytes())[0]


def _anything(_: TrainedNetwork) -> None:
    """Every network can be written so, and nothing further is needed."""


def _needs_onnx(_: TrainedNetwork) -> None:
    _onnx.check_packages()


def _check_operations(trained: TrainedNetwork) -> None:
    method(trained.method).source(trained, "network", "")


FORMATS = {
    "state-dict": Format(
        suffix=".pt", check=_anything, write=_write_state_dict, read=_read_state_dict
    ),
    "torch-export": Format(
        suffix=".pt2", check=_anything, write=_write_program, read=_read_program
    ),
    "onnx": Format(
        suffix=".onnx",
        check=_needs_onnx,
        write=_write_onnx,
        read=_read_onnx,
        runtime="onnxruntime",
    ),
    "python": Format(
        suffix=".py", also=".pt", check=_check_operations, write=_write_python, read=_read_python
    ),
}
