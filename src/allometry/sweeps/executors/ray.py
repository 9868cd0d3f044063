"""Runs on a Ray cluster: one that is there, or one that is started on this machine."""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from allometry.errors import StudyError
from allometry.extras import needed
from allometry.runs.study import Study
from allometry.sweeps.executors.definition import Job
from allometry.sweeps.executors.events import Died, Ended, Event, Unusable, event_from_json
from allometry.sweeps.executors.needs import Needs
from allometry.sweeps.executors.working import SETTINGS, work_as_told
from allometry.sweeps.trainers.curve import CurveReader

if TYPE_CHECKING:
    from allometry.sweeps.executors.places import Ray

_STORE = 100 * 2**20  # bytes of the object store: jobs and events are small, results are files
_ANSWERING = 10.0  # seconds that a cluster has to answer
_LETTING_GO = 60.0  # seconds that runs have to save when the sweep ends
_MEND = "See that its folder (RAY_TMPDIR, or /tmp) can be written and that memory is free, or run locally."
_GONE = (
    "The Ray that this sweep works with has lost its daemon on this machine (raylet; its log is in "
    "/tmp/ray/session_latest/logs): start the sweep again, it goes on from the last checkpoints."
)
_PASSED_ON = ("ALLOMETRY_CACHE", "XDG_CACHE_HOME", "HF_HOME")  # from here to processes on other nodes


@dataclass
class _Running:
    job: Job
    curve: CurveReader


@dataclass
class RayExecutor:
    """A Ray cluster, on which each run is a task with its resources.

    A task that loses its worker is a death. One that loses its node is not, as nodes come and go. The sweep
    starts the run again on whatever node has room, where it goes on from its last checkpoint: the study is on
    storage that all nodes see.
    """

    ray: ModuleType
    place: Ray
    cores: float  # of the cluster if it is our own, which nothing will add to
    _running: dict[Any, _Running] = field(default_factory=dict)
    _moves: Counter[str] = field(default_factory=Counter)  # nodes that each run has lost

    @classmethod
    def open(cls, place: Ray, study: Study) -> RayExecutor:
        """Connect to the cluster, or start one.

        Raises:
            StudyError: If there is none at the address, or none can be started here.
            MissingExtra: If Ray is not installed.
        """
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        ray = needed("ray", "Making runs on a Ray cluster", "ray")
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
        if place.address:
            _connect(ray, place.address, quiet)
            return cls(ray=ray, place=place, cores=float("inf"))
        count = place.workers or os.cpu_count() or 1
        with _settings(), _explained(ray, "Ray cannot be started on this machine", _MEND):
            ray.init("local", num_cpus=count, include_dashboard=False, object_store_memory=_STORE, **quiet)
        return cls(ray=ray, place=place, cores=count)

    def room_for(self, needs: Needs) -> bool:
        """Whether another run may be handed over; Ray keeps it until a node has what it needs."""
        return len(self._running) < self.place.at_once

    def shortage(self, needs: Needs) -> str:
        """What a cluster of our own does not have; another may grow."""
        if needs.cores <= self.cores:
            return ""
        return f"it needs {needs.cores} cores and the Ray started here has {self.cores:g}; give more workers"

    def start(self, job: Job) -> None:
        """Hand a run to the cluster."""
        needs = job.needs
        task = self.ray.remote(work_as_told).options(
            num_cpus=needs.cores,
            num_gpus=needs.gpus,
            memory=int(needs.memory_bytes) or None,
            max_retries=0,  # the sweep counts how often a run loses its worker
            name=f"run {job.run_id}",
        )
        passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        reader = CurveReader(Path(job.study) / "runs" / job.run_id, job.run_id)
        self._running[task.remote(job.to_json(), passed)] = _Running(job, reader)

    def wait(self, seconds: float) -> list[Event]:
        """Results that came in, and how far the other runs are."""
        if not self._running:
            return []
        self.ray.wait(list(self._running), num_returns=1, timeout=seconds)
        came, _ = self.ray.wait(list(self._running), num_returns=len(self._running), timeout=0)
        events = [self._ended(task) for task in came]
        words = (running.curve.word() for running in self._running.values())
        return [*(word for word in words if word is not None), *events]

    def close(self) -> None:
        """Ask what runs to save and stop, then leave the cluster, or end it if it is our own."""
        for task in self._running:
            self.ray.cancel(task)
        if self._running:
            self.ray.wait(list(self._running), num_returns=len(self._running), timeout=_LETTING_GO)
        self._running.clear()
        self.ray.shutdown()

    def _ended(self, task: Any) -> Event:
        errors = self.ray.exceptions
        run_id = self._running.pop(task).job.run_id
        try:
            return event_from_json(self.ray.get(task))
        except errors.TaskCancelledError:
            return Ended(run_id=run_id, status="stopped", reason="cancelled before it began")
        except errors.RayTaskError as error:
            last = str(error).strip().splitlines()[-1]
            return Died(run_id=run_id, by_signal=False, reason=f"its task ended by its own error: {last}")
        except errors.LocalRayletDiedError:
            return Unusable(run_id=run_id, reason=_GONE)
        except errors.NodeDiedError as error:
            return self._moved(run_id, f"its node was lost ({_first_line(error)})")
        except errors.RayError as error:
            reason = f"its worker was lost ({type(error).__name__}: {_first_line(error)})"
            return Died(run_id=run_id, by_signal=True, reason=reason)

    def _moved(self, run_id: str, reason: str) -> Event:
        """To be made on another node, unless it has lost so many that it may be what ends them."""
        self._moves[run_id] += 1
        if self._moves[run_id] > self.place.requeues:
            return Died(run_id=run_id, by_signal=True, reason=reason)
        return Ended(run_id=run_id, status="stopped", reason=reason)


def _connect(ray: ModuleType, address: str, quiet: Mapping[str, Any]) -> None:
    host, _, port = address.rpartition(":")
    start = "Start one with `ray start --head`, or leave the address out for one on this machine."
    with _explained(ray, f"There is no Ray cluster at '{address}'", start):
        if host and port.isdigit():  # Ray itself would try for minutes
            socket.create_connection((host, int(port)), _ANSWERING).close()
        ray.init(address, **quiet)


@contextmanager
def _explained(ray: ModuleType, what: str, way_out: str) -> Iterator[None]:
    """Turn what Ray raises when it does not come up into a sentence."""
    try:
        yield
    except (ray.exceptions.RayError, OSError, RuntimeError, ValueError) as error:
        raise StudyError(_sentence(what, error, way_out)) from error
    except Exception as error:
        # Where a node or the dashboard does not start in time Ray raises the class itself (ray._private.node,
        # ray._private.services): no narrower one says so. Whatever derives from it is a mistake of ours.
        if type(error) is not Exception:
            raise
        raise StudyError(_sentence(what, error, way_out)) from error


def _sentence(what: str, error: Exception, way_out: str) -> str:
    return f"{what} ({(_first_line(error) or type(error).__name__).rstrip('.')}). {way_out}"


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), "")


@contextmanager
def _settings() -> Iterator[None]:
    """The environment that workers of a cluster of our own inherit."""
    before = {name: os.environ.get(name) for name in SETTINGS}
    os.environ.update(SETTINGS)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
