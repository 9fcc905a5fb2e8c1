"""What a notebook shows of a search."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

import optuna
from linking import create, train

from optuna_egnas import LinkedStudies, create_linked_studies
from optuna_egnas.visualization import network_svg
from optuna_egnas.visualization._html import MARKS
from optuna_egnas.visualization._style import LOOKS


class Tags(HTMLParser):
    """Collects the tags that are open, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)
        self.seen.add(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        """SVG closes its empty tags in place."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def shown(studies: LinkedStudies) -> Tags:
    tags = Tags(studies._repr_html_())
    assert tags.open == []
    return tags


def test_the_result_the_network_and_both_studies_are_shown(digits: LinkedStudies) -> None:
    text = shown(digits).text

    for said in ("digits: the network found", "22,357", "98.96 %", "digits/macro", "digits/micro"):
        assert said in text
    assert network_svg(digits) in digits._repr_html_()


def test_the_walk_has_a_mark_for_each_training_by_phase(digits: LinkedStudies) -> None:
    rows = dict(re.findall(r"<tr><th[^>]*>(\w+)</th><td[^>]*>(.*?)</td>", digits._repr_html_()))

    marks = {phase: Tags(row).text for phase, row in rows.items()}
    assert marks["depth"] == "■●✕◆● 99.31 %"
    assert marks["width"] == "✕✕✕ 99.31 %"
    assert marks["kernels"] == "✕✕✕✕✕✕✕ 98.96 %"
    assert "depth 6, width 16: 98.61 % neutral: +0.00 points" in unescape(rows["depth"])


def test_what_was_trained_beside_the_walk_has_a_line_of_its_own(
    digits: LinkedStudies, by_four: LinkedStudies
) -> None:
    assert "beside the walk" in shown(by_four).text
    assert "beside the walk" not in shown(digits).text


def test_a_search_that_has_trained_nothing_says_so(untouched: LinkedStudies) -> None:
    tags = shown(untouched)

    assert "new: nothing is trained yet" in tags.text
    assert "svg" not in tags.seen


def test_a_search_under_way_shows_its_best_so_far() -> None:
    assert "s: the best so far" in shown(train(create(), "macro", most=3)).text


def test_names_are_text_and_never_code() -> None:
    name = "<script>alert('&')</script>"
    studies = create_linked_studies(storage=None, name=name)
    trial = studies.macro.ask()
    studies.macro.tell(trial, state=optuna.trial.TrialState.FAIL)

    tags = shown(studies)

    assert "script" not in tags.seen
    assert f"{name}: nothing is trained yet" in tags.text
    assert "script" not in shown(train(create(name=name), "macro")).seen


def test_there_is_a_mark_for_each_look() -> None:
    assert set(MARKS) == set(LOOKS)
    assert len(set(MARKS.values())) == len(MARKS)
