"""The rivals of the network found: trained beside it, as it was, and tested on the same images.

Each is stored when its test is done, and is not trained again. They follow the settings of the
final training, whatever these are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..._core.comparison import Rival
from ..._core.history import Candidate
from ..._core.rules import short_text
from ..._core.text import clipped, short
from ..._storage.final_claims import FinalClaim, claimed
from ..._storage.interrupts import interruptible
from ..._storage.rivals import all_rivals, write_rival
from ...errors import SearchError
from ...evaluation.engine.augmentation import channel_statistics
from ...evaluation.engine.checkpoint import Checkpoint, Checkpoints, Place
from ...evaluation.engine.loop import NonFiniteLoss
from ...evaluation.rivals.pixels import PIXELS, PixelRival
from ...evaluation.rivals.plain import PLAIN, plain_network
from ...evaluation.rivals.pretrained import PRETRAINED, PretrainedNetwork, sizes_of
from ...evaluation.trained.examination import answers_of
from ..identity import read_recipe
from .setup import FinalProgress, FinalSetup
from .stored import load_network
from .training import LacksMemory, epochs_of, final_seed, task_of

if TYPE_CHECKING:
    from ..._core.method import Method
    from ..._core.network import Network
    from ..._storage.final_records import FinalRecord, FinalSettings
    from ...evaluation.data.labelled import LabelledImages
    from ..studies import LinkedStudies

Answer = Callable[[Tensor], Tensor]

LONGEST = 100
"""Characters of a rival's words."""
OTHERWISE = 0.01
"""By so much at most the accuracy of one network may differ between two machines."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NetworkRival:
    """A network that is trained as the network found was; the rest as of a `Rival`."""

    name: str
    words: str
    params: int
    macs: int
    method: Method
    network: Network


def train_rivals(
    setup: FinalSetup, found: FinalRecord, *, after: Callable[[], None]
) -> tuple[str, ...]:
    """Train, test and store what is not stored yet; `after` is called after each.

    Returns:
        A line for each rival that cannot be trained here, with its reason.

    Raises:
        SearchError: the test images are not those of the final training, or another process is at
            it.
    """
    studies, settings = setup.studies, setup.settings
    listed, left_out = _rivals_of(studies, settings)
    there = {rival.name for rival in all_rivals(studies, settings)}
    left = [each for each in listed if each.name not in there]
    if not left:
        return left_out
    with claimed(studies, found.seed) as claim:
        test = setup.read_test()
        right = _found_right(setup, found, test)
        for index, each in enumerate(left):
            progress = FinalProgress(
                seed=found.seed,
                index=index,
                count=len(left),
                epoch=0,
                epochs=settings.epochs,
                rival=each.name,
            )
            try:
                answer, seconds = _trained(setup, each, progress, claim)
            except (LacksMemory, NonFiniteLoss) as error:
                left_out = (*left_out, f"{each.name}: {error}")
                continue
            claim.check()
            rival = _tested(each, answer(test.images) == test.labels, right, setup, seconds)
            write_rival(studies, settings, rival)
            _place(setup.checkpoints, studies, settings, each).remove()
            setup.watch(replace(progress, epoch=settings.epochs, rival_accuracy=rival.accuracy))
            after()
    return left_out


def forget_rivals(
    studies: LinkedStudies, settings: FinalSettings, checkpoints: Checkpoints
) -> None:
    """Remove the checkpoints that rivals have left."""
    for each in _rivals_of(studies, settings)[0]:
        _place(checkpoints, studies, settings, each).remove()


def _rivals_of(
    studies: LinkedStudies, settings: FinalSettings
) -> tuple[list[NetworkRival | PixelRival], tuple[str, ...]]:
    """All rivals, the quick ones first, and a line for each that is left out."""
    space, found = studies.link.space, settings.architecture
    task = space.input_shape, space.classes
    plain = plain_network(space.params(found), *task)
    listed: list[NetworkRival | PixelRival] = [
        *PIXELS,
        NetworkRival(
            name="plain CNN",
            words=f"{plain.channels} channels at last",
            params=plain.params(*task),
            macs=plain.macs(*task),
            method=PLAIN,
            network=plain,
        ),
    ]
    left_out = []
    for rival in _of_method(studies, found):
        if rival.network == found:
            left_out.append(f"{rival.name}: it is the network found.")
        else:
            listed.append(rival)
    pretrained = PretrainedNetwork()
    name = f"pretrained {pretrained.pretrained}"
    try:
        listed.append(_of_torchvision(pretrained, name, studies))
    except SearchError as error:
        left_out.append(f"{name}: {error}")
    return listed, tuple(left_out)


def _of_method(studies: LinkedStudies, found: Network) -> Iterator[NetworkRival]:
    space, method = studies.link.space, studies.method
    for name, network in method.rivals(studies.spaces(), found, studies.link.seed):
        if short_text(name):
            raise SearchError(f"The name of a rival must be {short_text(name)}: {short(name)}.")
        yield NetworkRival(
            name=name,
            words=clipped(space.describe(network), LONGEST),
            params=space.params(network),
            macs=space.macs(network),
            method=method,
            network=network,
        )


def _of_torchvision(network: PretrainedNetwork, name: str, studies: LinkedStudies) -> NetworkRival:
    space = studies.link.space
    module = PRETRAINED.build(
        network,
        input_shape=space.input_shape,
        classes=space.classes,
        generator=torch.Generator(),
    )
    params, macs = sizes_of(module, space.input_shape)
    return NetworkRival(
        name=name,
        words="by torchvision, enlarged images",
        params=params,
        macs=macs,
        method=PRETRAINED,
        network=network,
    )


def _found_right(setup: FinalSetup, found: FinalRecord, test: LabelledImages) -> Tensor:
    """Which test images the network found answers right, bool [N], in this reading of them.

    Raises:
        SearchError: they are not those of its final training.
    """
    trained = load_network(setup.studies, found)
    network = trained.network().to(setup.device)
    answers, _ = answers_of(network, test.images, trained.statistics, setup.device)
    right = answers == test.labels.cpu()
    count, total = int(right.sum()), len(right)
    if total != found.n_test or abs(count - found.test_correct) > OTHERWISE * total:
        raise SearchError(
            "The test images must be those of the final training, of which the network found has "
            f"{found.test_correct} of {found.n_test} right, but it has {count} of {total}."
        )
    return right


def _trained(
    setup: FinalSetup,
    rival: NetworkRival | PixelRival,
    progress: FinalProgress,
    claim: FinalClaim,
) -> tuple[Answer, float]:
    """What answers images after a rival's training, and the seconds of that."""
    setup.watch(progress)
    if isinstance(rival, NetworkRival):
        return _trained_network(setup, rival, progress, claim)
    started = time.perf_counter()
    with interruptible():
        answer = rival.fit(setup.training, final_seed(setup.studies.link.seed))
    return answer, time.perf_counter() - started


