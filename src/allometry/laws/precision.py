"""Laws of training and serving in few bits."""

from __future__ import annotations

from typing import Any

from allometry.laws.coefficients import exponent, floor, scale
from allometry.laws.definition import Coefficient, Input, law
from allometry.laws.mathematics import exp

# Table 2 of the paper, which prints one exponent for size and data and adds offsets to the bits that its
# equations, and these laws, leave out: its coefficients show their order of magnitude, not its fit.
_FLOOR = floor("irreducible loss: what no size and no data removes", typical=2.7648)
_SIZE = scale("A", "loss owed to finite size at one parameter", "nat/token · parameter^alpha", typical=4299.0)
_DATA = scale("B", "loss owed to finite data at one token", "nat/token · token^beta", typical=18060.0)
_ALPHA = exponent("alpha", "how fast size pays", typical=0.4965)
_BETA = exponent("beta", "how fast data pays", typical=0.4965)


def _sensitivity(name: str, meaning: str, typical: float) -> Coefficient:
    return Coefficient(
        name=name, meaning=meaning, unit="bit", low=0.3, high=5.0, bounds=(1e-2, 1e3), typical=typical
    )


@law(
    reads=(
        Input(name="params", low=1e7, high=1e9),
        Input(name="tokens", low=1e9, high=1e11),
        Input(name="weight_bits", low=2, high=16),
        Input(name="activation_bits", low=2, high=16),
        Input(name="cache_bits", low=2, high=16),
    ),
    source="Kumar et al. 2024, eqs. 3 and 4, arXiv:2411.04330",
    coefficients=(
        _FLOOR,
        _SIZE,
        _DATA,
        _ALPHA,
        _BETA,
        _sensitivity("gamma_w", "bits in which weights lose all but 1/e of the harm of few bits", 2.6745),
        _sensitivity("gamma_a", "bits in which activations lose all but 1/e of it", 2.2102),
        _sensitivity("gamma_kv", "bits in which the key-value cache loses all but 1/e of it", 0.9578),
    ),
)
def precision(
    N: Any,
    D: Any,
    w: Any,
    a: Any,
    kv: Any,
    *,
    E: Any,
    A: Any,
    B: Any,
    alpha: Any,
    beta: Any,
    gamma_w: Any,
    gamma_a: Any,
    gamma_kv: Any,
) -> Any:
    """Training in few bits acts like having fewer parameters.

    It is `chinchilla` with N·(1 - exp(-w/gamma_w))·(1 - exp(-a/gamma_a))·(1 - exp(-kv/gamma_kv)) for N:
    weights, activations and the key-value cache each take their share. A study that varies the weights alone,
    with the others in 16 bits, holds the other two coefficients: `hold={"gamma_a": 2.2, "gamma_kv": 1.0}`.

    A model with weights of 16 and of 4 bits:

    >>> bits = {"weight_bits": [16, 4], "activation_bits": 16, "cache_bits": 16}
    >>> precision.evaluate({"params": 1e9, "tokens": 20e9} | bits, precision.typical).round(3).tolist()
    [3.05, 3.069]
    """
    share = (1 - exp(-w / gamma_w)) * (1 - exp(-a / gamma_a)) * (1 - exp(-kv / gamma_kv))
    return E + A / (N * share) ** alpha + B / D**beta


@law(
    reads=(
        Input(name="params", low=1e7, high=1e9),
        Input(name="tokens", low=1e9, high=1e11),
        Input(name="quantized_bits", low=2, high=8),
    ),
    source="Kumar et al. 2024, eqs. 1 and 2, arXiv:2411.04330",
    coefficients=(
        _FLOOR,
        _SIZE,
        _DATA,
        scale(
            "C",
            "loss added at one token, one parameter and no bits",
            "nat/token · parameter^gamma_N / token^gamma_D",
            typical=0.0598,
        ),
        _ALPHA,
        _BETA,
        exponent("gamma_D", "how fast more data makes a model easier to harm", typical=0.5068),
        exponent("gamma_N", "how fast more parameters make it harder to harm", typical=0.3439),
        _sensitivity("gamma_post", "bits that cut the added loss to 1/e", 0.5907),
    ),
)
def precision_post(
    N: Any,
    D: Any,
    bits: Any,
    *,
    E: Any,
    A: Any,
    B: Any,
    C: Any,
    alpha: Any,
    beta: Any,
    gamma_D: Any,
    gamma_N: Any,
    gamma_post: Any,
) -> Any:
    """Quantizing the weights after training adds a loss that grows with data and shrinks with size and bits.

    The loss of a model trained in 16 bits is that of `chinchilla`; quantization adds
    C·D^gamma_D/N^gamma_N·exp(-bits/gamma_post). Beyond some number of tokens, more training data harms the
    quantized model.

    1e8 parameters, on ever more data, with weights of 3 bits:

    >>> sizes = {"params": 1e8, "tokens": [1e9, 1e10, 1e11], "quantized_bits": 3}
    >>> precision_post.evaluate(sizes, precision_post.typical).round(2).tolist()
    [3.86, 3.5, 3.53]
    """
    added = C * D**gamma_D / N**gamma_N * exp(-bits / gamma_post)
    return E + A / N**alpha + B / D**beta + added


__test__ = {entry.name: entry.description for entry in (precision, precision_post)}
