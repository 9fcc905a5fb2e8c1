"""Ends a search in order: on SIGTERM as on Ctrl-C, and where nothing is half done.

Python raises an interruption wherever it happens to be, which may be in the middle of a
database's commit; Optuna has places of its own that do not survive one. While a search runs, the
first signal therefore waits until the search trains or waits, the second one does not. A call of
a storage that does not return holds the first signal up for HANGS seconds only.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import NoReturn

Reaction = Callable[[int, FrameType | None], object]
SIGNALS = (signal.SIGINT, signal.SIGTERM)
HANGS = 5.0
"""Seconds after which a call of a storage counts as one that may never return."""
POLL = 0.5


class Terminated(KeyboardInterrupt):
    """The process was asked to end; like Ctrl-C, nothing but the end of a search catches it."""


@dataclass(slots=True)
class _Waiting:
    """What is known of signals in this process; only its main thread ever gets one."""

    reactions: dict[int, Reaction] = field(default_factory=dict)
    number: int | None = None
    may_interrupt: bool = False
    raised: BaseException | None = None
    called: float | None = None
    in_call: bool = False


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
    """Let the first Ctrl-C or SIGTERM that would raise wait for an `interruptible` part.

    What goes wrong after it, in a storage that is away say, does not take its place.
    """
    if not _is_main_thread() or _waiting.reactions:
        yield
        return
    found = {number: signal.getsignal(number) for number in SIGNALS}
    for number, reaction in found.items():
        if reaction in (signal.default_int_handler, interrupt, _end) and callable(reaction):
            _waiting.reactions[number] = reaction
            signal.signal(number, _wait)
    try:
        yield
    except Exception:
        if _waiting.raised is None:
            raise
        raise _waiting.raised from None
    finally:
        for held, before in _waiting.reactions.items():
            signal.signal(held, before)
        _waiting.reactions, _waiting.number, _waiting.raised = {}, None, None


@contextmanager
def interruptible() -> Iterator[None]:
    """A part of a search that can be interrupted anywhere; what has waited is raised here."""
    if not _is_main_thread() or not _waiting.reactions:
        yield
        return
    before, _waiting.may_interrupt = _waiting.may_interrupt, True
    try:
        if _waiting.number is not None:
            _raise(_waiting.number, None)
        yield
    finally:
        _waiting.may_interrupt = before


@contextmanager
def calling() -> Iterator[None]:
    """A call of a storage, which may never return."""
    if not _is_main_thread():
        yield
        return
    before, _waiting.called = _waiting.called, time.monotonic()
    try:
        yield
    finally:
        _waiting.called = before


def called_for() -> float:
    """Seconds that the main thread has been in a call of a storage."""
    called = _waiting.called
    return 0.0 if called is None else time.monotonic() - called


def was_interrupted() -> bool:
    """Whether this thread is on its way out, after a signal."""
    return _is_main_thread() and _waiting.raised is not None


def was_interrupted_in_call() -> bool:
    """Whether a signal has ended this thread's wait for a storage, which is not asked again."""
    return was_interrupted() and _waiting.in_call


def ask_to_end() -> None:
    """Do in the main thread what SIGTERM does; for other threads."""
    _send(signal.SIGTERM)


def interrupt(number: int, frame: FrameType | None) -> NoReturn:
    """React to Ctrl-C and SIGTERM by raising, but in the middle of an import by an exit at once.

    For a command line, before it has begun its work.
    """
    # Modules with C code turn an interruption into errors of other kinds, or print and forget it.
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            os._exit(128 + number)
        frame = frame.f_back
    raise Terminated if number == signal.SIGTERM else KeyboardInterrupt


def _wait(number: int, frame: FrameType | None) -> None:
    is_first = _waiting.number is None and _waiting.raised is None
    if is_first and not _waiting.may_interrupt:
        _waiting.number = number
        threading.Thread(target=_insist, args=(number,), daemon=True).start()
        return
    _raise(number, frame)


def _raise(number: int, frame: FrameType | None) -> None:
    _waiting.number = None
    try:
        _waiting.reactions[number](number, frame)
    except BaseException as stop:
        _waiting.raised, _waiting.in_call = stop, _waiting.called is not None
        raise


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated


def _insist(number: int) -> None:
    """Send a signal that waits once more where the call of a storage does not return."""
    while _waiting.number is not None:
        if called_for() > HANGS:
            _send(number)
            return
        time.sleep(POLL)


def _send(number: int) -> None:
    if hasattr(signal, "pthread_kill"):
        main = threading.main_thread().ident
        assert main is not None, "it runs"
        signal.pthread_kill(main, number)
    else:
        signal.raise_signal(number)


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
