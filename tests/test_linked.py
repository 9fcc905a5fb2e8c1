"""The two linked studies: created, opened, renamed, handed over, and refused."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import optuna
import pytest
from optuna.distributions import IntDistribution
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState
from walking import macro, micro

from optuna_egnas import (
    LinkedStudies,
    MacroSampler,
    MacroSpace,
    MicroSpace,
    create_linked_studies,
    load_linked_studies,
)
from optuna_egnas._core.encoding import Names
from optuna_egnas._core.history import Candidate
from optuna_egnas._core.walk import Done
from optuna_egnas._forecast import seconds_left
from optuna_egnas._link import START, Role, find_search
from optuna_egnas._translate import suggest
from optuna_egnas.errors import InvalidSpace, SearchError

MACRO = macro(max_depth=6)
MICRO = micro(confirm_epochs=None)
ROLES: tuple[Role, Role] = ("macro", "micro")


def score(candidate: Candidate) -> float:
    """Invented right answers of 1,000: best at depth 4 and width 6, better with each conv."""
    architecture = candidate.architecture
    answers = 900 - 9 * abs(architecture.depth - 4) + 4 * architecture.ops.count("conv")
    return (answers - 2 * abs(architecture.width - 6) - architecture.kernels.count(5)) / 1000


def create(storage: BaseStorage | str | None = None, **changes: Any) -> LinkedStudies:
    values: dict[str, Any] = {"name": "s", "macro": MACRO, "micro": MICRO, "seed": 7}
    values |= {"storage": storage, "dataset": {"dataset": "bars", "classes": [1, 2]}}
    return create_linked_studies(**{**values, **changes})


def train(studies: LinkedStudies, role: Role, most: int = 100) -> LinkedStudies:
    """Ask, train and tell, so many times or to the end of the walk."""
    study = studies.study(role)
    for _ in range(most):
        if isinstance(studies.frontier(role), Done):
            break
        trial = study.ask()
        reader = studies.reader(role)
        assert reader is not None
        study.tell(trial, score(suggest(trial, reader.space, Names())))
    return studies


def story(studies: LinkedStudies) -> list[object]:
    """Every candidate and score of both walks."""
    walks = [studies.walk(role) for role in ROLES]
    return [(s.proposal, s.outcome) for walk in walks if walk is not None for s in walk.steps]


def contents(storage: BaseStorage) -> object:
    """All that a storage holds."""
    return [
        (study.study_name, study.directions, study.user_attrs, study.system_attrs, trials)
        for study in storage.get_all_studies()
        for trials in [
            [(t.number, t.state, t.params, t.user_attrs) for t in trials_in(storage, study)]
        ]
    ]


def trials_in(storage: BaseStorage, study: Any) -> list[FrozenTrial]:
    return storage.get_all_trials(study._study_id)


def rename(storage: BaseStorage, old: str, new: str) -> None:
    """What optuna-dashboard does: a new study with the trials and user attributes, no old one."""
    source = optuna.load_study(study_name=old, storage=storage)
    target = optuna.create_study(study_name=new, storage=storage, directions=source.directions)
    target.add_trials(source.get_trials(deepcopy=False))
    for key, value in source.user_attrs.items():
        target.set_user_attr(key, value)
    optuna.delete_study(study_name=old, storage=storage)


@pytest.fixture(scope="module")
def unbroken() -> LinkedStudies:
    return train(train(create(), "macro"), "micro")


# Created and opened


def test_both_studies_say_whose_they_are() -> None:
    studies = create()

    records = [study.user_attrs["egnas:search"] for study in (studies.macro, studies.micro)]
    assert [study.study_name for study in (studies.macro, studies.micro)] == ["s/macro", "s/micro"]
    assert [record["role"] for record in records] == ["macro", "micro"]
    assert records[0]["run"] == records[1]["run"]
    for record in records:
        assert record["name"] == "s"
        assert record["seed"] == 7
        assert record["dataset"] == {"dataset": "bars", "classes": [1, 2]}
        assert {"optuna", "optuna-egnas", "torch"} <= set(record["versions"])
    assert MacroSpace.from_json(records[0]["space"]) == MACRO
    assert MicroSpace.from_json(records[1]["space"]).confirm_epochs is None


def test_a_name_is_enough() -> None:
    studies = create_linked_studies(storage=None, name="s")

    assert studies.link.space == MacroSpace()
    assert studies.macro.ask().suggest_int("depth", 1, 100) == 10


def test_opening_again_gives_the_same_studies_and_writes_nothing() -> None:
    storage = InMemoryStorage()
    train(create(storage), "macro", most=2)
    before = contents(storage)

    again, loaded = create(storage), load_linked_studies(storage=storage, name="s")

    assert contents(storage) == before
    assert story(again) == story(loaded)
    assert len(again.macro.trials) == 2


DIFFERENT: dict[str, tuple[dict[str, Any], str]] = {
    "seed": ({"seed": 8}, "seed is 7 there, but got 8"),
    "dataset": (
        {"dataset": {"dataset": "dots", "classes": [1, 2]}},
        "dataset is 'bars' there, but got 'dots'",
    ),
    "a list of the dataset": (
        {"dataset": {"dataset": "bars", "classes": [1, 2, 3]}},
        r"classes is \[1, 2\] there, but got \[1, 2, 3\]",
    ),
    "less is known": (
        {"dataset": {"dataset": "bars"}},
        r"classes is \[1, 2\] there, but got None",
    ),
    "more is known": (
        {"dataset": {"dataset": "bars", "classes": [1, 2], "size": 8}},
        "size is None there, but got 8",
    ),
    "macro space": ({"macro": macro(max_depth=7)}, "macro max_depth is 6 there, but got 7"),
    "micro space": (
        {"micro": micro(confirm_epochs=None, epochs=9)},
        "micro epochs is 2 there, but got 9",
    ),
    "operations": (
        {"micro": micro(confirm_epochs=None, kernels=(3, 5, 7))},
        r"micro kernels is \(3, 5\) there, but got \(3, 5, 7\)",
    ),
    "limits": (
        {
            "macro": macro(max_depth=6, max_params=9999),
            "micro": micro(confirm_epochs=None, max_params=9999),
        },
        "macro max_params is None there, but got 9999",
    ),
}


@pytest.mark.parametrize("difference", DIFFERENT)
def test_opening_as_something_else_says_what_differs_and_changes_nothing(difference: str) -> None:
    changes, words = DIFFERENT[difference]
    storage = InMemoryStorage()
    train(create(storage), "macro", most=2)
    before = contents(storage)

    with pytest.raises(SearchError, match=f"The search 's' exists and is another one: {words}"):
        create(storage, **changes)

    assert contents(storage) == before


def test_two_spaces_with_different_tasks_are_refused() -> None:
    storage = InMemoryStorage()

    with pytest.raises(InvalidSpace, match="`classes` must be the same in both spaces"):
        create(storage, micro=micro(classes=9))

    assert contents(storage) == []


@pytest.mark.parametrize("name", ["", "  ", 501 * "x"])
def test_a_name_must_be_one(name: str) -> None:
    storage = InMemoryStorage()

    with pytest.raises(SearchError, match="a name of 1 to 500 characters"):
        create(storage, name=name)

    assert contents(storage) == []


@pytest.mark.parametrize("dataset", [{"x": object()}, {1: "x"}, {"x": float("nan")}])
def test_a_dataset_must_be_plain(dataset: dict[Any, Any]) -> None:
    storage = InMemoryStorage()

    with pytest.raises(SearchError, match="`dataset` must hold plain values only"):
        create(storage, dataset=dataset)

    assert contents(storage) == []


def with_trial(study: Study) -> None:
    study.add_trial(
        optuna.create_trial(params={"x": 1}, distributions={"x": IntDistribution(0, 1)}, value=1.0)
    )


FOREIGN: dict[str, tuple[str, Callable[[Study], None]]] = {
    "has a trial": ("maximize", with_trial),
    "has an attribute": ("maximize", lambda study: study.set_user_attr("owner", "me")),
    "minimises": ("minimize", lambda _: None),
}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("story_of", FOREIGN)
def test_a_study_of_somebody_else_keeps_its_name_and_content(role: Role, story_of: str) -> None:
    storage = InMemoryStorage()
    direction, change = FOREIGN[story_of]
    change(optuna.create_study(storage=storage, study_name=f"s/{role}", direction=direction))
    before = contents(storage)

    with pytest.raises(SearchError, match=f"'s/{role}' that is no search .* choose another name"):
        create(storage)

    assert contents(storage) == before, "not even the other study is made"


def test_a_name_that_a_renamed_study_of_another_search_holds_is_refused() -> None:
    storage = InMemoryStorage()
    create(storage)
    create(storage, name="other")
    optuna.delete_study(study_name="s/micro", storage=storage)
    rename(storage, "other/micro", "s/micro")

    with pytest.raises(SearchError, match="'s/micro' belongs to the search 'other'"):
        create(storage)


def test_what_a_crash_has_left_half_made_is_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("optuna_egnas._linked.PATIENCE", 0.0)
    storage = InMemoryStorage()
    optuna.create_study(storage=storage, study_name="s/macro", direction="maximize")

    studies = create(storage)

    assert studies.link.name == "s"
    assert load_linked_studies(storage=storage, name="s").micro.study_name == "s/micro"


def test_a_deleted_micro_study_is_made_anew(unbroken: LinkedStudies) -> None:
    storage = InMemoryStorage()
    studies = train(train(create(storage), "macro"), "micro", most=3)
    run = studies.link.run
    optuna.delete_study(study_name="s/micro", storage=storage)
    with pytest.raises(SearchError, match="no search named 's'"):
        load_linked_studies(storage=storage, name="s")

    again = create(storage)

    assert again.link.run == run
    assert story(train(again, "micro")) == story(unbroken)


def test_workers_that_start_together_make_one_search(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('together')}/egnas.db"
    together, runs, lock = threading.Barrier(3), [], threading.Lock()

    def start() -> None:
        together.wait()
        studies = create(url)
        with lock:
            runs.extend(study.user_attrs["egnas:search"]["run"] for study in both(studies))

    workers = [threading.Thread(target=start) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert len(runs) == 6, "nobody has failed"
    assert len(set(runs)) == 1


def test_a_search_that_appears_while_it_is_being_made_is_joined(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    storage = InMemoryStorage()
    run = create(storage).link.run
    before: object = contents(storage)
    looks: list[dict[Role, Any]] = [{}]
    monkeypatch.setattr(
        "optuna_egnas._linked.find_search",
        lambda *arguments: looks.pop() if looks else find_search(*arguments),
    )

    assert create(storage).link.run == run
    assert contents(storage) == before

    looks.append({})
    with pytest.raises(SearchError, match="seed is 7 there, but got 8"):
        create(storage, seed=8)
    assert contents(storage) == before


def both(studies: LinkedStudies) -> tuple[Study, Study]:
    return studies.macro, studies.micro


# Loaded by name


def test_a_missing_search_is_answered_with_those_that_there_are() -> None:
    storage = InMemoryStorage()
    with pytest.raises(SearchError, match="no search named 's': the storage holds none"):
        load_linked_studies(storage=storage, name="s")

    create(storage, name="one")
    create(storage, name="two")
    with pytest.raises(SearchError, match="no search named 's': there are one, two"):
        load_linked_studies(storage=storage, name="s")


def test_a_record_of_another_version_hides_no_other_search() -> None:
    storage = InMemoryStorage()
    create(storage)
    newer = optuna.create_study(storage=storage, study_name="t/macro", direction="maximize")
    newer.set_user_attr("egnas:search", {"role": "macro", "space": {"version": 2}})

    assert load_linked_studies(storage=storage, name="s").name == "s"
    with pytest.raises(SearchError, match="'t/macro' that is no search of this version"):
        create(storage, name="t")


@pytest.mark.parametrize("renamed", [("macro",), ("micro",), ("macro", "micro")])
@pytest.mark.parametrize(
    ("macro_trials", "micro_trials"),
    [(3, 0), (100, 0), (100, 3), (100, 100)],
    ids=["in the macro search", "at the hand-over", "in the micro search", "at the end"],
)
def test_a_search_survives_a_rename_in_the_dashboard(
    unbroken: LinkedStudies, renamed: tuple[Role, ...], macro_trials: int, micro_trials: int
) -> None:
    storage = InMemoryStorage()
    train(train(create(storage), "macro", macro_trials), "micro", micro_trials)
    names = {role: f"better/{role}" if role in renamed else f"s/{role}" for role in ROLES}
    for role in renamed:
        rename(storage, f"s/{role}", names[role])
    before = contents(storage)

    for name in ("s", "better"):
        found = load_linked_studies(storage=storage, name=name)
        assert found.result().studies == names
    again = create(storage)
    assert contents(storage) == before
    train(train(again, "macro"), "micro")

    assert story(again) == story(unbroken)
    assert again.result().architecture == unbroken.result().architecture
    assert len(again.micro.trials) == len(unbroken.micro.trials), "nothing is trained twice"


def test_a_copy_is_not_mistaken_for_the_search() -> None:
    storage = InMemoryStorage()
    studies = train(train(create(storage), "macro"), "micro", most=2)
    for role in ROLES:
        optuna.copy_study(
            from_study_name=f"s/{role}",
            from_storage=storage,
            to_storage=storage,
            to_study_name=f"backup/{role}",
        )

    again = create(storage)
    assert [study.study_name for study in both(again)] == ["s/macro", "s/micro"]
    train(again, "micro")
    assert len(again.micro.trials) > len(studies.study("macro").trials)
    kept = optuna.load_study(study_name="backup/micro", storage=storage)
    assert len(kept.trials) == 2

    rename(storage, "s/micro", "elsewhere")
    with pytest.raises(SearchError, match="has copies: 'backup/micro', 'elsewhere'"):
        load_linked_studies(storage=storage, name="s")


# The hand-over


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
        role: Role = "macro" if trial.study.study_name.endswith("macro") else "micro"
        reader = studies.reader(role)
        assert reader is not None
        return score(suggest(trial, reader.space, Names()))

    for study in both(studies):
        study.optimize(objective, n_trials=100)

    assert story(studies) == story(unbroken)
    assert studies.result() == unbroken.result()
    assert unbroken.result().finished


def test_a_macro_search_that_found_nothing_says_why() -> None:
    studies = create()
    while not isinstance(studies.frontier("macro"), Done):
        trial = studies.macro.ask()
        suggest(trial, MACRO, Names())
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

    with pytest.raises(SearchError, match="only its micro study is left"):
        studies.micro.ask().suggest_int("depth", 1, 9)


def test_a_study_needs_the_sampler_of_its_role() -> None:
    studies = create()
    studies.micro.sampler = MacroSampler()

    with pytest.raises(SearchError, match="micro study of 's' needs a micro sampler"):
        studies.micro.ask().suggest_int("depth", 1, 9)
