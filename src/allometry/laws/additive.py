"""Laws in which what size and data leave undone adds up."""

from __future__ import annotations

from typing import Any

from allometry.laws.coefficients import exponent, floor, scale
from allometry.laws.definition import Coefficient, law


def _constant(name: str, meaning: str, unit: str, typical: float, high: float = 1e18) -> Coefficient:
    return Coefficient(
        name=name, meaning=meaning, unit=unit, low=1e6, high=high, bounds=(1e-9, 1e60), typical=typical
    )


@law(
    reads=("params", "tokens"),
    source="Hoffmann et al. 2022, eq. 2, arXiv:2203.15556",
    coefficients=(
        floor("irreducible loss: what no size and no data removes", typical=1.8172),
        scale(
            "A", "loss owed to finite size at one parameter", "nat/token · parameter^alpha", typical=477.84
        ),
        scale("B", "loss owed to finite data at one token", "nat/token · token^beta", typical=2143.9),
        exponent("alpha", "how fast size pays: doubling N divides its term by 2^alpha", typical=0.3473),
        exponent("beta", "how fast data pays: doubling D divides its term by 2^beta", typical=0.3672),
    ),
)
def chinchilla(N: Any, D: Any, *, E: Any, A: Any, B: Any, alpha: Any, beta: Any) -> Any:
    """Loss above a floor falls as a power of parameters plus a power of tokens.

    Gopher's 280e9 parameters on 300e9 tokens, by the published coefficients:

    >>> published = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
    >>> round(float(chinchilla.evaluate({"params": 280e9, "tokens": 300e9}, published)), 3)
    1.993
    """
    return E + A / N**alpha + B / D**beta


@law(
    reads=("x",),
    source="Hestness et al. 2017, section 2, arXiv:1712.00409",
    coefficients=(
        scale("A", "value at x = 1", "output · x^alpha", typical=20.0),
        exponent("alpha", "slope in log-log: doubling x divides the value by 2^alpha", typical=0.1),
    ),
)
def power_law(x: Any, *, A: Any, alpha: Any) -> Any:
    """The predicted value falls as a power of one input, towards zero.

    Map the input to a column: `fit("power_law", runs, inputs={"x": "flops"})`.

    >>> float(power_law.evaluate({"x": 4.0}, {"A": 6.0, "alpha": 0.5}))
    3.0
    """
    return A / x**alpha


@law(
    reads=("x",),
    source="Henighan et al. 2020, eq. 1.1, arXiv:2010.14701",
    coefficients=(
        floor("irreducible value: what no amount of x removes", typical=1.7),
        scale("A", "value above the floor at x = 1", "output · x^alpha", typical=60.0),
        exponent("alpha", "doubling x divides the value above the floor by 2^alpha", typical=0.25),
    ),
)
def power_law_with_floor(x: Any, *, E: Any, A: Any, alpha: Any) -> Any:
    """The predicted value falls as a power of one input, towards a floor.

    The law to use when parameters and tokens grow together, so that only compute can be told apart.

    >>> float(power_law_with_floor.evaluate({"x": 4.0}, {"E": 1.5, "A": 6.0, "alpha": 0.5}))
    4.5
    """
    return E + A / x**alpha


@law(
    reads=("params", "tokens"),
    source="Kaplan et al. 2020, eq. 1.5, arXiv:2001.08361",
    coefficients=(
        _constant("Nc", "size at which the loss of unlimited data would be 1 nat/token", "parameter", 6.4e13),
        _constant("Dc", "tokens at which the loss of unlimited size would be 1 nat/token", "token", 1.8e13),
        exponent("aN", "slope in log-log of the loss in size alone", typical=0.076),
        exponent("aD", "slope in log-log of the loss in data alone", typical=0.103),
    ),
)
def kaplan(N: Any, D: Any, *, Nc: Any, Dc: Any, aN: Any, aD: Any) -> Any:
    """Loss falls as a power of size or of data, whichever is short, towards zero.

    With the published coefficients, a billion non-embedding parameters on 22e9 tokens:

    >>> published = {"Nc": 6.4e13, "Dc": 1.8e13, "aN": 0.076, "aD": 0.103}
    >>> round(float(kaplan.evaluate({"params": 1e9, "tokens": 22e9}, published)), 2)
    2.37
    """
    return ((Nc / N) ** (aN / aD) + Dc / D) ** aD


