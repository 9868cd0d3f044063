"""The Ray executor's own words, without a Ray; tests/services has those with one."""

from __future__ import annotations

from types import ModuleType

import pytest

from allometry.errors import StudyError
from allometry.runs.study import Study
from allometry.sweeps.executors import ray
from allometry.sweeps.executors.places import Ray
from allometry.sweeps.executors.ray import RayExecutor


def open_with(monkeypatch: pytest.MonkeyPatch, error: Exception, place: Ray, study: Study) -> None:
    """Begin with a Ray that does not come up."""

    def init(*_: object, **__: object) -> None:
        raise error

    broken = ModuleType("ray")
    broken.init = init  # type: ignore[attr-defined]
    monkeypatch.setattr(ray, "needed", lambda *_: broken)
    RayExecutor.open(place, study)


@pytest.mark.parametrize("kind", [Exception, OSError, RuntimeError])
def test_a_ray_that_does_not_start_is_a_sentence(
    study: Study, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    with pytest.raises(StudyError, match=r"cannot be started on this machine \(node timed out\)\. See that"):
        open_with(monkeypatch, kind("node timed out.\nTraceback"), Ray(), study)


def test_a_cluster_that_does_not_answer_is_a_sentence(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StudyError, match=r"There is no Ray cluster at 'auto' \(none\)\. Start one with"):
        open_with(monkeypatch, ConnectionError("none"), Ray(address="auto"), study)


def test_a_mistake_of_ours_is_not_taken_for_a_missing_cluster(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TypeError):
        open_with(monkeypatch, TypeError("no such argument"), Ray(), study)
