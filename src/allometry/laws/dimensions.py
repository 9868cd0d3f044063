"""Laws that tell a model's dimensions apart from its size."""

from __future__ import annotations

from typing import Any

from allometry.laws.coefficients import exponent, floor, scale
from allometry.laws.definition import Input, law

# The 22 shapes of the study, at its 10e9 to 100e9 tokens.
_WIDTH = Input(name="width", low=256, high=3072)
_LAYERS = Input(name="layers", low=3, high=80)
_PARAMS = Input(name="params", low=5e7, high=2e9)
_TOKENS = Input(name="tokens", low=1e10, high=1e11)


@law(
    reads=(_WIDTH, _LAYERS, _PARAMS, _TOKENS),
    source="McLeish et al. 2025, approach 3 with width and depth, arXiv:2502.06857",
    coefficients=(
        # The authors' fit of checkpoints before cooldown, stated as logarithms: 0.3925, 1.4520, -0.0781, ...
        floor("irreducible loss: what no shape and no data removes", typical=1.48062),
        scale("A_w", "loss owed to finite width at width 1", "nat/token", typical=4.27169),
        scale("A_d", "loss owed to finite depth at one layer", "nat/token", typical=0.924870),
        scale(
            "A", "loss owed to finite size at one parameter", "nat/token · parameter^alpha", typical=2892.95
        ),
        scale("B", "loss owed to finite data at one token", "nat/token · token^beta", typical=23375.1),
        exponent("alpha_w", "doubling the width divides its term by 2^alpha_w", typical=0.244691),
        exponent("alpha_d", "doubling the layers divides their term by 2^alpha_d", typical=0.387152),
        exponent("alpha", "doubling N divides its term by 2^alpha", typical=0.500084),
        exponent("beta", "doubling D divides its term by 2^beta", typical=0.476106),
    ),
)
def width_depth(
    w: Any,
    d: Any,
    N: Any,
    D: Any,
    *,
    E: Any,
    A_w: Any,
    A_d: Any,
    A: Any,
    B: Any,
    alpha_w: Any,
    alpha_d: Any,
    alpha: Any,
    beta: Any,
) -> Any:
    """Width and number of layers add to the loss, each beside the term of the size they make.

    Width and layers nearly determine the size, so the coefficients lie in a long flat valley: many
    different ones describe the same runs equally well. Compare predictions between fits of this law, and
    vary width and layers independently in the study. Without the size's term it is the same paper's law
    of three inputs: hold A near zero, for example `hold={"A": 1e-20, "alpha": 0.5}`.

    Two of the study's shapes of a billion parameters, wide and shallow or narrow and deep:

    >>> shapes = {"width": [2560, 1280], "layers": [8, 36], "params": [1.044e9, 1.014e9], "tokens": 1e11}
    >>> width_depth.evaluate(shapes, width_depth.typical).round(2).tolist()
    [2.74, 2.68]
    """
    return E + A_w / w**alpha_w + A_d / d**alpha_d + A / N**alpha + B / D**beta


__test__ = {entry.name: entry.description for entry in (width_depth,)}
