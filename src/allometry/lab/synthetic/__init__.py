"""Token sequences drawn from a process of known entropy: what a perfect model's loss would be.

The lab scores windows of `context` inputs, each with the token after it as its target. So every target has
some of its past in view, and the last target of a window is the first token after it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from allometry.errors import InputError
from allometry.lab.synthetic import bigram, hierarchy, parity
from allometry.recipe import RandomHierarchy, Recipe, SparseParity, SyntheticSource, ZipfBigram


def draw_tokens(source: SyntheticSource) -> npt.NDArray[np.uint16]:
    """The whole sequence of a source: the same every time.

    >>> draw_tokens(ZipfBigram(vocab=4, tokens=1000)).max()
    np.uint16(3)
    """
    match source:
        case ZipfBigram():
            return bigram.draw(source)
        case SparseParity():
            return parity.draw(source)
        case RandomHierarchy():
            return hierarchy.draw(source)


def block_tokens(source: SyntheticSource) -> int:
    """Tokens after which a source starts anew, independent of all before; 1 for a chain."""
    return 1 if isinstance(source, ZipfBigram) else source.block


def entropy_rate(source: SyntheticSource) -> float:
    """Exact entropy of a source's tokens, each given all tokens before it, in nat/token.

    No model has a lower expected held-out loss: it is what a fitted irreducible loss E can be held against.
    Over a held-out text of n tokens a perfect model's loss scatters around it with n**-0.5.

    Source:
        Cover and Thomas 2006, Elements of Information Theory, theorem 4.2.4 (the chain); the chain rule,
        theorem 2.5.1, over independent blocks (the others).

    >>> uniform = ZipfBigram(vocab=8, tokens=1000, exponent=0.0, coupling=0.0)
    >>> round(entropy_rate(uniform), 6) == round(float(np.log(8)), 6)
    True
    """
    match source:
        case ZipfBigram():
            return bigram.entropy_rate(source)
        case SparseParity():
            return parity.block_entropy(source) / source.block
        case RandomHierarchy():
            return hierarchy.block_entropy(source) / source.block


def loss_floor(source: SyntheticSource, *, context: int) -> float:
    """Expected held-out loss of a perfect model in the lab's windows of `context` tokens, in nat/token.

    Equal to the entropy rate, exactly. Of the chain, because every target has the token before it in view,
    and nothing earlier matters. Of the others where windows are whole blocks: the targets of a window are
    all but the first token of its first block, whose place the first token after the window takes, and blocks
    are independent and alike.

    Raises:
        InputError: If windows cut blocks in two: a perfect model's loss is then higher, by an amount that
            has no closed form.

    >>> loss_floor(SparseParity(tasks=1, tokens=1600, bits=14), context=64)  # 14 bits in 16 tokens
    0.606...
    """
    block = block_tokens(source)
    if context % block:
        raise InputError(
            f"A context of {context} cuts the blocks of {block} tokens that {source.kind} draws, and the "
            f"floor of the loss is not known then; make the context a multiple of {block}."
        )
    return entropy_rate(source)


def recipe_floor(recipe: Recipe) -> float:
    """The least held-out loss that any model can expect of a recipe's source, in nat/token.

    Raises:
        InputError: If nobody knows it: the source is text, or windows cut its blocks in two.
    """
    source = recipe.data.corpus
    if not isinstance(source, ZipfBigram | SparseParity | RandomHierarchy):
        raise InputError(
            f"The entropy of {source.kind} is not known, and so neither is the floor of its loss; it is of "
            f"zipf_bigram, sparse_parity and random_hierarchy."
        )
    return loss_floor(source, context=recipe.architecture.context)
