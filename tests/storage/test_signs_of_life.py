"""Which trials in flight still have a worker, and what becomes of the others."""

from __future__ import annotations

import sqlite3
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState
from searching import MACRO_OF_ONE, NAME, bars, options, prepare, run, searched
from walking import macro, micro

from optuna_egnas import create_linked_studies
from optuna_egnas._core.history import Lost, Observation
from optuna_egnas._storage import liveness as _alive
from optuna_egnas._storage.claims import OWNER, SIGN, fail_dead, is_alive, write_claim
from optuna_egnas.evaluation import account as _account
from optuna_egnas.methods import History
from optuna_egnas.samplers._method import MethodSampler


class TestSignsOfLife:
    """A trial of another machine, whose process cannot be seen from here."""

    def claimed(self, **changes: Any) -> tuple[optuna.Study, optuna.trial.FrozenTrial]:
        studies = create_linked_studies(
            storage=InMemoryStorage(), name="s", macro=macro(), micro=micro()
        )
        study = studies.macro
        assert isinstance(study.sampler, MethodSampler)
        study.sampler.patience = 900.0
        trial = study.ask()
        owner = {**_alive.owner(900.0), "machine": "elsewhere", **changes}
        study._storage.set_trial_system_attr(trial._trial_id, OWNER, owner)
        return study, study.trials[0]

    def ago(self, seconds: float) -> str:
        return (datetime.now(timezone.utc) - timedelta(seconds=seconds)).isoformat()

    @pytest.mark.parametrize(
        ("changes", "sign", "alive"),
        [
            ({}, None, True),
            ({"at": 1000.0}, None, False),
            ({"at": 1000.0, "patience": None}, None, True),
            ({"at": 1000.0}, {"at": 10.0, "patience": 900.0}, True),
            ({"at": 9000.0}, {"at": 1000.0, "patience": 900.0}, False),
            ({"at": 9000.0}, {"at": 1000.0, "patience": None}, True),
            ({"at": 9000.0}, {"at": 1000.0, "patience": 4 * 600.0}, True),
        ],
        ids=[
            "just begun",
            "silent since it began",
            "never promised signs",
            "was heard",
            "silent",
            "has a heartbeat instead",
            "has long epochs",
        ],
    )
    def test_silence(
        self, changes: dict[str, Any], sign: dict[str, Any] | None, alive: bool
    ) -> None:
        for record in (changes, sign or {}):
            if "at" in record:
                record["at"] = self.ago(record["at"])
        study, trial = self.claimed(**changes)
        if sign is not None:
            study._storage.set_trial_user_attr(trial._trial_id, SIGN, sign)

        assert is_alive(study.trials[0]) is alive

        fail_dead(study)
        assert (study.trials[0].state is TrialState.RUNNING) is alive
        proposed = study.sampler.frontier(study)  # type: ignore[attr-defined]
        assert (proposed[0].candidate.architecture.depth == 3) is not alive, "proposed again"

    @pytest.mark.parametrize(
        ("changes", "alive"),
        [
            ({}, True),
            ({"pid": 2**22 + 1}, False),
            ({"started": 1.0}, False),
            ({"boot": "before"}, True),
            ({"boot": "before", "at": 110.0}, True),
            ({"boot": "before", "at": 130.0}, False),
            ({"boot": "before", "at": 130.0, "patience": 900.0}, False),
            ({"at": 9000.0}, True),
            ({"boot": "before", "space": "pid:[1]"}, True),
            ({"space": "pid:[1]", "pid": 2**22 + 1}, True),
        ],
        ids=[
            "this one",
            "no such process",
            "its number was used again",
            "a copy of this machine, or this one before it was started again, a moment ago",
            "the same after less than two minutes",
            "the same after more",
            "the same where it has promised signs at longer intervals",
            "this one, without a sign for long: the process decides",
            "another container, which may live on another machine",
            "another container",
        ],
    )
    def test_on_this_machine(
        self, changes: dict[str, Any], alive: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if "at" in changes:
            changes = {**changes, "at": self.ago(changes["at"])}
        here = {**_alive._process(1), **_alive.owner(None), "space": _alive.FIRST_SPACE}
        monkeypatch.setattr(_alive, "_process", lambda pid: here)

        assert _alive.is_alive({**here, **changes}, None) is alive

    @pytest.mark.parametrize(("seconds", "alive"), [(5.0, True), (130.0, False)])
    def test_a_sign_counts_more_than_another_boot_id(
        self, seconds: float, alive: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        here = {**_alive.owner(None), "space": _alive.FIRST_SPACE}
        monkeypatch.setattr(_alive, "_process", lambda pid: here)
        there = {**here, "boot": "of a copy", "at": self.ago(9000.0)}

        # A storage with heartbeats has signs without patience.
        sign = {"at": self.ago(seconds), "patience": None}

        assert _alive.is_alive(there, sign) is alive

    def test_a_trial_that_said_nothing_is_ended_after_a_while(self) -> None:
        study, _ = self.claimed()
        study._storage.create_new_trial(study._study_id)
        silent = optuna.trial.create_trial(state=TrialState.RUNNING)
        silent.datetime_start = datetime.now() - timedelta(minutes=2)
        study._storage.create_new_trial(study._study_id, template_trial=silent)

        fail_dead(study)

        assert [trial.state.name for trial in study.trials] == ["RUNNING", "RUNNING", "FAIL"]

    def test_they_are_written_while_a_search_trains(self, folder: Path) -> None:
        setup = prepare(bars(), storage=InMemoryStorage(), name=NAME, options=options(folder))
        run(setup)

        signs = [trial.user_attrs["sign_of_life"] for trial in setup.studies.macro.trials]
        assert {sign["patience"] for sign in signs} == {900.0}

    def test_a_database_has_heartbeats_instead(self, folder: Path) -> None:
        studies = searched(folder, macro=MACRO_OF_ONE, micro={"epochs": 1})

        assert studies.macro.trials[0].user_attrs["sign_of_life"]["patience"] is None
        with sqlite3.connect(folder / "egnas.db") as database:
            (beats,) = database.execute("select count(*) from trial_heartbeats").fetchone()
        database.close()
        assert beats == len([*studies.macro.trials, *studies.micro.trials])


def test_signs_are_written_in_the_middle_of_a_long_epoch(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_account, "LONGEST_SILENCE", 0.05)
    study = optuna.create_study(storage=f"sqlite:///{folder}/long.db")
    trial = study.ask()
    written: list[str] = []
    monkeypatch.setattr(
        _account, "write_sign", lambda of, *_: (written.append("sign"), of.set_user_attr("s", 1))
    )

    with _account.Heartbeat(trial=trial, patience=900.0) as life:
        life.show()
        # The epoch: nothing is called until it has ended.
        deadline = time.monotonic() + 30
        while len(written) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    study.tell(trial, 1.0)

    assert study.trials[0].user_attrs["s"] == 1


def test_a_claim_says_whose_it_is_where_no_owner_was_written() -> None:
    study = create_linked_studies(
        storage=InMemoryStorage(), name="s", macro=macro(), micro=micro()
    ).macro
    study.ask()
    trial = study.trials[0]

    assert OWNER not in trial.system_attrs
    assert is_alive(trial)
    write_claim(study, trial, None)
    assert is_alive(study.trials[0])


def test_losses_count_only_where_the_worker_got_no_further() -> None:
    space = macro()
    candidate = space.begin().proposal.candidate

    def outcome(*starts: int) -> object:
        return History.of(
            Observation(number=number, candidate=candidate, event=Lost(start=start))
            for number, start in enumerate(starts)
        ).outcome(candidate)

    assert outcome(0, 4, 9, 9, 12) is None, "each time it got ahead"
    assert "lost 4 times" in str(outcome(0, 9, 9, 9))
