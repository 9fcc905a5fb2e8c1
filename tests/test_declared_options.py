"""Each option is declared once: the command line, study files, Python and the docs agree on it."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import pytest
import typer.main
from commands import TINY, Shell

from optuna_egnas import replay
from optuna_egnas._cli import app
from optuna_egnas._cli._help import GROUPS
from optuna_egnas._core import commands
from optuna_egnas._core.declared import Declared, Option, options_of
from optuna_egnas._core.method import METHODS
from optuna_egnas.errors import EgnasError
from optuna_egnas.methods import method
from optuna_egnas.options import DataOptions, Recipe, SearchOptions, TrainOptions

ROOT = Path(__file__).parents[1]
WALK = ROOT / "studies/digits/walk.json"
SPACES = [role.space for name in METHODS for role in method(name).roles]
TABLES: dict[type, str] = {
    SearchOptions: "",
    DataOptions: "[data]\n",
    Recipe: "[recipe]\n",
    **{role.space: f"[{role.name}]\n" for role in method("egnas").roles},
}
COMMANDS: dict[type, str] = {
    SearchOptions: "search",
    DataOptions: "search",
    Recipe: "train",
    TrainOptions: "train",
    **dict.fromkeys(SPACES, "search"),
}
EACH = [(kind, each) for kind in COMMANDS for each in options_of(kind)]
BOUNDED = [(kind, each) for kind, each in EACH if each.option.bounds]
TYPED = [(kind, each) for kind, each in EACH if each.option.flag]
ALONE = [each for each in vars(commands).values() if isinstance(each, Declared)]
"""Of the command line alone."""
KNOWN = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def named(value: Any) -> str:
    return value.__name__ if isinstance(value, type) else str(getattr(value, "name", value))


def is_of(each: Declared, found: Any) -> bool:
    """Whether a parameter of a command is this option, with its words."""
    flags = each.option.flag.split("/")
    is_argument = found.param_type_name == "argument"
    return (found.help or "").lower() == each.help.lower() and (
        is_argument or flags[0] in found.opts
    )


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A folder with a recorded search, and with that search in its storage."""
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "walk.json").write_bytes(WALK.read_bytes())
    replay.replay(replay.read_trace(WALK), storage=f"sqlite:///{folder}/egnas.db", name="digits")
    return Shell(folder)


def outside(each: Declared) -> float:
    """A value that breaks a bound: below it where there is one."""
    least = [it for it in (each.option.above, each.option.at_least) if it is not None]
    number = least[0] - 1 if least else (each.option.at_most or each.option.below or 0) + 1
    is_whole = int in (each.kind, *get_args(each.kind))
    return int(number) if is_whole else float(number)


def written(kind: type, each: Declared, value: Any) -> str:
    """A study file in which the option has this value."""
    text = repr(value) if not isinstance(value, bool) else str(value).lower()
    line, table = f"{each.name} = {text}\n", TABLES[kind]
    kept = re.sub(rf"(?m)^{each.name} = .*\n", "", TINY) if table in TINY else TINY
    if not table:
        return re.sub(rf"(?m)^{each.name} = .*\n", "", TINY.split("[macro]")[0]) + line
    return kept.replace(table, table + line) if table in kept else kept + table + line


@pytest.mark.parametrize(("kind", "each"), EACH, ids=named)
def test_an_option_says_what_it_is(kind: type, each: Declared) -> None:
    assert each.option.help
    assert not each.option.help.endswith("."), "its default may follow"
    assert f"    {each.name}: " in (kind.__doc__ or ""), "the docstring is written from it"


@pytest.mark.parametrize(("kind", "each"), BOUNDED, ids=named)
def test_python_refuses_what_is_out_of_bounds(kind: type, each: Declared) -> None:
    said = each.option.broken(outside(each))

    with pytest.raises(EgnasError, match=rf"`{each.name}` must be {re.escape(said)}, but got"):
        kind(**{each.name: outside(each)})


@pytest.mark.parametrize(("kind", "each"), [row for row in BOUNDED if row[0] in TABLES], ids=named)
def test_a_study_file_refuses_it_in_the_same_words(
    kind: type, each: Declared, tmp_path: Path
) -> None:
    if kind in SPACES and each.name in method("egnas").role("micro").found:
        pytest.skip("a search finds it")
    (tmp_path / "study.toml").write_text(written(kind, each, outside(each)))

    ran = Shell(tmp_path)("search", "study.toml", "--forecast-only")

    assert ran.code == 2
    assert f"`{each.name}` must be {each.option.broken(outside(each))}, but got" in ran.err


