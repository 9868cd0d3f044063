"""Laws of the best learning rate and batch, and of what a batch costs."""

from __future__ import annotations

from typing import Any

from allometry.laws.coefficients import scale
from allometry.laws.definition import Coefficient, Input, law

_BATCH = Input(name="batch_tokens", low=1e4, high=1e7)
_LOSS = Input(name="loss", low=2.0, high=6.0)


def _slope(name: str, meaning: str, typical: float) -> Coefficient:
    """An exponent that may turn out to have either sign."""
    return Coefficient(
        name=name,
        meaning=meaning,
        unit="1",
        low=-0.5,
        high=1.5,
        positive=False,
        bounds=(-3.0, 3.0),
        typical=typical,
    )


@law(
    reads=("params", "tokens"),
    predicts="learning_rate",
    source="Li et al. 2025 (Step Law), arXiv:2503.04715",
    coefficients=(
        scale("c", "best rate at one parameter and one token", "parameter^a · token^-b", typical=1.79),
        _slope("a", "doubling N divides the best rate by 2^a", typical=0.713),
        _slope("b", "doubling D multiplies the best rate by 2^b", typical=0.307),
    ),
)
def learning_rate_rule(N: Any, D: Any, *, c: Any, a: Any, b: Any) -> Any:
    """The best peak learning rate falls with size and rises with data.

    Fit it to the best run at each size and length, not to all runs. The published N leaves out the
    embedding and the head; the optimizer is AdamW without muP. A rule in compute alone, such as
    0.3118 C^-0.125 (DeepSeek-AI 2024, arXiv:2401.02954), is a `power_law` of flops with
    `output="learning_rate"`.

    A billion parameters on 100e9 tokens:

    >>> float(learning_rate_rule.evaluate({"params": 1e9, "tokens": 1e11}, learning_rate_rule.typical)) * 1e3
    1.63...
    """
    return c * D**b / N**a


@law(
    reads=("tokens",),
    predicts="batch_tokens",
    source="Li et al. 2025 (Step Law), arXiv:2503.04715",
    coefficients=(
        scale("c", "best batch of a run of one token", "token^(1-b)", typical=0.58),
        _slope("b", "doubling D multiplies the best batch by 2^b", typical=0.571),
    ),
)
def batch_rule(D: Any, *, c: Any, b: Any) -> Any:
    """The best batch for the final loss grows with the tokens trained on, whatever the size.

    It is not the critical batch, which trades time against compute (see `critical_batch`). A rule in compute,
    such as 0.2920 C^0.3271 (DeepSeek-AI 2024, arXiv:2401.02954), is this law with
    `inputs={"tokens": "flops"}`.

    100e9 tokens:

    >>> round(float(batch_rule.evaluate({"tokens": 1e11}, batch_rule.typical)), -3)
    1108000.0
    """
    return c * D**b


@law(
    reads=(_LOSS,),
    predicts="critical_batch_tokens",
    source="Kaplan et al. 2020, eq. 1.4 and 5.3, arXiv:2001.08361",
    coefficients=(
        Coefficient(
            name="B_star",
            meaning="critical batch at a loss of 1 nat/token",
            unit="token · (nat/token)^(1/alpha_B)",
            low=1e4,
            high=1e12,
            bounds=(1e-30, 1e60),
            typical=2e8,
        ),
        Coefficient(
            name="alpha_B",
            meaning="halving the loss multiplies the critical batch by 2^(1/alpha_B)",
            unit="1",
            low=0.05,
            high=2.0,
            positive=False,
            bounds=(0.01, 30.0),
            typical=0.21,
        ),
    ),
)
def critical_batch(L: Any, *, B_star: Any, alpha_B: Any) -> Any:
    """The batch beyond which more of it hardly saves steps grows as the loss falls.

    It depends on size only through the loss reached. The gradient noise scale estimates it during one
    run; `batch_tradeoff` measures it from runs of several batches.

    At 3 nat/token:

    >>> round(float(critical_batch.evaluate({"loss": 3.0}, critical_batch.typical)), -4)
    1070000.0
    """
    return B_star / L ** (1 / alpha_B)


@law(
    reads=(_BATCH,),
    predicts="steps",
    source="McCandlish et al. 2018, arXiv:1812.06162, as in Kaplan et al. 2020, eq. 5.1, arXiv:2001.08361",
    coefficients=(
        # Ordinary: what `critical_batch` gives near 3 nat/token, 1e6 tokens, at 1e4 steps.
        scale("S_min", "steps to the loss when the batch is unlimited", "step", typical=1e4),
        scale("D_min", "tokens to the loss when the batch is tiny", "token", typical=1e10),
    ),
)
def batch_tradeoff(B: Any, *, S_min: Any, D_min: Any) -> Any:
    """Reaching a given loss takes fewer steps with a larger batch, but more tokens.

    This is (S/S_min - 1) (D/D_min - 1) = 1 with D = B S, solved for the steps. Fit it to runs stopped
    at one loss. The critical batch is D_min / S_min: there the run takes twice the fewest steps and
    twice the fewest tokens.

    >>> least = {"S_min": 1e4, "D_min": 1e10}
    >>> float(batch_tradeoff.evaluate({"batch_tokens": 1e6}, least))
    20000.0
    """
    return S_min + D_min / B


__test__ = {
    entry.name: entry.description
    for entry in (learning_rate_rule, batch_rule, critical_batch, batch_tradeoff)
}
