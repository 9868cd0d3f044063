"""A signal is a request to save first; then it does what it usually does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from allometry.lab.interruption import heeding_signals
from allometry.lab.loop import Sitting, train
from allometry.recipe import Recipe
from allometry.runs.study import Study


@pytest.fixture(autouse=True)
def ctrl_c_as_in_a_terminal() -> Iterator[None]:
    """A suite in the background of a script starts with Ctrl-C ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupted_before_and_after(times: int) -> list[bool]:
    """What the block is told before and after so many Ctrl-C; the last thing it does."""
    with heeding_signals() as interrupted:
        TOLD.append(interrupted())
        for _ in range(times):
            signal.raise_signal(signal.SIGINT)
        TOLD.append(interrupted())
    return TOLD


TOLD: list[bool] = []


@pytest.mark.parametrize(("times", "told"), [(1, [False, True]), (2, [False])])
def test_ctrl_c_is_noted_and_raised_behind_the_block_and_a_second_one_at_once(
    times: int, told: list[bool]
) -> None:
    TOLD.clear()

    with pytest.raises(KeyboardInterrupt):
        interrupted_before_and_after(times)

    assert told == TOLD
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_of_the_users_own_is_called_behind_the_block() -> None:
    called: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: called.append(number))
    try:
        with heeding_signals():
            signal.raise_signal(signal.SIGTERM)
            assert called == []
        assert called == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with heeding_signals() as interrupted:
            signal.raise_signal(signal.SIGINT)
            assert not interrupted()
    finally:
        signal.signal(signal.SIGINT, before)


def test_another_thread_leaves_signals_alone() -> None:
    seen: list[bool] = []

    def look() -> None:
        with heeding_signals() as interrupted:
            seen.append(interrupted())

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()

    assert seen == [False]


def test_ctrl_c_in_training_saves_between_two_lines_and_the_rest_equals_the_straight_run(
    tiny: Recipe, tmp_path: Path
) -> None:
    study, other = Study.create(tmp_path / "one", ""), Study.create(tmp_path / "two", "")

    def press() -> bool:
        signal.raise_signal(signal.SIGINT)
        return False

    with pytest.raises(KeyboardInterrupt):
        train(tiny, study=study, sitting=Sitting(should_stop=press))

    stopped = study.run(tiny.run_id)
    assert stopped is not None
    assert (stopped.status, stopped.values["last_good_step"]) == ("stopped", 9)
    assert train(tiny, study=study).values["loss"] == train(tiny, study=other).values["loss"]


SCRIPT = """
import sys
from allometry.lab.devices import use_threads
from allometry.lab.loop import Sitting, train
from allometry.recipe import Recipe
from allometry.runs.study import Study

use_threads(1)
train(Recipe.from_toml(open(sys.argv[1]).read()), study=Study.create(sys.argv[2], ""))
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGTERM to be sent")
def test_sigterm_saves_the_run_and_then_ends_the_process(tiny: Recipe, tmp_path: Path) -> None:
    endless = replace(tiny, tokens=2_000_000 * 64)
    (tmp_path / "r.toml").write_text(endless.to_toml())
    study = Study.create(tmp_path / "study", "")
    curve = study.run_folder(endless.run_id) / "history.jsonl"
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path / "r.toml"), str(study.folder)])
    while process.poll() is None and not (curve.exists() and curve.stat().st_size):
        time.sleep(0.05)

    process.send_signal(signal.SIGTERM)

    assert process.wait(60) == -signal.SIGTERM
    run = study.run(endless.run_id)
    assert run is not None
    assert run.status == "stopped"
    assert (curve.parent / "checkpoints" / f"step-{run.values['last_good_step']:08d}").is_dir()
