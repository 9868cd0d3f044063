"""Laws of a task's score or error, from the loss or straight from size, data or compute."""

from __future__ import annotations

from typing import Any

from allometry.laws.definition import Coefficient, Input, law
from allometry.laws.mathematics import exp, log, logistic


def _level(name: str, meaning: str, unit: str, *, typical: float) -> Coefficient:
    """A score, an error or a difference of two, found linearly; percent as well as shares."""
    return Coefficient(
        name=name,
        meaning=meaning,
        unit=unit,
        low=-1.0,
        high=1.0,
        positive=False,
        bounds=(-1e9, 1e9),
        typical=typical,
    )


def _steepness(name: str, meaning: str, unit: str, *, high: float, typical: float) -> Coefficient:
    """Above zero: with the other sign the same curve could be written twice."""
    return Coefficient(
        name=name, meaning=meaning, unit=unit, low=0.1, high=high, bounds=(1e-6, 1e6), typical=typical
    )


@law(
    reads=(Input(name="loss", low=0.6, high=1.5),),
    predicts="score",
    on="raw",
    source="Bhagia et al. 2024, step 2, arXiv:2412.04403",
    coefficients=(
        # Ordinary: near the least-squares fit of HellaSwag in the authors' public table of checkpoints.
        _level("a", "score at a high loss less the score at a low one", "score", typical=-0.769),
        _steepness("k", "four times the slope at the middle, over a", "token/nat", high=50.0, typical=12.56),
        Coefficient(
            name="L_0",
            meaning="loss at the middle of the rise",
            unit="nat/token",
            low=0.7,
            high=1.3,
            of="loss",
            bounds=(1e-6, 1e6),
            typical=0.7589,
        ),
        _level("b", "score at a low loss", "score", typical=1.0),
    ),
)
def task_sigmoid(L: Any, *, a: Any, k: Any, L_0: Any, b: Any) -> Any:
    """A task's score follows an S-shaped curve of the loss on its answers.

    A negative `a` is a score that rises as the loss falls. The published loss is the bits per byte of the
    correct answer: `inputs={"loss": "bits_per_byte"}`. Chance is a + b; hold it out of the fit only if the
    runs include models at chance.

    >>> float(task_sigmoid.evaluate({"loss": 1.0}, {"a": -0.75, "k": 8.0, "L_0": 1.0, "b": 1.0}))
    0.625
    """
    return a * logistic(k * (L - L_0)) + b


@law(
    reads=(Input(name="loss", low=2.2, high=4.5),),
    predicts="error",
    on="raw",
    source="Gadre et al. 2024, arXiv:2403.08540",
    coefficients=(
        # Published: the mean error of 17 tasks against the loss on C4, for models trained on C4.
        _level("epsilon", "error at a high loss: chance", "error", typical=0.850),
        Coefficient(
            name="k",
            meaning="error that a loss of 0 would remove",
            unit="error",
            low=1e-2,
            high=1e3,
            positive=False,
            bounds=(-1e9, 1e9),
            typical=2.08,
        ),
        _steepness(
            "gamma", "a loss lower by 1/gamma removes e times as much", "token/nat", high=10, typical=0.756
        ),
    ),
)
def task_exponential(L: Any, *, epsilon: Any, k: Any, gamma: Any) -> Any:
    """The error averaged over many tasks falls exponentially below chance as the loss falls.

    Equivalently a power law in perplexity. It has no lower end: below the loss at which it predicts no
    error it means nothing. Single tasks are often S-shaped instead: see `task_sigmoid`.

    >>> round(float(task_exponential.evaluate({"loss": 4.0}, task_exponential.typical)), 2)
    0.75
    """
    return epsilon - k * exp(-gamma * L)


@law(
    reads=("x",),
    predicts="score",
    on="raw",
    source="Ruan et al. 2024, arXiv:2405.10938",
    coefficients=(
        # Ordinary.
        _level("a", "rise from the lower end to the upper", "score", typical=0.7),
        _steepness("k", "steepness: the slope in log x at the middle is a k / 4", "1", high=5, typical=0.5),
        Coefficient(
            name="x_0",
            meaning="x at which half of the rise is done",
            unit="x",
            low=0.1,
            high=10.0,
            of="x",
            bounds=(1e-30, 1e60),
            typical=1e5,
        ),
        _level("b", "lower end: chance", "score", typical=0.25),
    ),
)
def saturating(x: Any, *, a: Any, k: Any, x_0: Any, b: Any) -> Any:
    """A score rises in an S-shape with the logarithm of x, from chance to an upper end.

    The alternative to a power law wherever the value has an end: map the input to compute, size, data
    or attempts, `fit("saturating", runs, inputs={"x": "flops"})`. Far below the middle it is the power law
    b + a (x/x_0)^k, so runs from there alone do not say where it ends.

    >>> float(saturating.evaluate({"x": 1e21}, {"a": 0.5, "k": 0.4, "x_0": 1e21, "b": 0.25}))
    0.5
    """
    return a * logistic(k * (log(x) - log(x_0))) + b


__test__ = {entry.name: entry.description for entry in (task_sigmoid, task_exponential, saturating)}
