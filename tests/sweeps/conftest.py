"""A small ladder, and an executor that trains in this process: for what does not need real workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from allometry.errors import AllometryError, StudyBusy, StudyError
from allometry.recipe import Recipe
from allometry.runs.study import Study
from allometry.sweeps import running
from allometry.sweeps.designs import Ladder, Size
from allometry.sweeps.executors.definition import Ended, Event, Job, Unusable
from allometry.sweeps.executors.needs import Needs


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study.create(tmp_path / "study", 'name = "tiny"')


@pytest.fixture(scope="session")
def ladder(tiny: Recipe) -> Ladder:
    """Two sizes, two horizons."""
    sizes = (Size(width=16, layers=1, heads=1), Size(width=24, layers=1, heads=1))
    return Ladder(base=tiny, sizes=sizes, horizons=(28 * 64, 44 * 64))


@pytest.fixture(scope="session")
def checked(ladder: Ladder) -> Ladder:
    """The same with a check of the learning rate."""
    return replace(ladder, check_tokens=16 * 64)


@dataclass
class Bench:
    """An executor without processes. What has an entry in `script` happens instead of training."""

    workers: int = 1
    script: dict[str, list[Event]] = field(default_factory=dict)
    started: list[Job] = field(default_factory=list)
    waiting: list[Job] = field(default_factory=list)

    def room_for(self, needs: Needs) -> bool:
        return len(self.waiting) < self.workers

    def shortage(self, needs: Needs) -> str:
        return ""

    def start(self, job: Job) -> None:
        assert self.room_for(job.needs)
        assert [started.run_id for started in self.started].count(job.run_id) < 9, "an endless sweep"
        self.started.append(job)
        self.waiting.append(job)

    def wait(self, seconds: float) -> Sequence[Event]:
        if not self.waiting:
            return []
        job = self.waiting.pop(0)
        if self.script.get(job.run_id):
            return [self.script[job.run_id].pop(0)]
        return [_train(job)]

    def close(self) -> None:
        self.waiting.clear()


def _train(job: Job) -> Event:
    from allometry.lab.loop import Sitting, train

    sitting = Sitting(keep_steps=job.keep_steps, stop_after=job.stop_after, design=job.design)
    try:
        run = train(job.recipe, study=Study.open(job.study), sitting=sitting)
    except StudyBusy as error:
        return Ended(run_id=job.run_id, status="elsewhere", reason=str(error))
    except StudyError as error:
        return Unusable(run_id=job.run_id, reason=str(error))
    except AllometryError as error:
        return Ended(run_id=job.run_id, status="failed", reason=str(error))
    return Ended(run_id=job.run_id, status=run.status, reason=run.reason)


@pytest.fixture(scope="session")
def in_turn(one_thread: None) -> Callable[[], AbstractContextManager[Bench]]:
    """Within this, sweeps train in this process."""

    @contextmanager
    def replaced() -> Iterator[Bench]:
        made = Bench()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(running, "open_executor", lambda *_, **__: made)
            yield made

    return replaced


@pytest.fixture
def bench(in_turn: Callable[[], AbstractContextManager[Bench]]) -> Iterator[Bench]:
    """Takes the place of the local executor."""
    with in_turn() as made:
        yield made
