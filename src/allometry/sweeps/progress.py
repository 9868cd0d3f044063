"""What a sweep shows while it runs: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table

from allometry.runs.run import FINISHED, Run
from allometry.sweeps.designs import Planned
from allometry.sweeps.executors.definition import Advanced, Event
from allometry.units import show_count, show_seconds

# Small models are bound by overhead, not arithmetic: on an ordinary core a step costs about as much as this
# many extra FLOP per token would. Only the estimate of the time left depends on it.
_OVERHEAD_FLOPS = 3e5
_PLAIN_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Board:
    """A sweep at one moment.

    Attributes:
        planned: Runs that can be named now.
        outline: Runs the design will make in all, as far as known at the start.
        ended: Those of `planned` that ended, also in earlier sweeps.
        advanced: The last word of each run in training.
        begun: Clock when the sweep began.
        inherited: Work that was finished before it began.
        elsewhere: Runs that another sweep of the study is making.
        works: Work of each run that was asked for, kept from one moment to the next.
    """

    outline: Sequence[Planned]
    planned: Sequence[Planned] = ()
    ended: Mapping[str, Run] = field(default_factory=dict)
    advanced: Mapping[str, Advanced] = field(default_factory=dict)
    begun: float = field(default_factory=time.monotonic)
    inherited: float | None = None
    elsewhere: int = 0
    works: dict[tuple[str, int], float] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, outline: Sequence[Planned]) -> Board:
        """The board before anything has run."""
        return cls(outline=outline)

    def refreshed(self, planned: Sequence[Planned], ended: Mapping[str, Run], *, elsewhere: int = 0) -> Board:
        """The board with what is planned and ended by now."""
        advanced = {run_id: last for run_id, last in self.advanced.items() if run_id not in ended}
        board = replace(self, planned=planned, ended=ended, advanced=advanced, elsewhere=elsewhere)
        return board if self.inherited is not None else replace(board, inherited=board.work_done())

    def told(self, event: Event) -> Board:
        """The board after an event."""
        if not isinstance(event, Advanced):
            return self
        return replace(self, advanced={**self.advanced, event.run_id: event})

    @property
    def total(self) -> int:
        """Runs in all."""
        return max(len(self.outline), len(self.planned))

    def work_done(self) -> float:
        """Work of what ended and of what is in training, in FLOP with overhead."""
        return sum(self._work(p) * self._share(p) for p in self.planned)

    def seconds_left(self) -> float | None:
        """Time left at the pace so far; None before there is a pace."""
        done = self.work_done() - (self.inherited or 0.0)
        left = max(0.0, sum(self._work(p) for p in self.outline) - self.work_done())
        elapsed = time.monotonic() - self.begun
        return elapsed * left / done if done > 0 and elapsed > 5 else None

    def _work(self, planned: Planned) -> float:
        # Counted once a run: it is asked of all of them whenever one ends.
        key = (planned.recipe.run_id, planned.own_tokens)
        if key not in self.works:
            self.works[key] = _work(planned)
        return self.works[key]

    def _share(self, planned: Planned) -> float:
        recipe = planned.recipe
        if recipe.run_id in self.ended:
            return 1.0
        last = self.advanced.get(recipe.run_id)
        if last is None:
            return 0.0
        own = planned.own_tokens
        end = planned.part[1] * recipe.batch_tokens if planned.part else recipe.tokens
        return max(0.0, own + last.tokens - end) / own


def _work(planned: Planned) -> float:
    recipe = planned.recipe
    return planned.own_tokens * (recipe.architecture.flops_per_token("with_attention") + _OVERHEAD_FLOPS)


class Display:
    """Shows nothing; the others derive from it."""

    def update(self, board: Board) -> None:
        """Take note of the sweep's state."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class PlainLines(Display):
    """A line when a run ends, and a line of what is in training now and then."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._said: dict[str, Run] | None = None
        self._last = time.monotonic()

    def update(self, board: Board) -> None:
        """Print what is new."""
        if self._said is None:
            self._said = dict(board.ended)
            if finished := sum(run.status in FINISHED for run in board.ended.values()):
                self._print(f"{finished} of {board.total} runs are finished from before")
        for planned in board.planned:
            run = board.ended.get(planned.recipe.run_id)
            if run is not None and self._said.get(run.run_id) != run:
                self._said[run.run_id] = run
                self._print(f"{_overall(board)}  {_ended_line(planned, run)}")
        if board.advanced and time.monotonic() - self._last > _PLAIN_SECONDS:
            self._last = time.monotonic()
            for planned in _in_training(board):
                self._print(f"{_overall(board)}  {_training_line(planned, board)}")

    def _print(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()


class LiveTable(Display):
    """A table that is redrawn in place, for a terminal."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=4, transient=False)

    def update(self, board: Board) -> None:
        """Redraw."""
        self._live.update(_table(board))

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()


