"""Laws of what repeated attempts at a task bring."""

from __future__ import annotations

from typing import Any

from allometry.laws.coefficients import exponent
from allometry.laws.definition import Coefficient, Input, law
from allometry.laws.mathematics import exp


@law(
    reads=(Input(name="attempts", low=1, high=1e4),),
    predicts="coverage",
    on="logit",
    source="Brown et al. 2024, arXiv:2407.21787",
    coefficients=(
        # Ordinary: Pythia 12B on 128 problems of MATH, from the public counts of the paper's samples.
        Coefficient(
            name="a",
            meaning="-ln of the share solved by one attempt",
            unit="1",
            low=1e-2,
            high=1e2,
            bounds=(1e-30, 1e30),
            typical=4.13,
        ),
        exponent("b", "doubling the attempts divides -ln of the share solved by 2^b", typical=0.37),
    ),
)
def coverage(k: Any, *, a: Any, b: Any) -> Any:
    """The share of problems that at least one of k attempts solves is exp(-a k^-b): pass@k.

    The paper writes exp(a k^b) with both below zero. Use the unbiased pass@k of each problem, averaged over
    problems; the power law in -ln of it reflects how many problems are very hard (Schaeffer et al. 2025,
    arXiv:2502.17578), so resample problems, not attempts. Some problems may never be solved; the
    law says that all are in the end.

    >>> float(coverage.evaluate({"attempts": 1e4}, {"a": 4.0, "b": 0.5}))
    0.9607...
    """
    return exp(-a / k**b)


__test__ = {entry.name: entry.description for entry in (coverage,)}
