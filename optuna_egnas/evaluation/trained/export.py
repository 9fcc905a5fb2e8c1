"""Hands a trained network over: writes it, loads it back, and compares the two on images.

A file appears under its name only when it has given the logits of the trained network.
"""

from __future__ import annotations

import keyword
import os
import platform
import re
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import psutil
import torch
from torch import Tensor

from ..._core.text import short
from ...errors import InvalidSpace, SearchError
from ..data.paths import is_folder
from ..engine.augmentation import normalised
from ..engine.conditions import plain_modes
from .benchmark import Benchmark, benchmarked
from .formats import FORMATS, Format
from .network_file import TrainedNetwork, metadata_of
from .onnx import Logits

if TYPE_CHECKING:
    from ..data.labelled import LabelledImages


ABSOLUTE, RELATIVE = 1e-4, 1e-5
"""How far a logit may be off: so much, or so much of the largest one if that is more."""
COMPARED = 128
"""Images on which an exported network is compared."""
OLD = 24 * 3600.0
"""Seconds after which a folder that an export writes in was left, on whatever machine."""
BATCH = 100
"""Images in one pass; of other numbers than a network was traced with."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Exported:
    """A network that was handed over.

    Args:
        format: one of FORMATS.
        files: what was written; that with the network first.
        network: what is in it.
        compared: how many images were compared, and `images` what kind they were of.
        difference: the largest of the differences between two logits, of the trained and of the
            exported network.
        tolerance: what would have been allowed.
        test_correct: right answers of the exported network on the test images, where they were
            read again; as many as those of the trained network.
        artifacts: ids of the files among the artifacts of the search's last study.
        no_artifact: why there are none, where the search keeps artifacts.
        benchmark: how long the file takes to answer, where that was asked for.
    """

    format: str
    files: tuple[Path, ...]
    network: TrainedNetwork
    compared: int
    images: str
    difference: float
    tolerance: float
    test_correct: int | None = None
    artifacts: tuple[str, ...] = ()
    no_artifact: str | None = None
    benchmark: Benchmark | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values; of the network all but its weights."""
        values = {name: getattr(self, name) for name in Exported.__slots__}
        return {
            **values,
            "files": [str(file) for file in self.files],
            "network": metadata_of(self.network),
            "artifacts": list(self.artifacts),
            "benchmark": None if self.benchmark is None else self.benchmark.to_json(),
        }


@plain_modes()
def export_network(  # noqa: PLR0913 - as `export`, which is public
    trained: TrainedNetwork,
    out: Path | None = None,
    *,
    format: str,
    images: Tensor | None = None,
    kind: str = "generated images",
    test: LabelledImages | None = None,
    overwrite: bool = False,
    benchmark: bool = False,
) -> Exported:
    """Write a trained network in one of FORMATS, load it back and compare the two.

    Args:
        trained: the network.
        out: the file, or the folder for it; default: a file in the working directory that is
            called after the search.
        format: one of FORMATS.
        images: uint8 [N, C, H, W] to compare on; default: generated ones, always the same.
        kind: what these images are, in words.
        test: test images, of which both must get the same number right; default: none are read.
        overwrite: whether a file that is there, and is another, may be replaced.
        benchmark: whether the file is timed by its runtime, on generated images.

    Raises:
        InvalidSpace: there is no such format.
        SearchError: the file cannot be written, or another is there; a package is missing; or
            what was written does not calculate what the network does, and was removed again.
    """
    if format not in FORMATS:
        raise InvalidSpace(
            f"`format` must be one of {', '.join(FORMATS)}, but got format={short(format)}."
        )
    chosen = FORMATS[format]
    target = _target(trained, out, format)
    targets = (target, *([target.with_suffix(chosen.also)] if chosen.also else []))
    chosen.check(trained)
    if images is None:
        images = generated_images(trained)
    try:
        _clear_left(target.parent)
        with TemporaryDirectory(dir=target.parent, prefix=_prefix(os.getpid())) as folder:
            written = Path(folder) / target.name
            logits = _written(chosen, trained, written)
            difference, tolerance = _compared(trained, logits, images)
            if test is not None:
                _check_test(trained, logits, test)
            if not overwrite:
                _check_free(targets, written.parent)
            # The weights of a module come before it, so that none is there without them.
            for file in reversed(targets):
                (Path(folder) / file.name).replace(file)
    except OSError as error:
        raise SearchError(f"Cannot write {target}: {error.strerror or error}.") from None
    return Exported(
        format=format,
        files=targets,
        network=trained,
        compared=len(images),
        images=kind,
        difference=difference,
        tolerance=tolerance,
        test_correct=trained.test_correct if test is not None else None,
        benchmark=benchmarked(format, target, generated_images(trained)) if benchmark else None,
    )


