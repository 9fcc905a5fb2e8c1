"""Whole searches by policy `sound`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from linking import create, story, train, trials_of
from searching import MACRO, NAME, bars, options, prepare, searched, url
from walking import EGNAS, macro, micro

from optuna_egnas import LinkedStudies, search
from optuna_egnas._search.identity import final_recipe, stored_recipe
from optuna_egnas._search.plan import spaces_of
from optuna_egnas._search.study_file import read_study_file
from optuna_egnas.errors import SearchError
from optuna_egnas.evaluation.data.labelled import load_training
from optuna_egnas.options import Recipe, SearchOptions
from optuna_egnas.replay import read_trace, replay, write_trace

IGNORED = EGNAS.ignored("sound")

SOUND = {**MACRO, "max_depth": 4, "policy": "sound"}


def walked(studies: LinkedStudies) -> list[tuple[str, object, str]]:
    walks = [studies.walk("macro"), studies.walk("micro")]
    return [
        (step.proposal.phase, step.proposal.candidate, step.verdict.value)
        for walk in walks
        if walk
        for step in walk.steps
    ]


def test_the_micro_search_measures_the_macro_result_afresh_and_trains_nothing_twice(
    tmp_path: Path,
) -> None:
    studies = searched(tmp_path, macro=SOUND)

    result, found = studies.result(), studies.walk("macro")
    assert result.finished and found is not None
    micro = studies.walk("micro")
    assert micro is not None
    start = found.next.found  # type: ignore[union-attr]
    assert start is not None
    candidates = [step.proposal.candidate for step in micro.steps]
    assert candidates[0].architecture == start.architecture
    assert {candidate.epochs for candidate in candidates} == {start.epochs + 1}
    trained = [
        (trial.params["epochs"], str(sorted(trial.params.items())))
        for trial in trials_of(studies)
        if trial.user_attrs.get("epochs_trained")
    ]
    assert len(set(trained)) == len(trained) == len(trials_of(studies))


def test_a_cut_off_search_goes_on_as_an_unbroken_one(tmp_path: Path) -> None:
    class Cut(Exception):
        pass

    def cut(progress: object) -> None:
        seen.append(progress)
        if len(seen) == 5:
            raise Cut

    seen: list[object] = []
    (tmp_path / "cut").mkdir()
    (tmp_path / "whole").mkdir()
    with pytest.raises(Cut):
        searched(tmp_path / "cut", macro=SOUND, watch=cut)

    resumed = searched(tmp_path / "cut", macro=SOUND)

    assert walked(resumed) == walked(searched(tmp_path / "whole", macro=SOUND))


def test_a_search_cannot_change_its_policy(tmp_path: Path) -> None:
    searched(tmp_path)

    with pytest.raises(SearchError, match="policy is 'paper' there, but got 'sound'"):
        search(
            bars(),
            storage=url(tmp_path),
            name="bars",
            options=options(tmp_path, macro={**MACRO, "policy": "sound"}),
        )


@pytest.mark.parametrize("policy", ["paper", "sound"])
def test_a_stored_search_keeps_its_policy_where_none_is_named(tmp_path: Path, policy: str) -> None:
    whole = searched(tmp_path, macro={**MACRO, "policy": policy})
    sizes = {name: value for name, value in MACRO.items() if name != "policy"}
    unnamed = options(tmp_path, macro=sizes)

    again = prepare(bars(), storage=url(tmp_path), name=NAME, options=unnamed)
    by_its_study = prepare(bars(), storage=url(tmp_path), name=f"{NAME}/macro", options=unnamed)

    assert again.studies.link == by_its_study.studies.link == whole.link
    assert again.studies.result().finished
    assert again.resumed == len(trials_of(whole))


def test_fields_for_which_a_policy_has_no_use_are_named() -> None:
    given = SearchOptions(macro={"depth_gain": 0.1, "level": 0.1}, micro={"epochs": 1})

    assert given.ignored("sound") == ["macro depth_gain", "micro epochs"]
    assert given.ignored("paper") == ["macro level"]
    assert not SearchOptions(macro={"base_epochs": 1}).ignored("sound")


@pytest.mark.parametrize("name", [*IGNORED["macro"], *IGNORED["micro"]])
def test_a_field_without_a_use_changes_no_walk(name: str) -> None:
    def walk(**values: Any) -> list[object]:
        of_macro = name in IGNORED["macro"]
        studies = create(
            macro=macro(max_depth=9, policy="sound", **(values if of_macro else {})),
            micro=micro(policy="sound", **({} if of_macro else values)),
        )
        return story(train(train(studies, "macro"), "micro"))

    assert walk(**{name: 1}) == walk()


@pytest.mark.parametrize(
    ("recipe", "searching", "at_last"),
    [
        ({}, (0.01, 0.3, 16, 0), (0.01, 0.3, 16, 2)),
        ({"learning_rate": 0.05}, (0.05, 0.3, 16, 0), (0.05, 0.3, 16, 2)),
        (
            {"warmup": 0.0, "batch_size": 8, "crop_padding": 1},
            (0.01, 0.0, 8, 1),
            (0.01, 0.0, 8, 1),
        ),
    ],
)
def test_candidates_and_what_is_found_are_trained_as_suits_the_images(
    tmp_path: Path,
    recipe: dict[str, float],
    searching: tuple[float, ...],
    at_last: tuple[float, ...],
) -> None:
    images = torch.arange(40, dtype=torch.uint8).reshape(40, 1, 1, 1).repeat(1, 1, 28, 28)
    setup = prepare(
        (images, torch.arange(40) % 2),
        storage=None,
        name="dark",
        options=options(tmp_path, macro=SOUND, recipe=recipe),
    )
    link = setup.studies.link

    assert _of(setup.objective.recipe) == _of(stored_recipe(link)) == searching
    assert _of(final_recipe(link)) == at_last


def test_a_stored_search_keeps_its_recipes_and_its_spaces(tmp_path: Path) -> None:
    """What the defaults are now does not matter to a search that was begun with others."""

    def unnamed(**values: Any) -> SearchOptions:
        return options(tmp_path, **{"macro": {}, "micro": {}, "recipe": {}, **values})

    before = {"optimizer": "sgd", "learning_rate": 0.1, "batch_size": 32, "label_smoothing": 0.0}
    chosen = {**SOUND, "base_epochs": 1}
    whole = searched(tmp_path, macro=chosen, micro={"finalists": 0}, recipe=before)

    again = prepare(bars(), storage=url(tmp_path), name=NAME, options=unnamed())

    assert again.studies.link == whole.link
    assert again.objective.recipe == stored_recipe(whole.link)
    assert again.resumed == len(trials_of(whole))
    with pytest.raises(SearchError, match=r"learning_rate is 0\.1 there, but got 0\.2"):
        other = unnamed(recipe={"learning_rate": 0.2})
        prepare(bars(), storage=url(tmp_path), name=NAME, options=other)
    with pytest.raises(SearchError, match="base_epochs is 1 there, but got 2"):
        other = unnamed(macro={"base_epochs": 2})
        prepare(bars(), storage=url(tmp_path), name=NAME, options=other)


@pytest.mark.parametrize(("n_train", "epochs"), [(16, 30), (320, 15), (1_150, 5), (48_000, 3)])
def test_few_images_are_trained_on_for_more_epochs(n_train: int, epochs: int) -> None:
    content = load_training("digits")
    given = SearchOptions(macro={"policy": "sound"}, profile="quick")

    macro, _ = spaces_of(content, (n_train, 288), given).values()

    assert macro.base_epochs == epochs
    chosen = SearchOptions(macro={"policy": "sound", "base_epochs": 2}, profile="quick")
    assert spaces_of(content, (n_train, 288), chosen)["macro"].base_epochs == 2


def test_the_published_rules_train_all_alike(tmp_path: Path) -> None:
    link = prepare(bars(), storage=None, name="bars", options=options(tmp_path)).studies.link

    assert final_recipe(link) == stored_recipe(link)
    assert not any(key.startswith("final") for key in link.dataset)


def _of(recipe: Recipe) -> tuple[float, ...]:
    return recipe.learning_rate, recipe.warmup, recipe.batch_size, recipe.crop_padding


def test_a_written_walk_replays_by_its_own_rules(tmp_path: Path) -> None:
    file = tmp_path / "walk.json"
    file.write_text(json.dumps(write_trace(searched(tmp_path, macro=SOUND))))

    trace = read_trace(file)

    assert (trace.macro.policy, trace.micro.policy) == ("sound", "sound")
    assert replay(trace).match


def test_a_study_file_chooses_a_policy(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text('dataset = "digits"\n[macro]\npolicy = "sound"\nlevel = 0.1\n')

    content = load_training("digits")
    macro, micro = spaces_of(content, (1149, 288), read_study_file(file).options).values()

    assert (macro.policy, macro.level) == (micro.policy, micro.level) == ("sound", 0.1)
