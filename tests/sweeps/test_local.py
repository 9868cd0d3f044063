"""Worker processes that cannot start, and workers of a sweep that is gone."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from allometry.errors import StudyError
from allometry.recipe import Recipe
from allometry.runs.study import Study
from allometry.sweeps.executors import local
from allometry.sweeps.executors.definition import Job
from allometry.sweeps.executors.events import Died, Event
from allometry.sweeps.executors.local import LocalExecutor


def wait(executor: LocalExecutor) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        executor.wait(0.5)


@pytest.mark.parametrize("with_job", [False, True])
def test_a_worker_that_cannot_load_pytorch_ends_the_sweep_with_its_words(
    tmp_path: Path, tiny: Recipe, monkeypatch: pytest.MonkeyPatch, with_job: bool
) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('libtorch is broken')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    study = Study.create(tmp_path / "study", "")

    with closing(LocalExecutor(workers=1, log=tmp_path / "workers.log")) as executor:
        if with_job:
            executor.start(Job(recipe=tiny, study=str(study.folder), design="grid"))
        with pytest.raises(StudyError, match=r"cannot start: ImportError: libtorch is broken.*workers\.log"):
            wait(executor)


def test_files_in_the_users_folder_do_not_shadow_libraries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('not me')")
    monkeypatch.chdir(tmp_path)

    with closing(LocalExecutor(workers=1, log=tmp_path / "workers.log")) as executor:
        assert executor.wait(30.0) == []  # returns when the worker says that it is ready

    assert (tmp_path / "workers.log").read_text() == ""


def test_a_process_that_the_system_refuses_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(local.subprocess, "Popen", refused)  # type: ignore[attr-defined]

    with pytest.raises(StudyError, match="Cannot start a worker process: Cannot allocate memory"):
        LocalExecutor(workers=1, log=tmp_path / "workers.log")


def test_a_log_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StudyError, match=r"Cannot write .*workers\.log: a file of that name"):
        LocalExecutor(workers=1, log=tmp_path / "file" / "workers.log")


def test_idle_workers_are_let_go_at_once(tmp_path: Path) -> None:
    executor = LocalExecutor(workers=2, log=tmp_path / "workers.log")
    processes = [worker.process for worker in executor._pool]
    begun = time.monotonic()

    executor.close()

    assert time.monotonic() - begun < 1.0  # they would need longer to load PyTorch
    assert all(process.returncode is not None for process in processes)


def test_the_workers_are_python_as_it_runs_here(tmp_path: Path) -> None:
    with closing(LocalExecutor(workers=1, log=tmp_path / "workers.log")) as executor:
        command = executor._pool[0].process.args

    assert isinstance(command, list)
    assert command[0] == sys.executable


def test_a_worker_that_ends_by_its_own_error_is_told_from_one_that_was_killed(
    tmp_path: Path, tiny: Recipe
) -> None:
    study = Study.create(tmp_path / "study", "")
    events: list[Event] = []

    never: Any = "never"  # no number: what the worker does not expect and does not catch

    with closing(LocalExecutor(workers=1, log=tmp_path / "w.log")) as executor:
        executor.start(Job(recipe=tiny, study=str(study.folder), design="grid", checkpoint_seconds=never))
        while not events:
            events = executor.wait(30.0)

    (died,) = events
    assert isinstance(died, Died)
    assert not died.by_signal
    assert died.reason.startswith("its worker ended with code 1: TypeError: ")


def test_a_worker_killed_by_a_signal_without_a_name_is_a_death_like_any_other(
    tmp_path: Path, tiny: Recipe
) -> None:
    study = Study.create(tmp_path / "study", "")

    with closing(LocalExecutor(workers=1, log=tmp_path / "workers.log", trainer="command")) as executor:
        executor.wait(30.0)  # until it is ready
        (worker,) = executor._pool
        worker.job = Job(recipe=tiny, study=str(study.folder), design="grid")
        worker.process.send_signal(40)
        (event,) = executor.wait(30.0)

    assert event == Died(run_id=tiny.run_id, by_signal=True, reason="its worker was killed by signal 40")
