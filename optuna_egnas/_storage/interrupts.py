"""Ends a search in order: on SIGTERM as on Ctrl-C, and where nothing is half done.

Python raises an interruption wherever it happens to be, which may be in the middle of a
database's commit; Optuna has places of its own that do not survive one. While a search runs, the
first signal therefore waits until the search trains or waits, the second one does not.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import NoReturn

Reaction = Callable[[int, FrameType | None], object]
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Terminated(KeyboardInterrupt):
    """The process was asked to end; like Ctrl-C, nothing but the end of a search catches it."""


@dataclass(slots=True)
class _Waiting:
    """What is known of signals in this process; only its main thread ever gets one."""

    reactions: dict[int, Reaction] = field(default_factory=dict)
    number: int | None = None
    may_interrupt: bool = False


_waiting = _Waiting()


@contextmanager
def ending_on_sigterm() -> Iterator[None]:
    """Raise `Terminated` on SIGTERM; in the main thread only, which is where signals arrive."""
    if not _is_main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def stopping_in_order() -> Iterator[None]:
    """Let the first Ctrl-C or SIGTERM that would raise wait for an `interruptible` part."""
    if not _is_main_thread() or _waiting.reactions:
        yield
        return
    found = {number: signal.getsignal(number) for number in SIGNALS}
    for number, reaction in found.items():
        if reaction in (signal.default_int_handler, _end) and callable(reaction):
            _waiting.reactions[number] = reaction
            signal.signal(number, _wait)
    try:
        yield
    finally:
        for held, before in _waiting.reactions.items():
            signal.signal(held, before)
        _waiting.reactions, _waiting.number = {}, None


@contextmanager
def interruptible() -> Iterator[None]:
    """A part of a search that can be interrupted anywhere; what has waited is raised here."""
    if not _is_main_thread() or not _waiting.reactions:
        yield
        return
    _waiting.may_interrupt = True
    try:
        if _waiting.number is not None:
            number, _waiting.number = _waiting.number, None
            _waiting.reactions[number](number, None)
        yield
    finally:
        _waiting.may_interrupt = False


def _wait(number: int, frame: FrameType | None) -> None:
    if not _waiting.may_interrupt and _waiting.number is None:
        _waiting.number = number
        return
    _waiting.reactions[number](number, frame)


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