@pytest.mark.parametrize(
    ("kind", "each"), [row for row in TYPED if row[1].option.bounds], ids=named
)
def test_the_command_line_refuses_it_in_the_same_words(
    kind: type, each: Declared, tmp_path: Path
) -> None:
    if each.option.read is not None:
        pytest.skip("as text, it has no sign: see the test of durations")
    flag = each.option.flag.split("/")[0]
    (tmp_path / "study.toml").write_text(TINY)
    start = ["search", "study.toml", "--forecast-only"]
    start = ["train", "tiny"] if COMMANDS[kind] == "train" else start

    ran = Shell(tmp_path)(*start, f"{flag}={outside(each)}")

    assert ran.code == 2
    assert f"`{each.name}` must be {each.option.broken(outside(each))}, but got" in ran.err


@pytest.mark.parametrize(("kind", "each"), TYPED, ids=named)
def test_the_command_line_takes_it_with_its_help(kind: type, each: Declared) -> None:
    command = KNOWN[COMMANDS[kind]]
    by_flag = {flag: it for it in command.params for flag in (*it.opts, *it.secondary_opts)}

    for flag in each.option.flag.split("/"):
        assert by_flag[flag].default is None, "what is not given stays as it is"
        assert by_flag[flag].help.lower() == each.help.lower()


@pytest.mark.parametrize("name", KNOWN)
def test_a_command_has_no_option_that_is_not_declared(name: str) -> None:
    for found in KNOWN[name].params:
        if found.param_type_name == "option" and "--help" not in found.opts:
            assert any(is_of(each, found) for each in [*ALONE, *(it for _, it in EACH)]), found


@pytest.mark.parametrize("each", ALONE, ids=named)
def test_an_option_of_a_command_is_that_of_its_declaration(each: Declared) -> None:
    kind = str if get_origin(each.kind) is Literal else each.kind
    found = [it for command in KNOWN.values() for it in command.params if is_of(each, it)]
    hints = [
        hint
        for group in GROUPS.values()
        for command, _ in group.values()
        for hint in get_type_hints(command, include_extras=True).values()
        if get_origin(hint) is Annotated and hint.__metadata__[0].help.lower() == each.help.lower()
    ]

    assert found and all(it.default in (each.default, None) for it in found)
    assert hints and all(get_args(hint)[0] == kind for hint in hints)


@pytest.mark.parametrize(
    ("each", "start"),
    [
        (commands.WORKERS, ["search", "digits"]),
        (commands.EPOCHS, ["train", "digits"]),
        (commands.SEEDS, ["train", "digits"]),
        (commands.SIMULATED, ["replay", "walk.json"]),
        (commands.PORT, ["dashboard"]),
        (commands.WITHIN, ["show", "digits", "--front"]),
    ],
    ids=named,
)
def test_a_command_refuses_what_is_out_of_bounds(
    each: Declared, start: list[str], recorded: Shell
) -> None:
    recorded.refuses(
        *start,
        f"{each.option.flag}={int(outside(each))}",
        saying=(f"`{each.name}` must be {each.option.broken(outside(each))}, but got",),
    )


def test_every_bound_of_a_command_is_tested() -> None:
    # That of --top needs a trained network: tests/cli/test_cli_export.py.
    bounded = {each.name for each in ALONE if each.option.bounds}

    assert bounded == {"workers", "epochs", "seeds", "top", "port", "within"}


def test_a_flag_is_declared_once() -> None:
    """But for its default in words, which may be another one in another command."""
    by_flag: dict[str, set[Option]] = {}
    for each in [*ALONE, *(it for _, it in EACH)]:
        if each.option.flag:
            by_flag.setdefault(each.option.flag, set()).add(replace(each.option, default=""))

    several = {flag for flag, declared in by_flag.items() if len(declared) > 1}
    assert several == {"--seed", "--workers"}, "of two meanings: of a search, and of its results"


def test_the_page_of_options_is_up_to_date() -> None:
    script = ROOT / "scripts/write_options.py"
    spec = spec_from_file_location("write_options", script)
    assert spec is not None and spec.loader is not None
    writer = module_from_spec(spec)
    spec.loader.exec_module(writer)

    assert (ROOT / "docs/options.md").read_text(encoding="utf-8") == writer.page(), (
        "run python scripts/write_options.py"
    )
    for each in [*ALONE, *(it for _, it in EACH)]:
        assert f"| `{each.name}` |" in writer.page()
