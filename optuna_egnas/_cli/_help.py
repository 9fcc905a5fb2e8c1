"""The help of `egnas` itself: the whole story on one screen of 80 columns and 24 lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from typer.core import TyperGroup

from .._core.method import DEFAULT, method
from ._dashboard import dashboard
from ._delete import delete
from ._doctor import doctor
from ._export import export
from ._list import list_searches
from ._plot import plot
from ._predict import predict
from ._replay import replay
from ._retry import retry
from ._search import search, worker
from ._show import show
from ._train import train

Command = Callable[..., None]

GROUPS: dict[str, dict[str, tuple[Command, str]]] = {
    "Search": {
        "search": (search, "Find a network; the same command goes on where it was stopped."),
        "worker": (worker, "Join a search from another terminal or another machine."),
    },
    "Look": {
        "list": (list_searches, "List the searches of a storage with their states."),
        "show": (show, "Show what a search has found, and its walk step by step."),
        "plot": (plot, "Draw a search as HTML and PNG, the network also as SVG."),
        "dashboard": (dashboard, "Serve optuna-dashboard with the notes and plots."),
    },
    "Use": {
        "train": (train, "Train the network found to the end, and test it once."),
        "export": (export, "Write the trained network as a file of its own."),
        "predict": (predict, "Name the classes of images."),
    },
    "Keep": {
        "doctor": (doctor, "Check installation, device, storage and data."),
        "delete": (delete, "Delete a search and its files; asks first."),
        "retry": (retry, "Forget a search's failures and train them again; asks first."),
        "replay": (replay, "Check that the rules still walk as a recorded search did."),
    },
}


class Story(TyperGroup):
    """The commands in groups, in the order in which they are used."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write it all on one screen."""
        lines = [
            "Finds a whole convolutional network for your images, as linked Optuna studies.",
            method(DEFAULT).title,
            "Type first: egnas search digits      More: egnas COMMAND --help",
            "",
        ]
        for group, commands in GROUPS.items():
            lines.append(group)
            lines += [f"  {command:<11}{said}" for command, (_, said) in commands.items()]
        options = "Options: --help, --install-completion, --show-completion"
        formatter.write("\n".join([*lines, "", options, ""]))
