"""Whole searches by policy `sound`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from linking import create, story, train
from searching import MACRO, NAME, bars, options, searched, url
from walking import macro, micro

from optuna_egnas import LinkedStudies, search
from optuna_egnas._linked import trials_of
from optuna_egnas._search import prepare
from optuna_egnas._stored import final_recipe, stored_recipe
from optuna_egnas._study_file import read_study_file
from optuna_egnas._trace import read_trace, write_trace
from optuna_egnas.errors import SearchError
from optuna_egnas.evaluation._data import load_training
from optuna_egnas.evaluation._training import Recipe
from optuna_egnas.options import IDLE, SearchOptions, idle_options, spaces
from optuna_egnas.replay import replay

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
    unnamed = options(tmp_path)

    again = prepare(bars(), storage=url(tmp_path), name=NAME, options=unnamed)
    by_its_study = prepare(bars(), storage=url(tmp_path), name=f"{NAME}/macro", options=unnamed)

    assert again.studies.link == by_its_study.studies.link == whole.link
    assert again.studies.result().finished
    assert again.resumed == len(trials_of(whole))


def test_fields_for_which_a_policy_has_no_use_are_named() -> None:
    given = SearchOptions(macro={"depth_gain": 0.1, "level": 0.1}, micro={"epochs": 1})

    assert idle_options(given, "sound") == ["macro depth_gain", "micro epochs"]
    assert idle_options(given, "paper") == ["macro level"]
    assert not idle_options(SearchOptions(macro={"base_epochs": 1}), "sound")


@pytest.mark.parametrize("name", [*IDLE["sound"]["macro"], *IDLE["sound"]["micro"]])
def test_a_field_without_a_use_changes_no_walk(name: str) -> None:
    def walk(**values: Any) -> list[object]:
        of_macro = name in IDLE["sound"]["macro"]
        studies = create(
            macro=macro(max_depth=9, policy="sound", **(values if of_macro else {})),
            micro=micro(policy="sound", **({} if of_macro else values)),
        )
        return story(train(train(studies, "macro"), "micro"))

    assert walk(**{name: 1}) == walk()


@pytest.mark.parametrize(
    ("recipe", "searching", "at_last"),
    [
        ({}, (0.1, 0.3, 32, 0), (0.025, 0.0, 64, 4)),
        ({"learning_rate": 0.05}, (0.05, 0.3, 32, 0), (0.05, 0.0, 64, 4)),
        (
            {"warmup": 0.0, "batch_size": 16, "crop_padding": 1},
            (0.1, 0.0, 16, 1),
            (0.025, 0.0, 16, 1),
        ),
    ],
)
def test_candidates_are_trained_for_few_epochs_and_what_is_found_as_published(
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
    macro, micro = spaces(content, 288, read_study_file(file).options)

    assert (macro.policy, macro.level) == (micro.policy, micro.level) == ("sound", 0.1)
