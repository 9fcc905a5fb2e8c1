"""Attributes of stored studies and trials, read only as what they must be.

Another version of this package, another program and a person can write any JSON value there.
What decides (claims, signs of life, links, limits) is checked when a search is opened and again
when a trial is read: a wrong value ends the command with a `SearchError` that names it. What is
only shown (seconds, phases) counts as not there where it is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from optuna.trial import TrialState

from .._core.history import Candidate
from .._core.rules import (
    UNREADABLE,
    Rule,
    all_of,
    count,
    details,
    fields,
    file_name,
    flag,
    list_of,
    moment,
    name,
    number,
    optional,
    plain_word,
    positive,
    quoted,
    seconds,
    short_text,
    small,
    text,
    whole,
)
from .._core.text import clipped, printable, short
from ..errors import InvalidSpace, SearchError

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial

    from .._core.network import Network

    ReadNetwork = Callable[[Mapping[str, Any]], Network]


LONGEST_WORDS = 300
"""Characters of a reason that is shown."""


def _parent(found: Any) -> str | None:
    return CANDIDATE_RULE(found)


CANDIDATE_RULE = fields(
    {
        "epochs": optional(count),
        "replicate": count,
        "phase": optional(text),
        "parent": optional(_parent),
    }
)
"""All of a candidate but its network, which its method reads."""
THREE = all_of(list_of(seconds), lambda found: None if len(found) == 3 else "a list of three")
CLAIM_RULE = fields({"candidate": optional(CANDIDATE_RULE), "ahead": optional(flag)})
SIGN_RULE = fields({"at": moment, "patience": optional(number)})
OWNER_RULE = fields({"pid": whole, "started": number, "at": moment, "patience": optional(number)})
BUDGET_RULE = fields(
    {"epochs": positive, "learning_rate": number, "batch_size": positive}, others=False
)
PLACES_RULE = fields({"artifacts": optional(text), "data": optional(text)})
LIMITS_RULE = fields({"ends": optional(number), "max_total_epochs": optional(count)})
OF_IMAGES = fields(
    {
        "dataset": text,
        "fingerprint": text,
        "valid_fraction": number,
        "subset": optional(count),
        "image_size": optional(count),
        "test_fraction": number,
        "deterministic": optional(flag),
        "recipe learning_rate": optional(number),
        "recipe batch_size": optional(positive),
    }
)


def _dataset(found: Any) -> str | None:
    """What identifies the data: any values of an objective of the user's own, else known ones."""
    return fields({})(found) or (OF_IMAGES(found) if "fingerprint" in found else None)


LINK_RULE = fields(
    {
        "run": file_name,
        "role": text,
        "method": optional(text),
        "name": name,
        "space": fields({}),
        "dataset": _dataset,
        "seed": whole,
        "versions": fields({}),
    },
    others=False,
)
FORECAST_RULE = fields(
    {
        "trainings": THREE,
        "seconds": THREE,
        "workers": positive,
        "pace": fields(
            dict.fromkeys(
                ("per_epoch", "per_layer", "per_value", "per_mac", "per_write", "misfit"), seconds
            ),
            others=False,
        ),
    },
    others=False,
)
DETAILS = "egnas:details"
"""The user attribute with what a method wants to know later of a trial that it has measured."""
DECIDING: dict[str, Rule] = {"resumed_from": count, DETAILS: details}
"""User attributes of a trial that its search is decided by."""
SHOWN: dict[str, Rule] = {
    "seconds": seconds,
    "phase": plain_word,
    "train_accuracy": number,
    "train_correct": list_of(count),
    "threads": small,
    "micro_batch": list_of(optional(positive)),
    "device": short_text,
}
"""User attributes of a trial that are only shown."""
OF_STUDIES: dict[str, Rule] = {
    "egnas:places": PLACES_RULE,
    "egnas:limits": optional(LIMITS_RULE),
    "egnas:start": optional(fields({})),
}
"""User attributes of all studies of a search."""

