"""The engine's objective is the stated sum, and its derivatives are exact."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from allometry.fitting.engine import Problem, Samples, minimise
from allometry.fitting.objectives import Objective, ObjectiveName
from allometry.fitting.problems import working_point
from allometry.fitting.scales import SCALES, transform
from allometry.laws import Scale, chinchilla
from allometry.runs.run import Runs

STEP = 1e-6
DIFFERENCE_TOLERANCE = 1e-6  # central differences at that step, relative to the largest entry of a row

Posed = tuple[Problem, np.ndarray, Samples]


@pytest.fixture
def posed(ladder: Callable[..., Runs], truth: dict[str, float]) -> Callable[[ObjectiveName, Scale], Posed]:
    """Runs that lie well off the law, so that residuals count, with unequal weights."""

    def pose(name: ObjectiveName, on: Scale) -> Posed:
        runs = ladder(noise=0.05)
        inputs = (runs.column("params"), runs.column("tokens"))
        objective = Objective(name=name, on=on, delta=0.04)
        size = 0.02 if on == "logit" else 1.0  # a fiftieth of a loss is a share between 0 and 1
        problem = Problem(law=chinchilla, inputs=inputs, objective=objective, held={})
        weights = np.linspace(0.5, 2.0, len(runs))
        sample = Samples(weights=weights[None], target=transform(on, size * runs.column("loss"))[None])
        at = {**truth, **{name: size * truth[name] for name in ("E", "A", "B")}, "alpha": 0.36}
        return problem, working_point(problem, at)[None], sample

    return pose


@pytest.mark.parametrize("on", SCALES)
@pytest.mark.parametrize("name", ["huber", "least_squares", "lower_envelope"])
def test_what_the_engine_minimises_is_the_weighted_sum(
    posed: Callable[[ObjectiveName, Scale], Posed], name: ObjectiveName, on: Scale
) -> None:
    problem, at, sample = posed(name, on)

    residuals = problem.residuals(at, sample.target)[0]
    by_hand = sum(
        w * float(problem.objective.penalty(np.array(r)))
        for w, r in zip(sample.weights[0], residuals, strict=True)
    )

    assert problem.sums(at, sample)[0] == pytest.approx(by_hand, rel=1e-12)


@pytest.mark.parametrize("on", SCALES)
@pytest.mark.parametrize("name", ["huber", "least_squares", "lower_envelope"])
def test_gradient_and_hessian_equal_finite_differences(
    posed: Callable[[ObjectiveName, Scale], Posed], name: ObjectiveName, on: Scale
) -> None:
    problem, at, sample = posed(name, on)
    near = problem.derivatives(at, sample)

    for place in range(at.shape[1]):
        move = STEP * np.eye(at.shape[1])[place]
        slope = (problem.sums(at + move, sample) - problem.sums(at - move, sample))[0] / (2 * STEP)
        up, down = (problem.derivatives(at + sign * move, sample).gradient[0] for sign in (1, -1))
        bend = (up - down) / (2 * STEP)
        assert near.gradient[0, place] == pytest.approx(slope, rel=DIFFERENCE_TOLERANCE)
        largest = np.abs(bend).max()
        np.testing.assert_allclose(near.hessian[0, place], bend, atol=DIFFERENCE_TOLERANCE * largest, rtol=0)


def test_a_pass_in_blocks_of_runs_sums_to_the_pass_over_all(
    posed: Callable[[ObjectiveName, Scale], Posed], monkeypatch: pytest.MonkeyPatch
) -> None:
    problem, at, sample = posed("huber", "log")
    whole = problem.derivatives(at, sample)

    monkeypatch.setattr("allometry.fitting.definition._NUMBERS_AT_ONCE", 200)  # seven runs at a time

    for part, expected in zip(problem.derivatives(at, sample), whole, strict=True):
        np.testing.assert_allclose(part, expected, rtol=1e-12, atol=1e-12 * np.abs(expected).max())


def test_searches_end_alike_to_the_last_digit_whatever_moves_beside_them(
    posed: Callable[[ObjectiveName, Scale], Posed], monkeypatch: pytest.MonkeyPatch
) -> None:
    problem, at, sample = posed("huber", "log")
    starts = at + np.linspace(-0.01, 0.01, 6)[:, None]
    rng = np.random.default_rng(0)
    target = sample.target + 0.01 * rng.standard_normal((6, sample.target.shape[1]))
    each = Samples(weights=sample.of_one(6).weights, target=target)
    alone = [minimise(problem, starts[[row]], each.take(np.array([row]))) for row in range(6)]

    monkeypatch.setattr(Problem, "runs_at_once", 2 * target.shape[1])  # two searches together

    together = minimise(problem, starts, each)
    np.testing.assert_array_equal(together.working, [one.working[0] for one in alone])
    assert together.converged.all()


def test_a_search_from_its_own_minimum_stays_there(posed: Callable[[ObjectiveName, Scale], Posed]) -> None:
    problem, at, sample = posed("huber", "log")
    first = minimise(problem, at, sample)

    again = minimise(problem, first.working, sample)

    assert again.converged.all()
    assert again.value[0] == pytest.approx(first.value[0], rel=1e-14)
    np.testing.assert_allclose(again.working, first.working, rtol=1e-8)


def test_runs_of_no_weight_are_as_good_as_absent(posed: Callable[[ObjectiveName, Scale], Posed]) -> None:
    problem, at, sample = posed("huber", "log")
    left_out = np.arange(sample.target.shape[1]) % 3 == 0
    some = Samples(weights=np.where(left_out, 0.0, sample.weights), target=sample.target)
    fewer = replace(problem, inputs=tuple(x[~left_out] for x in problem.inputs))

    condensed = minimise(problem, at, some)

    alone = minimise(fewer, at, Samples(weights=some.weights[:, ~left_out], target=some.target[:, ~left_out]))
    np.testing.assert_allclose(condensed.working, alone.working, rtol=1e-8)


def test_condensed_samples_hold_each_run_at_its_own_weight_and_value() -> None:
    weights = np.array([[0.0, 2.0, 0.0, 1.0, 0.0], [3.0, 0.0, 0.0, 0.0, 0.0]])
    target = np.arange(10.0).reshape(2, 5)

    condensed = Samples(weights=weights, target=target).condensed()

    np.testing.assert_array_equal(condensed.weights, [[2.0, 1.0], [3.0, 0.0]])
    np.testing.assert_array_equal(condensed.target, [[1.0, 3.0], [5.0, 5.0]])
    np.testing.assert_array_equal(condensed.runs, [[1, 3], [0, 0]])
