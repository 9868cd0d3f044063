"""SIGINT and SIGTERM as a request: a run saves a checkpoint first, then the signal takes its usual course."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_HEEDED = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def heeding_signals() -> Iterator[Callable[[], bool]]:
    """Note SIGINT and SIGTERM inside the block instead of ending at once.

    Behind the block a signal that came is raised again, for whoever handles it: KeyboardInterrupt by default,
    or the end of the process. A second one inside the block is not waited with. Signals that are ignored stay
    ignored; outside the main thread, where Python handles no signals, nothing is done.

    Yields:
        Whether one came.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    came: list[int] = []
    # None: handled by a library, not by Python; it cannot be put back.
    handlers = {number: signal.getsignal(number) for number in _HEEDED}
    usual = {number: handler for number, handler in handlers.items() if handler not in (None, signal.SIG_IGN)}

    def restore() -> None:
        for number, handler in usual.items():
            signal.signal(number, handler)

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)
        if len(came) > 1:
            restore()
            signal.raise_signal(number)

    for number in usual:
        signal.signal(number, note)
    try:
        yield lambda: bool(came)
    finally:
        restore()
    if came:
        signal.raise_signal(came[0])
