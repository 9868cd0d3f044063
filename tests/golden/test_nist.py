"""The engine against the certified answers of NIST's Statistical Reference Datasets, nonlinear regression.

The files of nist/ are those of the National Institute of Standards and Technology, in the public domain.
Each states its model, two starting points, and least-squares answers computed in extended precision.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from inspect import Parameter, Signature
from math import pi
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sympy import atan, cos, exp, sin

from allometry.fitting.engine import Minima, Problem, Samples, minimise
from allometry.fitting.objectives import Objective
from allometry.laws import Coefficient, Input, Law, law

FOLDER = Path(__file__).parent / "nist"
DIGITS = 6  # of each coefficient and of the residual sum, as NIST suggests for double precision


@dataclass(frozen=True)
class Reference:
    starts: np.ndarray  # (2, p)
    certified: np.ndarray  # (p,)
    residual_sum: float
    output: np.ndarray  # (n,)
    inputs: tuple[np.ndarray, ...]


def read(name: str) -> Reference:
    """A file of the collection; where lines stand is said in its head."""
    lines = (FOLDER / f"{name}.dat").read_text().splitlines()
    rows = [line.split("=")[1].split() for line in lines if re.match(r"\s*b\d+\s*=", line)]
    table = np.array([[float(number) for number in row[:3]] for row in rows])
    total = next(line for line in lines if line.startswith("Residual Sum of Squares"))
    first = max(place for place, line in enumerate(lines) if line.startswith("Data:")) + 1
    data = np.array([[float(number) for number in line.split()] for line in lines[first:] if line.strip()])
    return Reference(
        starts=table[:, :2].T,
        certified=table[:, 2],
        residual_sum=float(total.split()[-1]),
        output=data[:, 0],
        inputs=tuple(data[:, 1:].T),
    )


Formula = Callable[[Any, Any], Any]


def gauss(x: Any, b: Any) -> Any:
    return (
        b[0] * exp(-b[1] * x)
        + b[2] * exp(-((x - b[3]) ** 2) / b[4] ** 2)
        + b[5] * exp(-((x - b[6]) ** 2) / b[7] ** 2)
    )


def lanczos(x: Any, b: Any) -> Any:
    return b[0] * exp(-b[1] * x) + b[2] * exp(-b[3] * x) + b[4] * exp(-b[5] * x)


def cubic_ratio(x: Any, b: Any) -> Any:
    return (b[0] + b[1] * x + b[2] * x**2 + b[3] * x**3) / (1 + b[4] * x + b[5] * x**2 + b[6] * x**3)


def chwirut(x: Any, b: Any) -> Any:
    return exp(-b[0] * x) / (b[1] + b[2] * x)


def enso(x: Any, b: Any) -> Any:
    waves = b[0] + b[1] * cos(2 * pi * x / 12) + b[2] * sin(2 * pi * x / 12)
    for period, even, odd in ((b[3], b[4], b[5]), (b[6], b[7], b[8])):
        waves = waves + even * cos(2 * pi * x / period) + odd * sin(2 * pi * x / period)
    return waves


MODELS: dict[str, Formula] = {
    "Misra1a": lambda x, b: b[0] * (1 - exp(-b[1] * x)),
    "Chwirut2": chwirut,
    "Chwirut1": chwirut,
    "Lanczos3": lanczos,
    "Gauss1": gauss,
    "Gauss2": gauss,
    "DanWood": lambda x, b: b[0] * x ** b[1],
    "Misra1b": lambda x, b: b[0] * (1 - (1 + b[1] * x / 2) ** (-2)),
    "Kirby2": lambda x, b: (b[0] + b[1] * x + b[2] * x**2) / (1 + b[3] * x + b[4] * x**2),
    "Hahn1": cubic_ratio,
    "Nelson": lambda x, b: b[0] - b[1] * x[0] * exp(-b[2] * x[1]),
    "MGH17": lambda x, b: b[0] + b[1] * exp(-x * b[3]) + b[2] * exp(-x * b[4]),
    "Lanczos1": lanczos,
    "Lanczos2": lanczos,
    "Gauss3": gauss,
    "Misra1c": lambda x, b: b[0] * (1 - (1 + 2 * b[1] * x) ** (-0.5)),
    "Misra1d": lambda x, b: b[0] * b[1] * x / (1 + b[1] * x),
    "Roszman1": lambda x, b: b[0] - b[1] * x - atan(b[2] / (x - b[3])) / pi,
    "ENSO": enso,
    "MGH09": lambda x, b: b[0] * (x**2 + x * b[1]) / (x**2 + x * b[2] + b[3]),
    "Thurber": cubic_ratio,
    "BoxBOD": lambda x, b: b[0] * (1 - exp(-b[1] * x)),
    "Rat42": lambda x, b: b[0] / (1 + exp(b[1] - b[2] * x)),
    "MGH10": lambda x, b: b[0] * exp(b[1] / (x + b[2])),
    "Eckerle4": lambda x, b: b[0] / b[1] * exp(-0.5 * ((x - b[2]) / b[1]) ** 2),
    "Rat43": lambda x, b: b[0] / (1 + exp(b[1] - b[2] * x)) ** (1 / b[3]),
    "Bennett5": lambda x, b: b[0] * (b[1] + x) ** (-1 / b[2]),
}  # fmt: skip
LOGGED = {"Nelson"}  # whose model is of the logarithm of the response


def as_law(name: str, formula: Formula, coefficients: int, inputs: int) -> Law:
    """A model of the collection as the engine takes it: coefficients of either sign, no bounds."""
    opened = [f"b{place + 1}" for place in range(coefficients)]
    columns = [f"x{place + 1}" for place in range(inputs)]

    def model(*x: Any, **b: Any) -> Any:
        return formula(x if inputs > 1 else x[0], [b[one] for one in opened])

    arguments = [Parameter(column, Parameter.POSITIONAL_ONLY) for column in columns]
    arguments += [Parameter(b, Parameter.KEYWORD_ONLY) for b in opened]
    model.__signature__ = Signature(arguments)  # type: ignore[attr-defined]
    return law(
        reads=tuple(Input(name=column, low=0, high=1, positive=False) for column in columns),
        source="NIST StRD",
        coefficients=tuple(
            Coefficient(name=b, meaning=b, unit="1", low=-1, high=1, positive=False) for b in opened
        ),
        on="raw",
        name=name,
    )(model)


def solved(name: str, start: int) -> tuple[Minima, Reference]:
    reference = read(name)
    model = as_law(name, MODELS[name], len(reference.certified), len(reference.inputs))
    goal = Objective(name="least_squares", on="raw")
    problem = Problem(law=model, inputs=reference.inputs, objective=goal, held={})
    target = np.log(reference.output) if name in LOGGED else reference.output
    samples = Samples(weights=np.ones((1, len(target))), target=target[None])
    return minimise(problem, reference.starts[start][None], samples), reference


@pytest.mark.parametrize("start", [0, 1], ids=["far start", "near start"])
@pytest.mark.parametrize("name", list(MODELS))
def test_the_engine_finds_the_certified_answer(name: str, start: int) -> None:
    found, reference = solved(name, start)

    np.testing.assert_allclose(found.working[0], reference.certified, rtol=10**-DIGITS)
    if name != "Lanczos1":  # whose residuals are rounding: 1.4e-25
        assert found.value[0] == pytest.approx(reference.residual_sum, rel=10**-DIGITS)
