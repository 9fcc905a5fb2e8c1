"""The hand-over from the macro to the micro search, and what is said where it cannot be."""

from __future__ import annotations

import optuna
import pytest
from linking import MACRO, both, contents, create, score, story, suggest, train
from optuna.storages import InMemoryStorage
from optuna.trial import Trial, TrialState

from optuna_egnas import LinkedStudies, MacroSampler
from optuna_egnas._search.forecast.estimate import seconds_left
from optuna_egnas._storage.link import START
from optuna_egnas.errors import SearchError
from optuna_egnas.methods import Done


@pytest.fixture(scope="module")
def unbroken() -> LinkedStudies:
    return train(train(create(), "macro"), "micro")


def test_asking_the_micro_study_too_early_is_an_error_that_says_so() -> None:
    studies = train(create(), "macro", most=2)

    trial = studies.micro.ask()
    with pytest.raises(SearchError, match=r"starts when its macro search has ended.* 2 steps"):
        trial.suggest_int("depth", 1, 9)

    assert [each.state for each in studies.micro.trials] == [TrialState.FAIL]
    assert START not in studies.micro.user_attrs


def test_optimising_the_micro_study_too_early_is_an_error_that_says_so() -> None:
    studies = train(create(), "macro", most=2)

    with pytest.raises(SearchError, match="starts when its macro search has ended"):
        studies.micro.optimize(lambda trial: float(trial.suggest_int("depth", 1, 9)))

    assert {trial.state for trial in studies.micro.trials} == {TrialState.FAIL}
    assert START not in studies.micro.user_attrs
    assert story(train(train(studies, "macro"), "micro"))[-1], "and later it works"


def test_looking_at_an_ended_macro_search_starts_nothing() -> None:
    storage = InMemoryStorage()
    studies = train(create(storage), "macro")
    before = contents(storage)

    assert studies.result().architecture is not None
    assert studies.walk("micro") is not None
    assert seconds_left(studies) is None
    assert contents(storage) == before


def test_the_micro_search_starts_from_what_the_macro_search_has_found() -> None:
    studies = train(create(), "macro")
    walk = studies.walk("macro")
    assert walk is not None and isinstance(walk.next, Done) and walk.next.found is not None
    found = walk.next.found
    assert (found.architecture.depth, found.architecture.width) == (4, 6)

    trial = studies.micro.ask()
    assert trial.suggest_int("depth", 1, 9) == 4
    assert trial.suggest_int("width", 1, 9) == 6
    assert trial.suggest_categorical("op_00", ("sep", "conv")) == "sep"
    assert studies.micro.user_attrs[START] == {
        "depth": 4,
        "width": 6,
        "confirm_epochs": found.epochs,
    }


def test_both_studies_can_be_optimised_to_their_ends(unbroken: LinkedStudies) -> None:
    studies = create()

    def objective(trial: Trial) -> float:
        role: str = "macro" if trial.study.study_name.endswith("macro") else "micro"
        reader = studies.reader(role)
        assert reader is not None
        return score(suggest(trial, reader.space))

    for study in both(studies):
        study.optimize(objective, n_trials=100)

    assert story(studies) == story(unbroken)
    assert studies.result() == unbroken.result()
    assert unbroken.result().finished


def test_a_macro_search_that_found_nothing_says_why() -> None:
    studies = create()
    while not isinstance(studies.frontier("macro"), Done):
        trial = studies.macro.ask()
        suggest(trial, MACRO)
        trial.set_user_attr("error", "the network exploded")
        trial.set_user_attr("error_is_final", True)
        studies.macro.tell(trial, state=TrialState.FAIL)

    with pytest.raises(SearchError, match=r"found nothing to start from.*the network exploded"):
        studies.frontier("micro")
    assert studies.result().architecture is None


def test_a_micro_study_without_its_partner_says_so() -> None:
    storage = InMemoryStorage()
    studies = create(storage)
    optuna.delete_study(study_name="s/macro", storage=storage)

    with pytest.raises(SearchError, match="of macro, micro, but has none for macro"):
        studies.micro.ask().suggest_int("depth", 1, 9)


def test_a_study_needs_the_sampler_of_its_role() -> None:
    studies = create()
    studies.micro.sampler = MacroSampler()

    with pytest.raises(SearchError, match="micro study of 's' needs a micro sampler"):
        studies.micro.ask().suggest_int("depth", 1, 9)
