"""How fast a law's value changes with what it reads: exact, by steps along the imaginary axis.

f(x + ih) = f(x) + ih f'(x) for a tiny h, so that the imaginary part is the slope without a difference of two
nearly equal numbers: right to rounding where a loss is flat to its last digit (Squire and Trapp 1998, SIAM
Review 40(1), equation 3). All that laws are made of, powers, logarithms and the smaller of two, allow it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from allometry.laws import Law

Array = NDArray[np.float64]
Turned = NDArray[np.complex128]

_STEP = 1e-30


def turned(values: Array) -> Turned:
    """Values a tiny step further on the logarithmic scale, along the imaginary axis."""
    return np.asarray(values * (1 + 1j * _STEP))


def slope(law: Law, inputs: Mapping[str, Array | Turned], coefficients: Mapping[str, Array]) -> Array:
    """By how much the value rises for each unit of the logarithm of all inputs that are `turned`.

    >>> from allometry.laws import chinchilla
    >>> law = {name: np.array(value) for name, value in chinchilla.typical.items()}
    >>> size, data = np.array(1e9), np.array(2e10)
    >>> by_size = slope(chinchilla, {"params": turned(size), "tokens": data}, law)
    >>> np.isclose(by_size, -law["alpha"] * law["A"] * size ** -law["alpha"], rtol=1e-14)
    np.True_
    """
    read = tuple(np.asarray(inputs[name]) for name in law.reads)
    given = tuple(np.asarray(coefficients[name], dtype=np.float64) for name in law.names)
    with np.errstate(all="ignore"):  # as `Law.evaluate`: infinity says where a draw has no value
        return np.asarray(np.imag(law.derivation.value(read, given)) / _STEP)  # type: ignore[arg-type]
