"""The random hierarchy model: strings of a random grammar of fixed depth, each with one derivation."""

# S: symbols of a level · R: productions of a symbol · B: symbols that a production makes

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from allometry.lab.synthetic.zipf import entropies
from allometry.recipe import RandomHierarchy


def draw(source: RandomHierarchy) -> npt.NDArray[np.uint16]:
    """Strings one after the other, each of a class drawn anew; every production is equally likely."""
    generator = np.random.default_rng([source.seed, 1])
    strings = source.tokens // source.block
    level = generator.integers(0, source.symbols, size=(strings, 1))
    for depth in range(source.levels):
        rules_SRB = productions(source, depth)
        chosen = generator.integers(0, source.rules, size=level.shape)
        level = rules_SRB[level, chosen].reshape(strings, -1)
    return level.astype(np.uint16).ravel()


def productions(source: RandomHierarchy, depth: int) -> npt.NDArray[np.int64]:
    """What the symbols of a level become, no two productions alike, shape (symbols, rules, branching)."""
    generator = np.random.default_rng([source.seed, 0, depth])
    possible, wanted = source.symbols**source.branching, source.symbols * source.rules
    codes = generator.choice(possible, size=wanted, replace=False)
    digits = [codes // source.symbols**place % source.symbols for place in range(source.branching)]
    return np.stack(digits, axis=1).reshape(source.symbols, source.rules, source.branching)


def block_entropy(source: RandomHierarchy) -> float:
    """Entropy of a string in nats: of its class and of the productions that its derivation takes.

    Source:
        Cagnetta et al. 2024, arXiv:2307.02129, section 2: a level of b**l symbols takes b**l productions,
        each one of `rules`; the derivation is unique, so that its entropy is the string's.
    """
    taken = sum(source.branching**depth for depth in range(source.levels))
    classes = entropies(np.full(source.symbols, 1 / source.symbols))
    return float(classes + taken * np.log(source.rules))
