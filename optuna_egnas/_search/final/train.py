"""The final training of the network that a search has found, and its test.

It is trained on the images that the search has trained and validated on, so that there is
nothing to choose an epoch by: the last epoch's weights count. The test images are read once, when
a training has ended. A training that was stopped goes on from its checkpoint, to the same bit.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from ..._core.history import Candidate
from ..._storage.final_claims import FinalClaim, begun_test, claimed, read_test, write_test
from ..._storage.final_records import BegunTest, FinalRecord, FinalSettings
from ..._storage.final_results import (
    all_begun,
    all_finals,
    finals,
    place_of_artifacts,
)
from ..._storage.interrupts import stopping_in_order
from ..._storage.outage import waiting
from ..._storage.rivals import compared
from ..._storage.urls import DEFAULT_URL
from ...errors import SearchError
from ...evaluation.data.ground import GROUND
from ...evaluation.engine.augmentation import channel_statistics
from ...evaluation.engine.checkpoint import Checkpoint, Checkpoints, Place
from ...evaluation.engine.conditions import conditions, plain_modes, threads_for
from ...evaluation.trained.examination import examine
from ...evaluation.trained.network_file import TrainedNetwork
from ..identity import read_recipe
from ..run import dashboard_writer
from .result import FinalResult
from .rivals import forget_rivals, train_rivals
from .setup import FinalProgress, FinalSetup, prepare_final
from .stored import read_report, store_final, stored_report, upload_report
from .training import epochs_of, final_seed, task_of

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

    from ..._core.report import Report
    from ...options import TrainOptions
    from ..studies import LinkedStudies
    from .setup import Given


@plain_modes()
def train(  # noqa: PLR0913 - public; all but one by name
    search: str | LinkedStudies,
    *,
    data: Given | None = None,
    test: Given | None = None,
    storage: str | BaseStorage | None = DEFAULT_URL,
    epochs: int | None = None,
    seeds: int = 1,
    device: str = "auto",
    options: TrainOptions | None = None,
    watch: Callable[[FinalProgress], None] | None = None,
) -> FinalResult:
    """Train the network that a search has found, with its recipe and more epochs, and test it.

    A training that was stopped goes on, one that has ended is not repeated. Each network and its
    test are stored with the search, and uploaded to its last study as two files.

    Args:
        search: its name, or its studies, as `search` returns them.
        data: the training data, where the search was given such: the same again.
        test: the test data, likewise, with the same classes; named data sets bring their own.
        storage: of a search that is given by its name.
        epochs: default: as begun before, else two million images divided by their number, 30 to
            100, and no fewer than any candidate has had.
        seeds: so many trainings, with seeds 0, 1, ... that are derived from the search's.
        device: where to train: `auto` takes a GPU where there is one.
        options: everything else.
        watch: is called after every epoch.

    Returns:
        All trainings with these settings, with mean and spread over the seeds.

    Raises:
        DataError: the data are missing, damaged or unsuitable.
        InvalidSpace: an option is out of its bounds.
        SearchError: there is no such search, it has not ended, its data have changed, or there
            are results of other settings.
        NonFiniteLoss: the loss became NaN or infinite.

    Examples:
        Goes on from the example of `search`.

        >>> from optuna_egnas import train
        >>> fresh = torch.randint(0, 99, (20, 1, 8, 8), dtype=torch.uint8)
        >>> result = train("bright", data=(images, labels), test=(fresh, labels[:20]), epochs=2)
        >>> result.records[0].n_test
        20
    """
    setup = prepare_final(
        search,
        data=data,
        test=test,
        storage=storage,
        epochs=epochs,
        seeds=seeds,
        device=device,
        options=options,
        watch=watch,
    )
    return run_final(setup)


@plain_modes()
def run_final(setup: FinalSetup) -> FinalResult:
    """Train and test with each seed that is left, then the rivals, and tell of all there are.

    On an interruption (Ctrl-C) the training leaves a checkpoint of its last whole epoch.
    """
    studies = setup.studies
    space, link = studies.link.space, studies.link
    deterministic = bool(link.dataset.get("deterministic", False))
    threads = threads_for(min(space.input_shape[1:]), deterministic=deterministic)
    writer = dashboard_writer(studies, setup.storage)
    with (
        waiting(),
        stopping_in_order(),
        conditions(threads=threads, deterministic=deterministic),
    ):
        spent: list[float] = []
        for index, seed in enumerate(setup.seeds):
            progress = FinalProgress(
                seed=seed,
                index=index,
                count=len(setup.seeds),
                epoch=0,
                epochs=setup.settings.epochs,
            )
            _train_one(setup, progress, spent)
            writer.update(last=True)
        records = finals(studies, setup.settings)
        left_out: tuple[str, ...] = ()
        if setup.rivals:
            left_out = train_rivals(setup, records[0], after=writer.update)
            writer.update(last=True)
    architecture = setup.settings.architecture
    before = [
        record.settings
        for record in all_finals(studies)
        if record.stored < records[0].stored and record.settings != setup.settings
    ]
    return FinalResult(
        name=studies.name,
        settings=setup.settings,
        network=space.describe(architecture),
        params=space.params(architecture),
        macs=space.macs(architecture),
        records=records,
        reports=tuple(read_report(studies, record) for record in records),
        earlier=len(before),
        earlier_networks=sum(each.architecture != architecture for each in before),
        artifacts=place_of_artifacts(studies),
        rivals=compared(studies, setup.settings, left_out=left_out),
    )


def forget_finals(studies: LinkedStudies, checkpoints: Checkpoints) -> None:
    """Remove the checkpoints that final trainings of a search and their rivals have left."""
    for begun in all_begun(studies):
        for seed in range(begun.seeds):
            _place(studies, begun.settings, seed, checkpoints).remove()
        forget_rivals(studies, begun.settings, checkpoints)


def _place(
    studies: LinkedStudies, settings: FinalSettings, seed: int, checkpoints: Checkpoints
) -> Place:
    link = studies.link
    role, candidate = f"final-{settings.digest()}", _candidate(settings, seed)
    recipe = read_recipe(settings.recipe)
    return checkpoints.place(link.run, role, candidate, recipe, final_seed(link.seed))


def _candidate(settings: FinalSettings, seed: int) -> Candidate:
    return Candidate(architecture=settings.architecture, epochs=settings.epochs, replicate=seed)


def _train_one(setup: FinalSetup, progress: FinalProgress, spent: list[float]) -> None:
    """Train with one seed, test, store. `spent`: seconds of all epochs of this run so far."""
    with claimed(setup.studies, progress.seed) as claim:
        # Another process may have ended it while this one looked at the data.
        if all(record.seed != progress.seed for record in finals(setup.studies, setup.settings)):
            _train_claimed(setup, progress, spent, claim)


def _train_claimed(
    setup: FinalSetup, progress: FinalProgress, spent: list[float], claim: FinalClaim
) -> None:
    place = _place(setup.studies, setup.settings, progress.seed, setup.checkpoints)
    done = start = place.newest() or Checkpoint(records=(), state={})
    progress = replace(progress, epoch=done.epoch)
    setup.watch(progress)
    task = task_of(setup, setup.studies.method)
    try:
        for done in epochs_of(task, _candidate(setup.settings, progress.seed), start, place):
            spent.append(done.records[-1].seconds)
            claim.show(spent[-1])
            left = progress.epochs * (progress.count - progress.index) - done.epoch
            progress = replace(
                progress,
                epoch=done.epoch,
                train_accuracy=done.records[-1].train_accuracy,
                seconds_left=left * sum(spent) / len(spent),
            )
            setup.watch(progress)
    finally:
        # Also at the end: whatever goes wrong with the test or the files, the training is done.
        place.write()
    claim.check()
    record = _tested(setup, done, progress)
    place.remove()
    setup.watch(replace(progress, record=record))


def _tested(setup: FinalSetup, done: Checkpoint, progress: FinalProgress) -> FinalRecord:
    """Test the network of a training that has ended, and store both."""
    settings, link, seed = setup.settings, setup.studies.link, progress.seed
    statistics = channel_statistics(setup.training.images)
    trained = TrainedNetwork(
        search=setup.studies.name,
        method=link.method,
        architecture=settings.architecture,
        input_shape=link.space.input_shape,
        class_names=setup.class_names,
        mean=tuple(statistics.mean.flatten().tolist()),
        std=tuple(statistics.std.flatten().tolist()),
        weights=done.state["average" if settings.ema else "weights"],
        seed=seed,
        epochs=settings.epochs,
        reading=link.dataset.get("reading", 1),
        ground=link.dataset.get("ground", GROUND),
    )
    report, mark = _report(setup, trained, progress)
    return store_final(
        setup.studies,
        replace(trained, test_correct=report.correct, n_test=report.total),
        report,
        settings=settings,
        train_accuracy=done.records[-1].train_accuracy,
        seconds=sum(record.seconds for record in done.records),
        device=str(setup.device),
        threads=torch.get_num_threads(),
        report_id=mark.report_id,
        test_reads=mark.reads,
    )


def _report(
    setup: FinalSetup, trained: TrainedNetwork, progress: FinalProgress
) -> tuple[Report, BegunTest]:
    """The test of a network, and how often the test images were read for it.

    Before they are read, that is stored, and right after that, what the test has given: whatever
    happens in between, it is known that they were read.
    """
    studies, settings, seed = setup.studies, setup.settings, trained.seed
    before = read_test(studies, settings, seed)
    if before is not None and before.report_id is not None:
        with suppress(SearchError):
            return stored_report(studies, before.report_id), before
    if before is not None:
        setup.watch(replace(progress, note=_again(before)))
    mark = begun_test(reads=before.reads + 1 if before else 1)
    write_test(studies, settings, seed, mark)
    try:
        report = examine(trained, setup.read_test(), device=setup.device)
    except Exception:
        # Nobody has seen an answer.
        write_test(studies, settings, seed, before)
        raise
    mark = replace(mark, report_id=upload_report(studies, report, seed))
    write_test(studies, settings, seed, mark)
    return report, mark


def _again(before: BegunTest) -> str:
    times = "once" if before.reads == 1 else f"{before.reads} times"
    return (
        f"This reads the test images once more: they were read {times} for this network, the last "
        f"time at {before.at} by process {before.pid} on {before.host}, which ended before it "
        "stored its result."
    )
