"""All plots of a search as files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, NamedTuple

import plotly.graph_objects as go
import plotly.io

from ..errors import SearchError
from ._budgets import plot_budgets
from ._learning_curves import plot_learning_curves
from ._pareto import plot_pareto
from ._walk import plot_walk

if TYPE_CHECKING:
    from .._storage.studies import StoredStudies


PLOTS = {
    "walk": plot_walk,
    "learning-curves": plot_learning_curves,
    "pareto": plot_pareto,
    "budgets": plot_budgets,
}
"""The plots of any search by the names of their files; methods have more."""
WIDTH, SCALE = 1000, 2
"""Pixels of a plot, and of its PNG per pixel of the plot."""


class Written(NamedTuple):
    """The files that were written, and why there are no PNG among them, if there are none."""

    files: tuple[Path, ...]
    no_png: str | None


def plots_of(studies: StoredStudies) -> dict[str, Callable[[StoredStudies], go.Figure]]:
    """All plots of a search by the names of their files, those of its method included."""
    return {**PLOTS, **{name: resolve_name(at) for name, at in studies.method.plots.items()}}


def drawing_of(studies: StoredStudies) -> str | None:
    """The network found as SVG; None where the search's method draws none."""
    at = studies.method.drawing
    return str(resolve_name(at)(studies)) if at else None


def write_plots(studies: StoredStudies, folder: Path) -> Written:
    """Write each plot as HTML, as PNG where kaleido and a Chromium are there, and the SVG.

    The HTML files share one copy of plotly's script, which lies beside them: no network needed.

    Raises:
        SearchError: nothing has been trained yet, or the folder cannot be written to.
    """
    svg = drawing_of(studies)
    figures = {name: plot(studies) for name, plot in plots_of(studies).items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        drawings = [] if svg is None else [folder / "network.svg"]
        for drawing in drawings:
            drawing.write_text(svg or "", encoding="utf-8")
        pages = [folder / f"{name}.html" for name in figures]
        for page, figure in zip(pages, figures.values(), strict=True):
            figure.write_html(page, include_plotlyjs="directory")
    except OSError as error:
        raise SearchError(f"Cannot write plots to {folder}: {error.strerror or error}.") from None
    images = [folder / f"{name}.png" for name in figures]
    no_png = _write_images(list(figures.values()), images)
    return Written(files=(*drawings, *pages, *([] if no_png else images)), no_png=no_png)


def _write_images(figures: list[go.Figure], files: list[Path]) -> str | None:
    """Write PNG files; returns why they cannot be written, if so."""
    try:
        import kaleido  # noqa: F401
    except ImportError:
        return "kaleido is missing: pip install 'optuna-egnas[png]'"
    try:
        plotly.io.write_images(
            fig=figures,
            file=files,
            width=WIDTH,
            height=[figure.layout.height for figure in figures],
            scale=SCALE,
        )
    # The browser is another program, and kaleido, plotly and choreographer have errors of
    # their own for all that may be wrong with it.
    except Exception as error:
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        return f"kaleido found no Chromium that works: {reason}"
    return None
