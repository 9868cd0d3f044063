"""Programs under a guard: whatever ends a worker, nothing that it started goes on."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from allometry.sweeps.trainers import guarding
from allometry.sweeps.trainers.processes import Ending, supervised

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")

LASTS = "echo $$ > pid.part; mv pid.part pid; while :; do sleep 0.05; done"
PATIENCE = 60.0


def run(folder: Path, script: str, stop: Callable[[], bool] = lambda: False, grace: float = 5.0) -> Ending:
    return supervised(
        ["sh", "-c", script],
        folder=folder,
        directory=str(folder),
        settings={"OWN": "a b"},
        should_stop=stop,
        grace=grace,
    )


def number_in(path: Path) -> int:
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < deadline, f"no {path}"
        time.sleep(0.01)
    return int(path.read_text())


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes() != b""  # the dead have none
    except FileNotFoundError:
        return False


def assert_ends(process: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while is_alive(process):
        assert time.monotonic() < deadline, f"{process} goes on"
        time.sleep(0.01)


def test_one_guard_starts_one_program_after_the_other(tmp_path: Path) -> None:
    codes = [run(tmp_path, f"echo $OWN {n} > {n}; exit {n}").code for n in range(2)]
    (first,) = guarding._idle
    run(tmp_path, "true")

    assert codes == [0, 1]
    assert [(tmp_path / str(n)).read_text() for n in range(2)] == ["a b 0\n", "a b 1\n"]
    assert guarding._idle == [first]


def test_who_kills_a_worker_with_its_children_and_its_group_leaves_no_program(tmp_path: Path) -> None:
    worker = os.fork()
    if not worker:
        os.setsid()
        run(tmp_path, LASTS)
        os._exit(0)
    trainer = number_in(tmp_path / "pid")

    children = Path(f"/proc/{worker}/task/{worker}/children").read_text()
    os.killpg(worker, signal.SIGKILL)
    os.waitpid(worker, 0)

    assert children == ""  # Ray kills those one by one
    assert_ends(trainer)


def test_a_guard_that_is_killed_takes_its_program_along(tmp_path: Path) -> None:
    def kill_the_guard() -> bool:
        status = Path(f"/proc/{number_in(tmp_path / 'pid')}/status").read_text()
        parent = next(line.split()[1] for line in status.splitlines() if line.startswith("PPid"))
        os.kill(int(parent), signal.SIGKILL)
        return False

    ending = run(tmp_path, LASTS, stop=kill_the_guard)

    assert ending.described == "was killed by SIGKILL"
    assert_ends(number_in(tmp_path / "pid"))
    assert run(tmp_path, "exit 3").code == 3  # by another guard


def test_what_a_stopped_program_started_in_a_session_of_its_own_is_ended(tmp_path: Path) -> None:
    script = f"trap 'exit 4' TERM; setsid sh -c '{LASTS}' & wait"

    ending = run(tmp_path, script, stop=(tmp_path / "pid").exists)

    assert (ending.code, ending.stopped) == (4, True)
    assert not is_alive(number_in(tmp_path / "pid"))


def test_a_program_that_ends_well_may_leave_a_session_but_no_group(tmp_path: Path) -> None:
    run(
        tmp_path,
        f"sleep 60 & echo $! > inside; setsid sh -c '{LASTS}' & until [ -e pid ]; do sleep 0.01; done",
    )
    inside, outside = number_in(tmp_path / "inside"), number_in(tmp_path / "pid")
    left = is_alive(inside), is_alive(outside)
    os.kill(outside, signal.SIGKILL)

    assert left == (False, True)


def test_a_request_to_stop_that_comes_with_the_request_to_start_is_heard(tmp_path: Path) -> None:
    ending = run(tmp_path, "exec sleep 60", stop=lambda: True)

    assert (ending.code, ending.stopped) == (-signal.SIGTERM, True)


def test_a_pipe_in_a_users_script_ends_as_in_a_shell(tmp_path: Path) -> None:
    ending = run(tmp_path, "yes | head -n 1")

    assert (ending.code, (tmp_path / "stdout.log").read_text()) == (0, "y\n")
    assert (tmp_path / "stderr.log").read_text() == ""


def test_a_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    ending = supervised(
        ["true"],
        folder=tmp_path,
        directory=str(tmp_path / "gone"),
        settings={},
        should_stop=lambda: False,
    )

    assert (ending.code, ending.last_words) == (127, f"{tmp_path}/gone: No such file or directory")
