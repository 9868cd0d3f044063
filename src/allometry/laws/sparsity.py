"""Laws of mixtures of experts, in which a token passes through a part of the parameters only."""

from __future__ import annotations

from typing import Any

from allometry.laws.coefficients import exponent, floor, scale
from allometry.laws.definition import Coefficient, Input, law
from allometry.laws.mathematics import exp, log

# All parameters, whether a token passes through them or not.
_TOTAL = Input(name="params_total", low=1e8, high=1e11)


def _slope(name: str, meaning: str, typical: float) -> Coefficient:
    return Coefficient(
        name=name,
        meaning=meaning,
        unit="1",
        low=-0.3,
        high=0.1,
        positive=False,
        bounds=(-5.0, 5.0),
        typical=typical,
    )


@law(
    reads=("params", Input(name="experts", low=1, high=512)),
    # Typical values: Table 3, S-BASE; the logarithms have base ten.
    source="Clark et al. 2022, eq. 1, arXiv:2202.01169",
    coefficients=(
        _slope("a", "slope in log-log of the loss in size, for one expert", -0.082),
        _slope("b", "slope in log-log of the loss in experts, for one parameter", -0.108),
        _slope("c", "how much each slope weakens with the other's decade", 0.009),
        Coefficient(
            name="d",
            meaning="logarithm to base ten of the loss of one parameter and one expert",
            unit="1",
            low=0.0,
            high=3.0,
            positive=False,
            bounds=(-20.0, 20.0),
            typical=1.104,
        ),
        Coefficient(
            name="E_start",
            meaning="experts that one expert is worth: routing has little effect before",
            unit="expert",
            low=1.0,
            high=8.0,
            bounds=(0.01, 20.0),
            typical=1.847,
        ),
        Coefficient(
            name="E_max",
            meaning="experts that ever more experts are worth: routing has little effect beyond",
            unit="expert",
            low=50.0,
            high=5000.0,
            bounds=(20.0, 1e12),
            typical=314.478,
        ),
    ),
)
def routed_experts(N: Any, experts: Any, *, a: Any, b: Any, c: Any, d: Any, E_start: Any, E_max: Any) -> Any:
    """Loss falls as a power of size and of the number of experts, and each power weakens with the other.

    log L = a·log N + b·log X + c·log N·log X + d, where X is the number of experts, saturating below E_start
    and above E_max. params counts the dense model whose compute per token the mixture has, and all runs are
    trained on as many tokens. A size beyond 10^(-b/c) gains nothing by routing.

    A model of 1.3e9 parameters with 1 and with 128 experts:

    >>> sizes = {"params": 1.3e9, "experts": [1, 128]}
    >>> routed_experts.evaluate(sizes, routed_experts.typical).round(2).tolist()
    [2.24, 2.02]
    """
    size = log(N) / log(10)
    saturating = 1 / (1 / (experts - 1 + 1 / (1 / E_start - 1 / E_max)) + 1 / E_max)
    routing = log(saturating) / log(10)
    return exp(log(10) * (a * size + b * routing + c * size * routing + d))


@law(
    reads=(_TOTAL, "tokens", Input(name="granularity", low=1, high=64)),
    # Typical values: Table 1, MoE, 64 times as many experts as pass a token.
    source="Krajewski et al. 2024, eq. 9, arXiv:2402.07871",
    coefficients=(
        floor("irreducible loss: what no size and no data removes", name="c", typical=0.47),
        scale(
            "a",
            "loss owed to finite size by infinitely fine experts",
            "nat/token · parameter^alpha",
            typical=18.1,
        ),
        scale(
            "g",
            "loss that experts as large as a dense layer add to it",
            "nat/token · parameter^alpha",
            typical=2.1,
        ),
        scale("b", "loss owed to finite data at one token", "nat/token · token^beta", typical=30.8),
        exponent("alpha", "how fast size pays", typical=0.115),
        exponent("beta", "how fast data pays", typical=0.147),
        exponent("gamma", "how fast finer experts pay", typical=0.58),
    ),
)
def granular_experts(
    N: Any,
    D: Any,
    G: Any,
    *,
    c: Any,
    a: Any,
    g: Any,
    b: Any,
    alpha: Any,
    beta: Any,
    gamma: Any,
) -> Any:
    """Many small experts do better than a few large ones: the term of size falls with granularity.

    Granularity is how many times smaller an expert is than the dense layer that it stands for. The ratio of
    all experts to those that a token passes is the same in all runs.

    Experts of the usual size, and experts of a sixteenth of it:

    >>> sizes = {"params_total": 43e9, "tokens": 28.94e9, "granularity": [1, 16]}
    >>> granular_experts.evaluate(sizes, granular_experts.typical).round(2).tolist()
    [2.57, 2.47]
    """
    return c + (a + g / G**gamma) / N**alpha + b / D**beta


@law(
    reads=(_TOTAL, "tokens", Input(name="sparsity", low=0.0, high=0.98, positive=False)),
    # Typical values: Table 3.
    source="Abnar et al. 2025, eq. 6, arXiv:2501.12370",
    coefficients=(
        floor("irreducible loss: what no size, no data and no experts remove", name="e", typical=0.94),
        scale(
            "a", "loss owed to finite size at one parameter", "nat/token · parameter^alpha", typical=16612.5
        ),
        scale("b", "loss owed to finite data at one token", "nat/token · token^beta", typical=5455.67),
        scale("c", "loss that active parameters cost or save whatever the size", "nat/token", typical=0.4598),
        scale("d", "loss that sparsity adds at one parameter", "nat/token · parameter^gamma", typical=17.26),
        exponent("alpha", "how fast size pays, dense or sparse", typical=0.5962),
        exponent("beta", "how fast data pays", typical=0.3954),
        exponent("gamma", "how fast size makes sparsity cheap", typical=0.1595),
        exponent("delta", "how fast sparsity costs", typical=0.1603),
        Coefficient(
            name="lam",
            meaning="how fast the term of active parameters grows with sparsity; below 0 it falls",
            unit="1",
            low=-0.6,
            high=0.6,
            positive=False,
            bounds=(-3.0, 3.0),
            typical=-0.1666,
        ),
    ),
)
def sparse_experts(
    N: Any,
    D: Any,
    S: Any,
    *,
    e: Any,
    a: Any,
    b: Any,
    c: Any,
    d: Any,
    alpha: Any,
    beta: Any,
    gamma: Any,
    delta: Any,
    lam: Any,
) -> Any:
    """Leaving experts idle costs less loss the more parameters a model has in all.

    Sparsity is the share of experts that a token does not pass: 0 where all are active, below 1. Ten
    coefficients ask for many runs: the authors' forecast of a sparsity held out was much worse than their
    fit (R² .68 against .99).

    Dense, and with 7 in 8 experts idle:

    >>> sizes = {"params_total": 10e9, "tokens": 100e9, "sparsity": [0, 0.875]}
    >>> sparse_experts.evaluate(sizes, sparse_experts.typical).round(2).tolist()
    [2.1, 2.14]
    """
    active = 1 - S
    return e + a / N**alpha + b / D**beta + c / active**lam + d / (active**delta * N**gamma)


__test__ = {entry.name: entry.description for entry in (routed_experts, granular_experts, sparse_experts)}
