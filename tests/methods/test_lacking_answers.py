"""A method that lacks an answer, or gives one that cannot be right: one line that names it."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from commands import Shell
from optuna.storages import InMemoryStorage
from perceptrons import PERCEPTRONS, Perceptrons, Population

from optuna_egnas import create_linked_studies, search
from optuna_egnas.errors import SearchError
from optuna_egnas.methods import Candidate, Done, Method, Proposal, Space, Verdict, method
from optuna_egnas.options import SearchOptions

ROLE = PERCEPTRONS.roles[0]


def of(answers: dict[str, Any], in_space: dict[str, Any] | None = None) -> Method:
    """A method in this module, as `METHOD`, with these answers in the place of the right ones."""
    name = f"{__name__}:METHOD"
    space = type("Members", (Population,), {"method": name, **(in_space or {})})
    own = {"name": name, "roles": (replace(ROLE, space=dataclass(frozen=True)(space)),), **answers}
    made: Method = type("Mine", (Perceptrons,), own)()
    return made


@dataclass(frozen=True)
class Silent:
    units: int = 4


def proposing(network: Any) -> Any:
    candidate = Candidate(architecture=network, epochs=1)
    first = Proposal(candidate=candidate, phase="first", bar=None, likely=Verdict.BASELINE)
    return lambda *_: (first,)


class Nameless(Space):
    frontier = Population.frontier
    ranges = Population.ranges
    encode = Population.encode
    decode = Population.decode
    network_from_json = Population.network_from_json


@pytest.fixture(autouse=True)
def _no_cache() -> Iterator[None]:
    method.cache_clear()
    yield
    method.cache_clear()


LACKING = {
    "no role": (of({"roles": ()}), "`roles` of .* must be one Role or more, but got ()"),
    "roles are a number": (of({"roles": 3}), "must be one Role or more, but got 3"),
    "a role is a text": (of({"roles": ("only",)}), "must hold Role only, but got 'only'"),
    "a role without a space": (
        of({"roles": (replace(ROLE, space=dict),)}),
        "must be a subclass of Space, but got <class 'dict'>",
    ),
    "a space without a method": (
        of({"roles": (replace(ROLE, space=Nameless),)}),
        "must answer Nameless.method, but does not",
    ),
    "a space of another method": (
        of({"roles": (ROLE,)}),
        "`Population.method` of .* must be .*METHOD', but is 'perceptrons:PERCEPTRONS'",
    ),
    "another name": (
        of({"name": "other"}),
        "`name` of .*METHOD' must be .*METHOD', but is 'other'",
    ),
    "nothing is proposed": (
        of({}, {"frontier": lambda *_: None}),
        "must return proposals, or Done, while nothing is in flight, but returned None",
    ),
    "it waits for nothing": (of({}, {"frontier": lambda *_: ()}), r"but returned \(\)"),
    "it is done at once": (
        of({}, {"frontier": lambda *_: Done(found=None)}),
        "`Members.frontier` of .* must propose a network at first, but is done at once",
    ),
    "a network without JSON": (
        of({}, {"frontier": proposing(Silent())}),
        "must answer `to_json`, but Silent does not",
    ),
}


@pytest.mark.parametrize(("lacking", "said"), LACKING.values(), ids=LACKING.keys())
def test_what_is_lacking_is_named(
    lacking: Method, said: str, monkeypatch: pytest.MonkeyPatch, egnas: Shell
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "METHOD", lacking, raising=False)
    name = f"{__name__}:METHOD"

    with pytest.raises(SearchError, match=said) as caught:
        search("digits", storage=None, name="s", options=SearchOptions(method=name, subset=200))
    assert "\n" not in str(caught.value)
    with pytest.raises(SearchError, match=said):
        create_linked_studies(storage=InMemoryStorage(), name="s", method=name)
    egnas.refuses("search", "digits", "--subset", "200", "--method", name, saying=(name,))


def test_a_module_that_raises_is_named(egnas: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    egnas.write("broken_module.py", "raise RuntimeError('no\\nlicence')\n")
    monkeypatch.syspath_prepend(str(egnas.folder))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    egnas.refuses(
        *("search", "digits", "--method", "broken_module:METHOD"),
        saying=("'broken_module:METHOD' cannot be loaded: RuntimeError: no licence.",),
    )


def test_an_entry_point_that_raises_is_named(
    egnas: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = importlib.metadata.EntryPoint("gone", "not_there:METHOD", "optuna_egnas.methods")
    monkeypatch.setattr(
        "optuna_egnas._core.method.entry_points",
        lambda **asked: [entry] if asked.get("name", "gone") == "gone" else [],
    )

    egnas.refuses(
        *("search", "digits", "--method", "gone"),
        saying=("'gone' cannot be loaded: ModuleNotFoundError", "not_there"),
    )


@pytest.mark.parametrize("profiles", [{}, {"small": {"population": {"max_units": 8}}}])
def test_a_method_need_not_have_the_usual_profiles(
    profiles: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = of({"profiles": profiles})
    monkeypatch.setattr(sys.modules[__name__], "METHOD", own, raising=False)
    options = SearchOptions(
        method=own.name, subset=200, max_total_epochs=2, spaces={"population": {"generations": 1}}
    )

    studies = search("digits", storage=None, name="s", options=options)

    assert studies.link.space.to_json()["max_units"] == (8 if profiles else 64)
