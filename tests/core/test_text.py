"""Names, paths and messages are text wherever they are shown: nothing in them is obeyed."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from html import unescape
from pathlib import Path

import optuna
import pytest
from commands import Shell

from optuna_egnas import MacroSpace, create_linked_studies, load_linked_studies
from optuna_egnas._cli._console import PlainConsole, lines
from optuna_egnas._core.text import LONGEST, html, markdown, one_line, printable, shell_word
from optuna_egnas.errors import SearchError
from optuna_egnas.visualization import network_svg, plot_walk
from optuna_egnas.visualization._entries import entries
from optuna_egnas.visualization._notes import study_note

NASTY = "a\x1b[2J\r\n\x07\u202eb <i>*c*</i> [d](http://e) `f` =1"
SPACE = MacroSpace(min_depth=1, max_depth=2, min_width=2, max_width=4, base_epochs=1)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, as it is: ä 猫 \U0001f431 \\n", None),
        ("family \U0001f469\u200d\U0001f467, \u05d0\u05d1, \u0645\u06cc\u200c\u062e", None),
        ("two\nlines", "two\\nlines"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x85\x9b31m\x7f", "\\x85\\x9b31m\\x7f"),
        ("a\u202eb\u2066c\u200bd\ufeff", "a\\u202eb\\u2066c\\u200bd\\ufeff"),
        ("a byte \udcff, half a sign \ud800", "a byte \\xff, half a sign \\ud800"),
        ("\u2028\u2029", "\\u2028\\u2029"),
    ],
)
def test_what_is_not_seen_is_shown_as_an_escape(text: str, shown: str | None) -> None:
    assert printable(text) == (text if shown is None else shown)


def test_a_message_is_one_short_line() -> None:
    assert one_line("a\nb\x1b") == "a b\\x1b"
    long = one_line("must be " + 9000 * "x" + " the way out")
    assert len(long) <= LONGEST and long.startswith("must be") and long.endswith("the way out")


@pytest.mark.parametrize("name", ["plain", "two words", "it's", "a\nb\\c'd", "\x1b\u202e"])
def test_a_shell_reads_a_word_back(name: str) -> None:
    word = shell_word(name)
    assert printable(word) == word

    ran = subprocess.run(["bash", "-c", f"printf %s {word}"], capture_output=True, check=True)

    assert ran.stdout.decode() == name


def test_markdown_has_no_syntax_of_its_own_left() -> None:
    assert markdown("a_b") == "a\\_b"
    assert markdown("# <b>[x](y)</b>") == "\\# \\<b\\>\\[x\\](y)\\</b\\>"
    assert markdown("see http://x and www.y") == "see http\\://x and www\\.y"


def test_the_console_shows_cells_and_lines_as_they_are() -> None:
    text = io.StringIO()
    console = PlainConsole(file=text, width=200)

    console.print(NASTY)
    console.print(lines("[red]first[/red]", "second\x1b"))

    assert text.getvalue().splitlines() == [
        printable(NASTY),
        "[red]first[/red]",
        "second\\x1b",
    ]


@pytest.fixture
def egnas(tmp_path: Path) -> Shell:
    """A shell in a folder with a search whose name and texts are as bad as can be."""
    shell = Shell(tmp_path)
    studies = create_linked_studies(
        storage=f"sqlite:///{tmp_path}/egnas.db",
        name=NASTY,
        macro=SPACE,
        dataset={"dataset": f"folder:/{NASTY}"},
    )
    for value in (0.5, 0.75):
        trial = studies.macro.ask()
        for parameter, low, high in (("depth", 1, 2), ("width", 2, 4), ("epochs", 1, 99)):
            trial.suggest_int(parameter, low, min(high, SPACE.max_epochs))
        studies.macro.tell(trial, value)
    failed = studies.macro.ask()
    failed.set_user_attr("error", NASTY)
    failed.set_user_attr("phase", f"={NASTY}")
    studies.macro.tell(failed, state=optuna.trial.TrialState.FAIL)
    return shell


@pytest.mark.parametrize("command", [("list",), ("show",), ("show", "--walk"), ("show", "none")])
def test_no_command_sends_it_to_a_terminal(command: tuple[str, ...], egnas: Shell) -> None:
    ran = egnas(*command)

    said = ran.out + ran.err
    assert not set("\x1b\r\x07\u202e") & set(said)
    assert "\\x1b[2J" in said.replace("\n", "") or "list" in command


def test_json_and_csv_stay_whole(egnas: Shell) -> None:
    assert egnas("show", "--json").record["name"] == NASTY
    assert egnas("list", "--json").record["searches"][0]["name"] == NASTY

    ran = egnas("show", "--csv")

    rows = list(csv.DictReader(io.StringIO(ran.out)))
    assert [row["fate"] for row in rows][-1] == "failed"
    assert rows[-1]["words"] == f"failed: {printable(NASTY)}"
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row.values())


def test_notes_pages_and_plots_show_it_as_text(egnas: Shell) -> None:
    studies = load_linked_studies(storage=f"sqlite:///{egnas.folder}/egnas.db", name=NASTY)
    told = entries(studies)

    note = study_note(
        studies, "macro", listed=told, places={"micro": "/there"}, storage="sqlite:///x.db"
    )
    page, svg = studies._repr_html_(), network_svg(studies)
    figure = json.loads(plot_walk(studies).to_json())

    assert note.startswith(f"## {markdown(NASTY)}: the macro search\n")
    assert f"Data: {markdown(f'folder:/{NASTY}')}" in note
    assert note.count("```") == 2 and "\x1b" not in note
    for shown in (page, svg):
        assert "<i>" not in shown and "\x1b" not in shown
        assert printable(NASTY) in unescape(shown)
    assert figure["layout"]["title"]["text"].startswith(html(NASTY))


def test_a_name_that_no_database_keeps_is_refused(tmp_path: Path) -> None:
    shell = Shell(tmp_path)

    said = shell.refuses("search", "digits", "--subset", "100", "--name", "a\0b")

    assert "a name that is text" in said
    with pytest.raises(SearchError, match="a name that is text"):
        create_linked_studies(name="half a sign \ud800")
