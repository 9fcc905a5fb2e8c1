"""Each network of a search has names: of the study that it is the best of, of its trials."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from linking import MACRO, create, train
from optuna.trial import create_trial
from perceptrons import PERCEPTRONS, Perceptron
from walking import micro

from optuna_egnas import Architecture, LinkedStudies, create_linked_studies
from optuna_egnas._search.named import named_network, wanted_network
from optuna_egnas._search.scored import Scored, scored_networks, smallest_within
from optuna_egnas._storage.reader import suggest
from optuna_egnas.errors import InvalidSpace, SearchError
from optuna_egnas.methods import Done


@pytest.fixture(scope="module")
def ended() -> LinkedStudies:
    """A search that has ended, with invented scores."""
    return train(train(create(), "macro"), "micro")


def scored(**values: Any) -> Scored:
    base = Scored(
        name="trial:macro/0",
        words="",
        architecture=Perceptron(units=1),
        score=0.9,
        standard_error=0.01,
        epochs=1,
        trainings=1,
        params=100,
        macs=1000,
    )
    return replace(base, **values)


def found_by(studies: LinkedStudies, role: str) -> Any:
    walk = studies.walk(role)
    assert walk is not None and isinstance(walk.next, Done) and walk.next.found is not None
    return walk.next.found.architecture


def test_a_role_names_what_its_study_has_found(ended: LinkedStudies) -> None:
    assert named_network(ended, "macro") == found_by(ended, "macro")
    assert named_network(ended, "micro") == found_by(ended, "micro")
    assert wanted_network(ended, None) == named_network(ended, "micro")
    assert named_network(ended, "macro") != named_network(ended, "micro")


def test_before_the_end_it_names_the_best_so_far() -> None:
    studies = train(create(), "macro", most=2)

    assert named_network(studies, "macro") == wanted_network(studies, None)
    with pytest.raises(SearchError, match=r"must be one of macro, largest.*got network='micro'"):
        named_network(studies, "micro")
    with pytest.raises(SearchError, match="'s' must have found a network, but has none yet"):
        wanted_network(create(), None)


def test_a_role_names_its_best_before_finalists_were_compared() -> None:
    """Also where another finalist wins, as the largest does here."""
    space = micro(policy="sound", finalists=2, largest=(6, 8))
    studies = create(macro=replace(MACRO, policy="sound", base_epochs=20), micro=space)
    study, largest = train(studies, "macro").micro, Architecture.chain(depth=6, width=8)
    reader = studies.reader("micro")
    assert reader is not None
    while not isinstance(studies.frontier("micro"), Done):
        trial = study.ask()
        network = suggest(trial, reader.space).architecture
        study.tell(trial, 0.95 if network == largest else 0.5)

    assert studies.result().architecture == largest
    assert named_network(studies, "micro") == named_network(studies, "macro") != largest


def test_the_largest_is_an_answer_of_the_method(ended: LinkedStudies) -> None:
    largest = named_network(ended, "largest")

    assert isinstance(largest, Architecture)
    assert (largest.depth, largest.width) == (MACRO.max_depth, MACRO.max_width)
    assert MACRO.fits(largest)


def test_a_method_that_does_not_know_its_largest_lists_what_it_knows() -> None:
    studies = create_linked_studies(storage=None, name="mine", method=PERCEPTRONS.name)
    trial = studies.population.ask()
    units = trial.suggest_int("units", 1, 64)
    studies.population.tell(trial, 0.5)

    assert named_network(studies, "trial:population/0") == Perceptron(units)
    with pytest.raises(
        SearchError, match=r"population.*within:POINTS.*got network='largest'"
    ) as no:
        named_network(studies, "largest")
    assert "largest," not in str(no.value)


def test_a_trial_names_what_it_trained(ended: LinkedStudies) -> None:
    reader = ended.reader("macro")
    assert reader is not None
    for trial in ended.macro.trials:
        candidate = reader.candidate(trial)
        assert candidate is not None
        assert named_network(ended, f"trial:macro/{trial.number}") == candidate.architecture


@pytest.mark.parametrize(
    ("name", "saying"),
    [
        ("best", r"must be one of macro, micro, largest, within:POINTS, trial:macro/N \(N below"),
        ("", "but got network=''"),
        ("Macro", "but got network='Macro'"),
        ("trial:macro/99", "`N` of macro/N must be less than .*, but got macro/99"),
        ("trial:macro", "A trial must be named macro/N or micro/N, but got 'macro'"),
        ("trial:other/0", "A trial must be named macro/N or micro/N, but got 'other/0'"),
        ("within:many", "but got network='within:many'"),
        ("within:-1", r"`within` must be at least 0, but got within=-1\.0"),
        ("within:nan", "`within` must be a"),
        ("within:101", r"`within` must be at most 100, but got within=101\.0"),
    ],
)
def test_a_name_that_does_not_exist_is_one_line(
    ended: LinkedStudies, name: str, saying: str
) -> None:
    with pytest.raises((SearchError, InvalidSpace), match=saying) as refusal:
        named_network(ended, name)

    assert "\n" not in str(refusal.value)


def test_of_no_text_it_says_so(ended: LinkedStudies) -> None:
    with pytest.raises(InvalidSpace, match=r"`network` must be .*, but got network=3"):
        named_network(ended, 3)  # type: ignore[arg-type]


def test_a_network_is_scored_by_the_mean_of_its_longest_trainings() -> None:
    """Not by the best of all."""
    studies = train(train(create(), "macro"), "micro", most=1)
    first, study = scored_networks(studies), studies.macro
    (trained,) = [trial for trial in study.trials if trial.number == 0]
    for change, epochs in ((0.02, 0), (0.05, -1)):
        again = {**trained.params, "epochs": trained.params["epochs"] + epochs}
        distributions = trained.distributions
        value = (trained.value or 0) + change
        study.add_trial(create_trial(params=again, distributions=distributions, value=value))

    network = named_network(studies, "trial:macro/0")
    (before,) = [each for each in first if each.architecture == network]
    (after,) = [each for each in scored_networks(studies) if each.architecture == network]

    assert (before.trainings, after.trainings) == (1, 2)
    assert after.score == pytest.approx(before.score + 0.01)
    assert after.epochs == before.epochs == trained.params["epochs"]
    assert after.standard_error == pytest.approx((after.score * (1 - after.score) / 1000) ** 0.5)


def test_within_picks_the_smallest_that_is_near() -> None:
    networks = (
        scored(name="best", score=0.95, params=900),
        scored(name="near", score=0.945, params=500),
        scored(name="far", score=0.9449, params=100),
        scored(name="equal, more to calculate", score=0.945, params=500, macs=2000),
        scored(name="near, less accurate", score=0.9451, params=501),
    )

    assert smallest_within(networks, 0.5).name == "near", "exactly half a point is within"
    assert smallest_within(networks, 0).name == "best"
    assert smallest_within(networks, 1).name == "far"
    assert smallest_within(networks[::-1], 0.5).name == "near"
    better = scored(name="equal, more accurate", score=0.946, params=500, macs=3000)
    assert smallest_within((*networks, better), 0.5).name == "equal, more accurate"
    with pytest.raises(SearchError, match="must be trained to the end first, but none is yet"):
        smallest_within((), 0.5)


def test_within_names_a_network_of_a_search(ended: LinkedStudies) -> None:
    networks = scored_networks(ended)
    best = max(each.score for each in networks)

    for points in (0, 0.5, 2, 100):
        found = named_network(ended, f"within:{points}")
        (of_it,) = [each for each in networks if each.architecture == found]
        assert best - of_it.score <= points / 100 + 1e-9
        near = [each.params for each in networks if best - each.score <= points / 100 + 1e-9]
        assert of_it.params == min(near)
    assert named_network(ended, "within:100") != named_network(ended, "within:0")
