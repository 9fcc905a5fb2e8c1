"""The command `egnas`: prints and exit codes only.

Results go to stdout, progress and errors to stderr. Exit codes: 0 done, 1 a rerun that differs,
2 bad input or a storage that cannot be used (one line says why), 130 stopped by Ctrl-C, 143 by
SIGTERM.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import typer

from ..errors import EgnasError
from ._dashboard import dashboard
from ._delete import delete
from ._export import export
from ._list import list_searches
from ._output import fail
from ._plot import plot
from ._predict import predict
from ._replay import replay
from ._search import search, worker
from ._show import show
from ._train import train

__all__ = ["app", "main"]

app = typer.Typer(
    help="Global neural architecture search: depth and width, then every layer, in Optuna.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS: dict[str, Callable[..., None]] = {
    "search": search,
    "worker": worker,
    "list": list_searches,
    "show": show,
    "train": train,
    "export": export,
    "predict": predict,
    "plot": plot,
    "dashboard": dashboard,
    "delete": delete,
    "replay": replay,
}
for name, command in COMMANDS.items():
    app.command(name)(command)


def main() -> None:
    """Run the command line; every error of ours becomes one line and exit code 2."""
    try:
        sys.exit(app(standalone_mode=False))
    except EgnasError as error:
        fail(str(error))
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(130)
    except Exception as error:
        # A wrong argument; the class of these errors has moved between typer's releases.
        if not hasattr(error, "format_message"):
            raise
        reason = error.format_message().rstrip(".")
        # Without arguments there is nothing wrong to tell: typer has shown the help.
        fail(f"{reason}. See `egnas --help`.") if reason else sys.exit(2)