def _trained_network(
    setup: FinalSetup, rival: NetworkRival, progress: FinalProgress, claim: FinalClaim
) -> tuple[Answer, float]:
    settings, task = setup.settings, task_of(setup, rival.method)
    place = _place(setup.checkpoints, setup.studies, settings, rival)
    done = start = place.newest() or Checkpoint(records=(), state={})
    candidate, spent = _candidate(settings, rival), list[float]()
    try:
        for done in epochs_of(task, candidate, start, place):
            spent.append(done.records[-1].seconds)
            claim.show(spent[-1])
            left = settings.epochs - done.epoch
            setup.watch(
                replace(
                    progress,
                    epoch=done.epoch,
                    train_accuracy=done.records[-1].train_accuracy,
                    seconds_left=left * sum(spent) / len(spent),
                )
            )
    finally:
        place.write()
    network = rival.method.build(
        rival.network,
        input_shape=task.input_shape,
        classes=task.classes,
        generator=torch.Generator(),
    )
    network.load_state_dict(dict(done.state["average" if settings.ema else "weights"]))
    network.to(setup.device).eval()
    statistics = channel_statistics(setup.training.images)

    def answer(images: Tensor) -> Tensor:
        return answers_of(network, images, statistics, setup.device)[0]

    return answer, sum(record.seconds for record in done.records)


def _tested(
    rival: NetworkRival | PixelRival,
    right: Tensor,
    found: Tensor,
    setup: FinalSetup,
    seconds: float,
) -> Rival:
    """The record of a rival; `right` and `found` say which images it and the other answer so."""
    if isinstance(rival, NetworkRival):
        params: int | None = rival.params
        macs: int | None = rival.macs
    else:
        space = setup.studies.link.space
        params, macs = rival.sizes(space.input_shape, space.classes)
    return Rival(
        name=rival.name,
        words=rival.words,
        params=params,
        macs=macs,
        seconds=round(seconds, 3),
        test_correct=int(right.sum()),
        n_test=len(right),
        better=int((right & ~found).sum()),
        worse=int((found & ~right).sum()),
    )


def _candidate(settings: FinalSettings, rival: NetworkRival) -> Candidate:
    return Candidate(architecture=rival.network, epochs=settings.epochs, replicate=0)


def _place(
    checkpoints: Checkpoints,
    studies: LinkedStudies,
    settings: FinalSettings,
    rival: NetworkRival | PixelRival,
) -> Place:
    """Where the checkpoints of a rival are kept; nowhere for one that is trained in one go."""
    if isinstance(rival, PixelRival):
        return Place(store=None, key="", seconds=0.0)
    link, role = studies.link, f"rival-{settings.digest()}"
    recipe, seed = read_recipe(settings.recipe), final_seed(link.seed)
    return checkpoints.place(link.run, role, _candidate(settings, rival), recipe, seed)
