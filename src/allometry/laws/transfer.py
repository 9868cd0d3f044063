"""Laws of what training on one distribution of data is worth on another."""

from __future__ import annotations

from typing import Any

from allometry.laws.coefficients import exponent, scale
from allometry.laws.definition import Input, law


@law(
    reads=("params", Input(name="finetune_tokens", low=1e5, high=1e9)),
    predicts="transferred_tokens",
    # Typical values: Table 1, text to Python, where data is counted in characters.
    source="Hernandez et al. 2021, eq. 1.1, arXiv:2102.01293",
    coefficients=(
        scale(
            "k",
            "data transferred at one unit of data and one parameter",
            "token^(1-alpha) / parameter^beta",
            typical=1.9e4,
        ),
        exponent("alpha", "how far the distributions are apart: smaller is closer", typical=0.18),
        exponent("beta", "how fast size makes pre-training worth more", typical=0.38),
    ),
)
def transfer(N: Any, D: Any, *, k: Any, alpha: Any, beta: Any) -> Any:
    """Pre-training is worth an amount of fine-tuning data that grows as a power of size and of that data.

    The effective data transferred is how much more fine-tuning data a model of the same size would need, from
    scratch, for the same loss. The law holds while fine-tuning data is scarce: below a tenth of what brings
    the size near its best loss. Count both amounts of data in one unit; the paper counts characters.

    What 1.75e11 parameters of text are worth in characters of Python, at 1 and at 300 characters:

    >>> gpt3 = {"params": 175e9, "finetune_tokens": [1, 300]}
    >>> [f"{worth:.1e}" for worth in transfer.evaluate(gpt3, transfer.typical)]
    ['3.6e+08', '9.9e+08']
    """
    return k * D**alpha * N**beta


__test__ = {transfer.name: transfer.description}
