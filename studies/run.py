"""Run a study's search for several seeds; write its walk and its REPORT.md.

    python studies/run.py studies/digits/study.toml --seeds 5 --storage sqlite:///studies.db

A run that was cut off goes on where it stopped. The first seed is the study file's own; its walk
is kept as walk.json, which the tests replay.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import optuna
import psutil
import torch

from optuna_egnas import LinkedStudies, search
from optuna_egnas._search.study_file import read_study_file
from optuna_egnas.replay import write_trace


def run(file: Path, seeds: int, storage: str) -> None:
    study = read_study_file(file)
    name = study.name or study.dataset
    found = []
    for seed in range(study.options.seed, study.options.seed + seeds):
        options = replace(study.options, seed=seed)
        found.append(
            search(study.dataset, storage=storage, name=f"{name}-seed-{seed}", options=options)
        )
    trace = json.dumps(write_trace(found[0]))
    # One candidate a line: a change of one shows as one.
    lines = trace.replace('{"phase"', '\n{"phase"').replace(' "final"', '\n"final"')
    (file.parent / "walk.json").write_text(lines + "\n", encoding="utf-8")
    (file.parent / "REPORT.md").write_text(report(file, found), encoding="utf-8")


def report(file: Path, found: list[LinkedStudies]) -> str:
    first = found[0].link
    data = first.dataset
    results = [studies.result() for studies in found]
    rows = []
    for studies, result in zip(found, results, strict=True):
        assert result.architecture is not None and result.valid_accuracy is not None
        rows.append(
            f"| {studies.link.seed} | {result.architecture.depth} | {result.architecture.width} "
            f"| {result.architecture.ops.count('conv')} "
            f"| {sum(size > 3 for size in result.architecture.kernels)} | {result.params:,} "
            f"| {result.macs:,} | {100 * result.valid_accuracy:.2f} | {result.candidates} "
            f"| {result.epochs} | {result.seconds:.0f} |"
        )
    scores = [100 * result.valid_accuracy for result in results if result.valid_accuracy]
    spread = f" +- {statistics.stdev(scores):.2f} (standard deviation)" if len(scores) > 1 else ""
    space = first.space
    return "\n".join(
        [
            f"# {data['dataset']}: what a search of this size finds",
            "",
            f"The search of [study.toml](study.toml): {data['n_train']} images to train on, "
            f"{space.n_valid} to validate on, {space.classes} classes, images of "
            f"{' x '.join(str(size) for size in space.input_shape)} (channels, height, width). "
            "Policy `paper`. Validation accuracy is that of the found network in one last "
            "training with the macro result's epochs; it chose the network too, so it flatters "
            "it. The test set was not read.",
            "",
            f"    python studies/run.py {Path(*file.parts[-3:])} --seeds {len(found)}",
            "",
            "| seed | depth | width | full convolutions | kernels above 3 | parameters "
            "| multiply-accumulates | validation % | candidates | epochs | training, s |",
            "|" + "---:|" * 11,
            *rows,
            "",
            f"Validation accuracy: mean {statistics.mean(scores):.2f} %{spread}, "
            f"n = {len(scores)} seed{'s' if len(scores) > 1 else ''}. "
            f"The walk of seed {first.seed} is kept in [walk.json](walk.json).",
            "",
            f"Machine: {platform.machine()}, {psutil.cpu_count()} cores, torch on "
            f"{torch.get_num_threads()} thread{'s' if torch.get_num_threads() > 1 else ''}, "
            "with other work beside it: the seconds are an upper bound. "
            + ", ".join(
                f"{name} {version(name)}" for name in ("optuna-egnas", "optuna", "torch", "numpy")
            )
            + f", Python {platform.python_version()}.",
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Run a study's search for several seeds.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--storage", default="sqlite:///studies.db")
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    run(arguments.file, arguments.seeds, arguments.storage)


if __name__ == "__main__":
    main()
