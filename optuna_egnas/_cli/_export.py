"""`egnas export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from .._core.commands import (
    BENCHMARK,
    CHECK_TEST,
    FORMAT,
    FROM_FILE,
    JSON,
    NAMED_NETWORK,
    OUT,
    OVERWRITE,
    SEED,
    STORAGE,
    STORED_DATA_FOLDER,
)
from ..errors import SearchError
from ._arguments import FromFile, Json, Name, NetworkName, Seed, Storage
from ._declared import typed
from ._output import errors, opened, print_json, quiet_optuna, say

if TYPE_CHECKING:
    from .._search.studies import LinkedStudies
    from ..evaluation.trained.benchmark import Benchmark
    from ..evaluation.trained.export import Exported


def export(  # noqa: PLR0913 - a parameter for each option
    format: Annotated[str, typed(FORMAT)],
    name: Name = None,
    storage: Storage = STORAGE.default,
    out: Annotated[Path | None, typed(OUT)] = OUT.default,
    seed: Seed = SEED.default,
    source: FromFile = FROM_FILE.default,
    overwrite: Annotated[bool, typed(OVERWRITE)] = OVERWRITE.default,
    check_test: Annotated[bool, typed(CHECK_TEST)] = CHECK_TEST.default,
    data_root: Annotated[str | None, typed(STORED_DATA_FOLDER)] = STORED_DATA_FOLDER.default,
    network: NetworkName = NAMED_NETWORK.default,
    benchmark: Annotated[bool, typed(BENCHMARK)] = BENCHMARK.default,
    as_json: Json = JSON.default,
) -> None:
    """Hand over the trained network as a file that is used without this package."""
    from . import _show_search as _show

    quiet_optuna()
    if source is not None and name is not None:
        raise SearchError("Give a search or --from, but not both.")
    with _show.storage_trouble(storage):
        studies: LinkedStudies | Path = source or opened(storage, name)
        # Only now: it loads torch.
        from .._search.export import export as hand_over

        exported = hand_over(
            studies,
            out,
            format=format,
            seed=seed,
            overwrite=overwrite,
            check_test=check_test,
            data_root=data_root,
            network=network,
            benchmark=benchmark,
        )
    print_json(exported.to_json()) if as_json else _print(exported)
    if exported.no_artifact is not None:
        errors.print(f"Not among the artifacts of the search: {exported.no_artifact}")


def _print(exported: Exported) -> None:
    network = exported.network
    for file in exported.files:
        say(f"{file} ({file.stat().st_size / 1000:,.1f} kB)")
    channels, height, width = network.input_shape
    say(
        f"takes uint8 pixels [N, {channels}, {height}, {width}], normalises them itself, "
        f"gives logits of {len(network.class_names)} classes"
    )
    say(
        f"loaded back: on {exported.compared} {exported.images}, logits within "
        f"{exported.difference:.1e} of the trained network's (allowed: {exported.tolerance:.1e})"
    )
    if exported.test_correct is not None:
        say(
            f"test images read again: {exported.test_correct} of {network.n_test} right, "
            "as reported"
        )
    if exported.benchmark is not None:
        _print_benchmark(exported.benchmark)


def _print_benchmark(benchmark: Benchmark) -> None:
    for each in benchmark.latencies:
        say(
            f"batch {each.batch}: {1000 * each.median:.3f} ms median, {1000 * each.p95:.3f} ms at "
            f"the 95th percentile of {each.runs} runs ({benchmark.runtime}, CPU, "
            f"{benchmark.threads} thread)"
        )
