"""The command `egnas`, also as `python -m optuna_egnas`."""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def main() -> None:
    """Run the command line; Ctrl-C and SIGTERM end it without a traceback, at any time."""
    _react(_leave)
    from ._cli import main as run
    from ._stop import interrupt

    try:
        _react(interrupt)
        run()
    except KeyboardInterrupt:
        # Where it came before, or after, what the command line itself guards.
        sys.exit(130)
    finally:
        _react(_leave)


def _react(handler: signal.Handlers | object) -> None:
    for number in SIGNALS:
        signal.signal(number, handler)  # type: ignore[arg-type]


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    """End at once: nothing is under way while modules are loaded, or when all is done."""
    os._exit(128 + number)


if __name__ == "__main__":
    main()
