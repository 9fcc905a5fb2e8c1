"""What a watcher of `egnas search` reads of each candidate that has ended."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console
from searching import Progress

from optuna_egnas._cli._show_search import Display


@pytest.mark.parametrize(
    ("epoch", "score", "said"),
    [
        (5, 0.9228, "   5 epochs  92.28 %  the verdict  ["),
        (2, 0.125, "   2 epochs  12.50 %  the verdict  ["),  # stopped: what it was trained for
        (0, None, "   0 epochs           the verdict  ["),  # before its first epoch: no score
    ],
)
def test_a_line_tells_the_epochs_that_were_trained_and_their_score(
    epoch: int, score: float | None, said: str
) -> None:
    written = StringIO()
    event = Progress(
        role="micro",
        phase="kernels",
        candidate="layer 1: kernel 5, width 8",
        epoch=epoch,
        epochs=5,
        score=score,
        verdict="the verdict",
    )

    Display(Console(file=written, width=200))(event)

    assert said in written.getvalue()