def open_display(stream: TextIO | None = None) -> Display:
    """A live table if the stream is a terminal, else plain lines; standard error by default."""
    stream = stream or sys.stderr
    console = Console(file=stream)
    return LiveTable(console) if console.is_terminal and not console.is_dumb_terminal else PlainLines(stream)


def _in_training(board: Board) -> list[Planned]:
    return [planned for planned in board.planned if planned.recipe.run_id in board.advanced]


def _overall(board: Board) -> str:
    left = board.seconds_left()
    shared = f", {board.elsewhere} made by another sweep" if board.elsewhere else ""
    time_left = "" if left is None else f", about {show_seconds(left)} left"
    return f"[{len(board.ended)}/{board.total}{shared}{time_left}]"


def _name(planned: Planned) -> str:
    recipe = planned.recipe
    kind = {"learning_rate_check": "rate check", "ladder": "branch"}.get(planned.design, planned.design)
    size = show_count(recipe.architecture.params())
    return f"{kind:10s} {size:>6s} params, {show_count(recipe.tokens):>6s} tokens"


def _ended_line(planned: Planned, run: Run) -> str:
    if run.status != "done":
        return f"{_name(planned)}  {run.status}: {run.reason}"
    took = run.values.get("seconds")  # which a run that was told, or merged, may not say
    return f"{_name(planned)}  loss {_loss(run)}{'' if took is None else f'  ({show_seconds(took)})'}"


def _loss(run: Run) -> str:
    loss = run.values.get("loss")
    return "not said" if loss is None else f"{loss:.4f}"


def _training_line(planned: Planned, board: Board) -> str:
    last = board.advanced[planned.recipe.run_id]
    return (
        f"{_name(planned)}  at {show_count(last.tokens)} tokens, loss {last.loss:.3f}, "
        f"{show_count(last.tokens_per_second)} tokens/s"
    )


def _table(board: Board) -> Table:
    table = Table(title=f"{_overall(board)} runs", title_justify="left", expand=False)
    for heading in ("run", "params", "tokens", "of", "train loss", "tokens/s"):
        table.add_column(heading, justify="left" if heading == "run" else "right")
    for planned in _in_training(board):
        last = board.advanced[planned.recipe.run_id]
        table.add_row(
            f"{planned.design} {planned.recipe.run_id}",
            show_count(planned.recipe.architecture.params()),
            show_count(last.tokens),
            show_count(planned.recipe.tokens),
            f"{last.loss:.3f}",
            show_count(last.tokens_per_second),
        )
    for planned in _just_ended(board):
        run = board.ended[planned.recipe.run_id]
        loss = f"held-out {_loss(run)}" if run.status == "done" else run.status
        params, tokens = show_count(planned.recipe.architecture.params()), show_count(planned.recipe.tokens)
        table.add_row(f"{planned.design} {run.run_id}", params, tokens, tokens, loss, "", style="dim")
    return table


def _just_ended(board: Board, count: int = 6) -> list[Planned]:
    ended = [planned for planned in board.planned if planned.recipe.run_id in board.ended]
    return ended[-count:]
