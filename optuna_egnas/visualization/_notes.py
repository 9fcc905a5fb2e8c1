"""What the notes of a search say in optuna-dashboard, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .._core.comparison import CAUTION, COLUMNS, in_words
from .._core.text import markdown, shell_word
from .._storage.final_records import FinalRecord
from .._storage.final_results import accuracy_words, finals
from .._storage.rivals import compared
from ._entries import Entry

if TYPE_CHECKING:
    from .._core.comparison import Comparison
    from .._storage.result import Result
    from .._storage.studies import StoredStudies


MARK = "*Written by egnas. What you write below this line stays.*"


def merged(ours: str, stored: str) -> str | None:
    """The whole note with our part renewed; None if there is nothing to write.

    What users write below our part stays, and so does a note that is all theirs.
    """
    if not stored.strip():
        return f"{ours}\n\n{MARK}\n"
    if MARK not in stored:
        return None
    body = f"{ours}\n\n{MARK}{stored.split(MARK, 1)[1]}"
    return None if body == stored else body


def trial_note(entry: Entry) -> str:
    """The verdict on a training in words, and what was trained."""
    place = f"Step {entry.place} of the walk" if entry.place else "Beside the walk"
    lines = [
        f"**{markdown(entry.words)}**",
        "",
        f"{place}, phase {entry.phase or 'not known'}: {markdown(entry.name)}, {entry.epochs} "
        f"epochs, "
        f"{entry.params:,} parameters, {entry.macs:,} multiply-accumulates.",
    ]
    if entry.details:
        lines += ["", " ".join(f"`{detail}`" for detail in entry.details)]
    if entry.standard_error is not None:
        error = f"{100 * entry.standard_error:.2f}"
        lines += ["", f"Standard error of its accuracy: {error} points."]
    return "\n".join(lines)


def study_note(
    studies: StoredStudies,
    role: str,
    *,
    listed: tuple[Entry, ...],
    places: Mapping[str, str],
    storage: str,
    times: Sequence[tuple[str, str]] = (),
) -> str:
    """The note of a study: its question, its search's state, links to the others, next commands.

    `places` are the addresses of the studies in the dashboard by role, `storage` a URL to
    show; `times` are rows of a name and words, about the time of the search.
    """
    result, method = studies.result(), studies.method
    name, url = shell_word(result.name), shell_word(storage)
    commands = [f"egnas show {name} --storage {url}", f"egnas plot {name} --storage {url}"]
    if result.finished and not finals(studies):
        commands.insert(0, f"egnas train {name} --storage {url}")
    if not result.finished:
        commands.insert(0, f"egnas worker --name {name} --storage {url}  # goes on from here")
    steps = [entry for entry in listed if entry.role == role and entry.place is not None]
    beside = sum(entry.role == role and entry.place is None for entry in listed)
    return "\n".join(
        [
            f"## {markdown(result.name)}: the {role} search",
            "",
            f"It asks {method.role(role).question}.{_partners(studies, role, places)}",
            "",
            f"**{_state(result)}** {_found(studies, result)}",
            *_tested(finals(studies)),
            *_compared(compared(studies)),
            "",
            f"This study: {len(steps)} steps of the walk"
            + (f" (now: {steps[-1].phase})" if steps and not result.finished else "")
            + (f", {beside} trainings beside it." if beside else "."),
            *_best(steps),
            "",
            _data(studies),
            *_times(times),
            "",
            "```bash",
            *commands,
            "```",
            "",
            "The walk ends with the result, which need not be the best trial: a trial within the "
            "noise, or beside the walk, may score higher.",
        ]
    )


def _partners(studies: StoredStudies, role: str, places: Mapping[str, str]) -> str:
    return "".join(
        f" Its partner is the study [{markdown(studies.study(other).study_name)}]"
        f"({places[other]}), "
        f"which asks {studies.method.role(other).question}."
        for other in studies.roles
        if other != role
    )


def _state(result: Result) -> str:
    if result.architecture is None:
        return "Nothing is trained yet."
    return "Finished. The network found:" if result.finished else "Under way. The best so far:"


def _found(studies: StoredStudies, result: Result) -> str:
    if result.architecture is None:
        return ""
    network = studies.link.space.describe(result.architecture)
    said = f"{network}, {result.params:,} parameters, {result.macs:,} multiply-accumulates"
    if result.valid_accuracy is None:
        return f"{said}."
    return f"{said}, {100 * result.valid_accuracy:.2f} % of the validation images right."


def _tested(trained: tuple[FinalRecord, ...]) -> list[str]:
    if not trained:
        return []
    words, last = accuracy_words(trained), trained[0]
    files = ", ".join(f"`{record.file_name}`" for record in trained)
    return [
        "",
        f"**Final training:** {words} of {last.n_test:,} test images right after {last.epochs} "
        f"epochs on {last.settings.n_train:,} images. Among the artifacts of the last study: "
        f"{files}.",
    ]


def _compared(found: Comparison | None) -> list[str]:
    """The table of the rivals, and whether the search paid."""
    if found is None:
        return []
    rows = [
        [markdown(cell) for cell in in_words(each, is_found=each is found.found)]
        for each in found.rows
    ]
    return [
        "",
        f"**{markdown(found.sentence)}**",
        "",
        *(f"| {' | '.join(cells)} |" for cells in (COLUMNS, ["---"] * len(COLUMNS), *rows)),
        "",
        CAUTION,
    ]


def _best(steps: list[Entry]) -> list[str]:
    kept = [entry for entry in steps if entry.kept]
    if not kept or kept[-1].score is None:
        return []
    best, score = kept[-1], kept[-1].score
    said = f"{markdown(best.name)}, {100 * score:.2f} % (trial {best.number})"
    return ["", f"Its incumbent: {said}."]


def _times(rows: Sequence[tuple[str, str]]) -> list[str]:
    said = "; ".join(f"{name}: {words}" for name, words in rows)
    return ["", f"{said[0].upper()}{said[1:]}."] if said else []


def _data(studies: StoredStudies) -> str:
    link = studies.link
    shape = " x ".join(map(str, link.space.input_shape))
    said = f"Data: {markdown(str(link.dataset.get('dataset', 'not said')))}"
    if link.space.n_valid is not None:
        said = f"{said}, {link.space.n_valid:,} validation images"
    said = f"{said}, {link.space.classes} classes, {shape} (channels, height, width)"
    return f"{said}. Seed {link.seed}."
