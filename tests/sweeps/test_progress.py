"""What a sweep shows is true at every moment, with or without a terminal."""

from __future__ import annotations

import io
import time
from dataclasses import replace

import pytest
from rich.console import Console

from allometry.runs.run import Run
from allometry.sweeps import progress
from allometry.sweeps.designs import Ladder, Planned
from allometry.sweeps.executors.definition import Advanced, Died
from allometry.sweeps.progress import Board, LiveTable, PlainLines, open_display


def done(planned: Planned) -> Run:
    values = {"loss": 3.25, "seconds": 4.0}
    return Run(run_id=planned.recipe.run_id, status="done", values=values)


def half_way(planned: Planned) -> Advanced:
    tokens = planned.recipe.tokens // 2
    return Advanced(run_id=planned.recipe.run_id, tokens=tokens, loss=4.125, tokens_per_second=12_000.0)


@pytest.fixture
def planned(ladder: Ladder) -> list[Planned]:
    return ladder.outline()


@pytest.fixture
def board(planned: list[Planned]) -> Board:
    """Six runs are planned; one ended before, the second is half way."""
    first, second, *_ = planned
    begun = Board.of(planned).refreshed(planned, {first.recipe.run_id: done(first)})
    return begun.told(half_way(second))


def test_work_done_before_is_not_counted_as_pace(board: Board, planned: list[Planned]) -> None:
    fresh = replace(board, advanced={}, begun=time.monotonic() - 100)

    assert fresh.seconds_left() is None


def test_time_left_is_that_of_the_remaining_work_at_the_pace_so_far(planned: list[Planned]) -> None:
    trunks = [planned[0], planned[0]]  # twice the same work
    board = replace(Board.of(trunks).refreshed(planned[:1], {}), begun=time.monotonic() - 50)

    half = board.told(half_way(planned[0]))

    # Half of one of two equal runs took 50 s: three times that is left.
    assert half.seconds_left() == pytest.approx(150, rel=0.1)


def test_a_branch_counts_from_where_it_left_its_trunk(board: Board, planned: list[Planned]) -> None:
    branch = planned[2].recipe
    parted = branch.trunk_steps * branch.batch_tokens
    at_parting = Advanced(run_id=branch.run_id, tokens=parted, loss=4.0, tokens_per_second=1.0)

    assert board.told(at_parting).work_done() == board.work_done()


def test_a_board_without_runs_can_be_shown() -> None:
    board = Board.of([]).refreshed([], {})
    stream = io.StringIO()

    PlainLines(stream).update(board)
    with LiveTable(Console(file=io.StringIO(), force_terminal=True)) as table:
        table.update(board)

    assert board.seconds_left() is None
    assert stream.getvalue() == ""


def test_an_ended_run_is_no_longer_in_training(board: Board, planned: list[Planned]) -> None:
    second = planned[1]
    after = board.refreshed(planned, {**board.ended, second.recipe.run_id: done(second)})

    assert board.advanced
    assert not after.advanced


def test_other_events_leave_the_board_as_it_is(board: Board) -> None:
    assert board.told(Died(run_id="x", by_signal=True, reason="")) is board


def test_plain_lines_tell_each_end_once(board: Board, planned: list[Planned]) -> None:
    stream = io.StringIO()
    lines = PlainLines(stream)
    failed = Run(run_id=planned[1].recipe.run_id, status="failed", reason="out of luck")

    lines.update(board)
    after = board.refreshed(planned, {**board.ended, failed.run_id: failed})
    lines.update(after)
    lines.update(after)

    said = stream.getvalue().splitlines()
    assert said[0] == "1 of 6 runs are finished from before"
    assert len(said) == 2
    assert said[1].startswith("[2/6")
    assert said[1].endswith("failed: out of luck")


def test_a_run_that_stopped_before_is_not_finished_and_its_end_is_told(planned: list[Planned]) -> None:
    stream = io.StringIO()
    lines = PlainLines(stream)
    stopped = Run(run_id=planned[1].recipe.run_id, status="stopped", reason="stopped on request")
    before = Board.of(planned).refreshed(planned, {stopped.run_id: stopped})

    lines.update(before)
    assert stream.getvalue() == ""

    lines.update(before.refreshed(planned, {stopped.run_id: done(planned[1])}))
    assert "loss" in stream.getvalue()


def test_plain_lines_say_now_and_then_what_is_in_training(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.StringIO()
    lines = PlainLines(stream)
    now = time.monotonic()
    monkeypatch.setattr("allometry.sweeps.progress.time.monotonic", lambda: now + 60)

    lines.update(board)

    assert "loss 4.125, 12k tokens/s" in stream.getvalue()


def test_the_live_table_has_a_row_for_each_run_in_training(board: Board, planned: list[Planned]) -> None:
    stream = io.StringIO()

    with LiveTable(Console(file=stream, force_terminal=True, width=120)) as table:
        table.update(board)

    shown = stream.getvalue()
    assert planned[1].recipe.run_id in shown
    assert "4.125" in shown
    assert "held-out 3.2500" in shown


def test_a_stream_that_is_no_terminal_gets_plain_lines() -> None:
    assert isinstance(open_display(io.StringIO()), PlainLines)


def test_a_run_that_was_told_or_merged_without_its_time_is_shown(planned: list[Planned]) -> None:
    told = Run(run_id=planned[0].recipe.run_id, status="done", values={"loss": 3.25})
    bare = Run(run_id=planned[1].recipe.run_id, status="done")
    stream = io.StringIO()
    lines = PlainLines(stream)
    lines.update(Board.of(planned))

    lines.update(Board.of(planned).refreshed(planned, {told.run_id: told, bare.run_id: bare}))

    said = [line.rpartition("tokens  ")[2] for line in stream.getvalue().splitlines()]
    assert said == [
        "loss 3.2500",
        "loss not said",
    ]


def test_the_work_of_a_run_is_counted_once_however_often_the_time_left_is_asked_for(
    planned: list[Planned], monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []
    work = progress._work

    def noted(one: Planned) -> float:
        counted.append(one.recipe.run_id)
        return work(one)

    monkeypatch.setattr(progress, "_work", noted)
    board = replace(Board.of(planned), begun=time.monotonic() - 50)
    for one in planned:
        board = board.refreshed(planned, {**board.ended, one.recipe.run_id: done(one)})
        board.seconds_left()

    assert len(counted) == len(planned)
