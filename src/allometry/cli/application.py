"""The application and what its commands share: kinds of options, errors as one sentence, exit codes."""

from __future__ import annotations

import gc
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import current_thread, main_thread
from types import FrameType
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, CycloptsError, Parameter

from allometry.errors import AllometryError, Refusal
from allometry.units import read_quantity

if TYPE_CHECKING:
    from allometry.runs.run import Runs

# Python looks for cycles after each 700 new objects: a tenth of the time of a status of ten thousand runs.
_OBJECTS_BEFORE_A_LOOK = 50_000

Quantity = Annotated[
    float, Parameter(converter=lambda _, tokens: read_quantity(tokens[0].value), allow_leading_hyphen=True)
]
Flag = Annotated[bool, Parameter(negative=())]
Words = Annotated[tuple[str, ...], Parameter(negative=(), consume_multiple=False)]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which runs of a source, and how it is read.

    Parameters
    ----------
    where
        SQL condition on the rows to use, for example "loss < 5".
    because
        Why only those rows; kept with the result.
    columns
        How to read a column, theirs=ours; may be repeated.
    format
        What the source is, where its name does not say: a name from `allometry sources`.
    """

    where: str = ""
    because: str = ""
    columns: Words = ()
    format: str | None = None


EVERYTHING = Selection()

app = App(
    name="allometry",
    suppress_keyboard_interrupt=False,  # `run` says how to go on
    help="Measure how a model family scales, forecast what is not trained yet, be scored on the forecast.",
)


def chosen_runs(source: str, selection: Selection) -> Runs:
    """The runs that a command is about."""
    from allometry.report.terminal import pairs
    from allometry.sweeps.fits import runs_to_fit

    return runs_to_fit(
        source,
        columns=pairs(selection.columns),
        where=selection.where,
        because=selection.because,
        format=selection.format,
    )


def run(arguments: Sequence[str]) -> int:
    """Run one command; errors become one sentence on standard error and an exit code."""
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _say_warning
            return app(arguments, exit_on_error=False, result_action="return_value") or 0
    except CycloptsError:
        return 2  # it has said what was wrong
    except Refusal as error:
        return _say_error("Refused", error, 3)
    except AllometryError as error:
        return _say_error("Error", error, 2)
    except KeyboardInterrupt as stop:
        code = 143 if isinstance(stop, _Terminated) else 130
        return _say_error("Stopped", "run the same command again to go on from here", code)
    except BrokenPipeError:
        return 0  # the reader of our output, such as `head`, has seen enough
    except OSError as error:
        if error.filename is None:
            raise
        what = (error.strerror or type(error).__name__).lower()
        way_out = "see that it is there and yours to read and write, and run the same command again"
        return _say_error("Error", f"Cannot use {error.filename}: {what}; {way_out}.", 2)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; the process ends with the exit code."""
    gc.set_threshold(_OBJECTS_BEFORE_A_LOOK)
    with _ending_cleanly():
        sys.exit(run(sys.argv[1:] if arguments is None else arguments))


class _Terminated(KeyboardInterrupt):
    """SIGTERM came, which a machine sends where a person would press Ctrl-C."""


@contextmanager
def _ending_cleanly() -> Iterator[None]:
    """End on SIGTERM as on Ctrl-C: a sweep then waits until its workers have saved their runs.

    The usual end is at once: in a container, the workers would be killed with the process they belong to.
    """
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL or current_thread() is not main_thread():
        yield
        return

    def terminate(number: int, frame: FrameType | None) -> None:
        raise _Terminated

    signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _say_error(kind: str, error: Exception | str, code: int) -> int:
    sys.stderr.write(f"{kind}: {error}\n")
    return code


def _say_warning(message: Warning | str, *where: object, **more: object) -> None:
    sys.stderr.write(f"Note: {message}\n")
