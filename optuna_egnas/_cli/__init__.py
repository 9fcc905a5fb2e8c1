"""The command `egnas`: prints and exit codes only.

Results go to stdout, progress and errors to stderr. Exit codes: 0 done, 1 a rerun that differs or
something broken that `doctor` has found, 2 bad input or a storage that cannot be used (one line
says why), 130 stopped by Ctrl-C, 143 by SIGTERM.
"""

from __future__ import annotations

import io
import sys

import typer

from .._stop import Terminated
from ..errors import EgnasError
from ._help import GROUPS, Story
from ._output import fail

__all__ = ["app", "main"]

app = typer.Typer(
    cls=Story,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for commands in GROUPS.values():
    for name, (command, _) in commands.items():
        app.command(name)(command)


def main() -> None:
    """Run the command line; every error of ours becomes one line and exit code 2.

    Without arguments it shows the help, also with exit code 2.
    """
    arguments = sys.argv[1:]
    _print_any_text()
    try:
        ended = app(arguments or ["--help"], standalone_mode=False)
        sys.exit(ended if arguments else 2)
    except EgnasError as error:
        fail(str(error))
    except (typer.Abort, KeyboardInterrupt) as stop:
        # The command line's library turns an interruption into an error of its own.
        terminated = isinstance(stop, Terminated) or isinstance(stop.__cause__, Terminated)
        sys.exit(143 if terminated else 130)
    except Exception as error:
        # A wrong argument; the class of these errors has moved between typer's releases.
        if not hasattr(error, "format_message"):
            raise
        fail(f"{error.format_message().rstrip('.')}. See `egnas --help`.")


def _print_any_text() -> None:
    """Print what an output's encoding lacks as escapes, in place of an error."""
    for output in (sys.stdout, sys.stderr):
        if isinstance(output, io.TextIOWrapper):
            output.reconfigure(errors="backslashreplace")