def generated_images(trained: TrainedNetwork) -> Tensor:
    """Uint8 images [N, C, H, W] that are the same each time: noise, where there are no others."""
    shape = (COMPARED, *trained.input_shape)
    return torch.randint(256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def count_right(logits: Logits, test: LabelledImages) -> int:
    """Right answers on these images."""
    answers = _all_logits(logits, test.images).argmax(1)
    return int((answers == test.labels).sum())


def _target(trained: TrainedNetwork, out: Path | None, format: str) -> Path:
    """The file to write."""
    suffix = FORMATS[format].suffix
    folder = Path() if out is None else out
    target = folder / f"{_module_name(trained.search)}{suffix}" if is_folder(folder) else folder
    if target.suffix != suffix:
        raise SearchError(
            f"The name of a file in the format {format} must end with {suffix}, but got {target}."
        )
    if format == "python" and not _is_module_name(target.stem):
        raise SearchError(
            "A module must have a name that can be imported, such as "
            f"{_module_name(target.stem)}.py, but got {target.name}."
        )
    if not is_folder(target.parent):
        raise SearchError(
            f"The folder of an exported file must exist, but there is none at {target.parent}."
        )
    return target


def _prefix(process: int) -> str:
    """How the names of the folders begin in which a process of this machine writes."""
    return f".egnas-{re.sub(r'[^A-Za-z0-9]', '', platform.node())}-{process}-"


def _clear_left(folder: Path) -> None:
    """Remove what killed exports left here: of dead processes of this machine, or a day old."""
    for left in folder.glob(".egnas-*-*-*"):
        found = re.fullmatch(r"\.egnas-[A-Za-z0-9]*-(\d+)-\w{8}", left.name)
        if found is None:
            continue
        process = int(found[1])
        is_dead = left.name.startswith(_prefix(process)) and not psutil.pid_exists(process)
        # Another export may be at the same work.
        with suppress(OSError):
            if is_dead or time.time() - left.stat().st_mtime > OLD:
                shutil.rmtree(left)


def _check_free(targets: tuple[Path, ...], folder: Path) -> None:
    """Refuse to replace a file that is there, but for one that is the same as in this folder."""
    for file in targets:
        if file.exists() and not (
            file.is_file() and file.read_bytes() == (folder / file.name).read_bytes()
        ):
            raise SearchError(
                f"{file} must be new, or the same as before, but another one is there: choose "
                "another file with --out, or replace it with --overwrite."
            )


def _module_name(name: str) -> str:
    """A name like this one under which a module can be imported."""
    found = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
    return found if _is_module_name(found) else f"network_{found}".rstrip("_")


def _is_module_name(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name)


def _written(format: Format, trained: TrainedNetwork, file: Path) -> Logits:
    """What a file that is now written calculates."""
    try:
        format.write(trained, file)
        return format.read(file)
    except OSError:
        raise
    # An operation from outside may do what torch cannot trace, and says so in many ways.
    except Exception as error:
        reason = " ".join(str(error).split())
        raise SearchError(f"Cannot write this network as {file.suffix}: {reason}") from error


def _compared(trained: TrainedNetwork, logits: Logits, images: Tensor) -> tuple[float, float]:
    """The largest difference from the trained network's logits, and what is allowed."""
    network, statistics = trained.network(), trained.statistics
    expected = _all_logits(lambda part: network(normalised(part, statistics)), images)
    tolerance = max(ABSOLUTE, RELATIVE * float(expected.abs().max()))
    difference = float((_all_logits(logits, images) - expected).abs().max())
    # Written so that NaN fails, too.
    if not difference <= tolerance:
        raise SearchError(
            f"An exported network must give the trained one's logits within {tolerance:.1e}, "
            f"but differs by {difference:.1e} on {len(images)} images: it was not kept."
        )
    return difference, tolerance


def _check_test(trained: TrainedNetwork, logits: Logits, test: LabelledImages) -> None:
    if trained.test_correct is None:
        raise SearchError(
            "A test must have been reported to be checked, but this network has none."
        )
    found = count_right(logits, test), len(test.labels)
    if found != (trained.test_correct, trained.n_test):
        raise SearchError(
            f"An exported network must get {trained.test_correct} of {trained.n_test} test images "
            f"right, as reported, but gets {found[0]} of {found[1]}: it was not kept."
        )


@torch.inference_mode()
def _all_logits(logits: Logits, images: Tensor) -> Tensor:
    return torch.cat([logits(part) for part in torch.split(images, BATCH)])