@law(
    reads=("params", "tokens"),
    # The floor, the exponent and the forecast errors agree with the authors' table of runs (C4); a and b are
    # ordinary values for those runs.
    source="Gadre et al. 2024, arXiv:2403.08540",
    coefficients=(
        floor("irreducible loss: what no compute removes", typical=1.51),
        scale("a", "loss owed to finite size at one FLOP and M = 1", "nat/token · FLOP^eta", typical=141.0),
        scale("b", "loss owed to finite data at one FLOP and M = 1", "nat/token · FLOP^eta", typical=190.0),
        exponent("eta", "how fast compute pays at any fixed number of tokens per parameter", typical=0.121),
    ),
)
def chinchilla_tied(N: Any, D: Any, *, E: Any, a: Any, b: Any, eta: Any) -> Any:
    """Loss above a floor falls as one power of compute, whatever the number of tokens per parameter.

    With compute C = 6·N·D and M = D/N tokens per parameter: L = E + (a·M^eta + b·M^-eta)·C^-eta.
    Over-training (a large M) then shifts the line of loss against compute and does not turn it. It is
    `chinchilla` with alpha = beta = 2·eta, A = a/6^eta and B = b/6^eta.

    1.2e20 FLOP at 20 and at 320 tokens per parameter:

    >>> sizes = {"params": [1e9, 0.25e9], "tokens": [20e9, 80e9]}
    >>> chinchilla_tied.evaluate(sizes, chinchilla_tied.typical).round(2).tolist()
    [2.76, 2.92]
    """
    compute, per_parameter = 6 * N * D, D / N
    return E + (a * per_parameter**eta + b / per_parameter**eta) / compute**eta


@law(
    reads=("params",),
    source="Kaplan et al. 2020, eq. 1.1, arXiv:2001.08361",
    coefficients=(
        _constant("Nc", "size at which the loss would be 1 nat/token", "parameter", 8.8e13),
        exponent("aN", "slope in log-log: doubling N divides the loss by 2^aN", typical=0.076),
    ),
)
def kaplan_params(N: Any, *, Nc: Any, aN: Any) -> Any:
    """Loss of models trained to convergence on ample data falls as a power of their size, towards zero.

    A billion parameters, embeddings not counted:

    >>> round(float(kaplan_params.evaluate({"params": 1e9}, {"Nc": 8.8e13, "aN": 0.076})), 2)
    2.38
    """
    return (Nc / N) ** aN


@law(
    reads=("tokens",),
    source="Kaplan et al. 2020, eq. 1.2, arXiv:2001.08361",
    coefficients=(
        _constant("Dc", "tokens at which the loss would be 1 nat/token", "token", 5.4e13),
        exponent("aD", "slope in log-log: doubling D divides the loss by 2^aD", typical=0.095),
    ),
)
def kaplan_tokens(D: Any, *, Dc: Any, aD: Any) -> Any:
    """Loss of large models stopped early on limited data falls as a power of the data, towards zero.

    >>> round(float(kaplan_tokens.evaluate({"tokens": 22e9}, {"Dc": 5.4e13, "aD": 0.095})), 2)
    2.1
    """
    return (Dc / D) ** aD


@law(
    reads=("flops",),
    source="Kaplan et al. 2020, eq. 1.3, arXiv:2001.08361",
    coefficients=(
        # Published as 3.1e8 PF-days; a PF-day is 1e15 FLOP/s for 86,400 s.
        _constant("Cc", "compute at which the loss would be 1 nat/token", "FLOP", 3.1e8 * 8.64e19, 1e36),
        exponent("aC", "slope in log-log: doubling C divides the loss by 2^aC", typical=0.050),
    ),
)
def kaplan_flops(C: Any, *, Cc: Any, aC: Any) -> Any:
    """Loss of models of the best size for their compute falls as a power of it, towards zero.

    Kaplan et al. count the compute that a batch far below the critical size would have needed.

    >>> round(float(kaplan_flops.evaluate({"flops": 8.64e19}, {"Cc": 3.1e8 * 8.64e19, "aC": 0.050})), 2)
    2.66
    """
    return (Cc / C) ** aC


# Laws are values, not functions, so the examples in their docstrings are handed to doctest by name.
_LAWS = (
    chinchilla,
    chinchilla_tied,
    power_law,
    power_law_with_floor,
    kaplan,
    kaplan_params,
    kaplan_tokens,
    kaplan_flops,
)
__test__ = {entry.name: entry.description for entry in _LAWS}