OF_RUNNING: dict[str, Rule] = {"egnas:owner": OWNER_RULE, "egnas:claim": OWNER_RULE}
"""System attributes of a trial that runs: whose it is."""


def checked(key: str, found: Any, rule: Rule, where: str) -> Any:
    """The value of an attribute.

    Raises:
        SearchError: it is not what it must be; the message names where it is, and the value.
    """
    wrong = rule(found)
    if wrong:
        raise SearchError(
            f"`{clipped(printable(key), 60)}` of {where} must be {wrong}, but got {short(found)}: "
            "a newer version, another program or a hand has written it."
        )
    return found


def check_trial(trial: FrozenTrial, network: ReadNetwork, study: str = "") -> None:
    """Refuse a trial whose attributes this version cannot read; `network` reads its networks.

    Raises:
        SearchError: one of them decides something and is not what it must be.
    """
    where = f"trial {trial.number}{f' of {quoted(study)}' if study else ''}"
    users, systems = trial.user_attrs, trial.system_attrs
    for key, rule in DECIDING.items():
        if key in users:
            checked(key, users[key], rule, where)
    if "egnas:claim" in systems:
        claim = checked("egnas:claim", systems["egnas:claim"], CLAIM_RULE, where)
        _check_candidate(claim, network, where)
    if "fixed_params" in systems:
        checked("fixed_params", systems["fixed_params"], fields({}), where)
    if trial.state is TrialState.RUNNING:
        _check_running(trial, where)
    elif trial.state.is_finished():
        _check_ended(trial, where)


def _check_candidate(claim: Mapping[str, Any], network: ReadNetwork, where: str) -> None:
    record = claim.get("candidate")
    try:
        hash(None if record is None else Candidate.from_json(record, network))
    except (InvalidSpace, *UNREADABLE):
        raise SearchError(
            f"`egnas:claim` of {where} must hold a candidate that this version can read, but got "
            f"{short(record)}: a newer version, another program or a hand has written it."
        ) from None


def _check_running(trial: FrozenTrial, where: str) -> None:
    for key, rule in OF_RUNNING.items():
        if key in trial.system_attrs:
            checked(key, trial.system_attrs[key], rule, where)
    if "sign_of_life" in trial.user_attrs:
        checked("sign_of_life", trial.user_attrs["sign_of_life"], SIGN_RULE, where)


def _check_ended(trial: FrozenTrial, where: str) -> None:
    if trial.datetime_complete is None:
        raise SearchError(f"The end of {where} must have a time, but has none.")
    if trial.state is TrialState.COMPLETE and len(trial.values or ()) != 1:
        raise SearchError(f"The values of {where} must be one, but are {len(trial.values or ())}.")


def check_study(study: Study, trials: Iterable[FrozenTrial], network: ReadNetwork) -> None:
    """Refuse a study of a search, some attribute of which this version cannot read.

    Raises:
        SearchError: as `check_trial`; also for its own attributes.
    """
    if len(study.directions) != 1:
        raise SearchError(f"The study {quoted(study.study_name)} must have one objective.")
    attributes = study.user_attrs
    for key in OF_STUDIES:
        of_study(attributes, key, study.study_name)
    for trial in trials:
        check_trial(trial, network, study.study_name)


def of_study(attributes: Mapping[str, Any], key: str, study: str = "") -> Any:
    """The attribute of a study of a search; None where there is none.

    Raises:
        SearchError: it is not what it must be.
    """
    where = f"the study {quoted(study)}" if study else "the study"
    return checked(key, attributes[key], OF_STUDIES[key], where) if key in attributes else None


def of_trial(trial: FrozenTrial | None, key: str) -> Any:
    """What a trial says that is only shown; None where that is not there, or is wrong."""
    found = trial.user_attrs.get(key) if trial else None
    return None if SHOWN[key](found) else found


def words_of_trial(trial: FrozenTrial, key: str, default: str) -> str:
    """A reason that a trial gives, as a text that is short enough to be shown."""
    return clipped(str(trial.user_attrs.get(key, default)), LONGEST_WORDS)
