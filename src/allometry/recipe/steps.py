"""What is done to documents before they are tokenized, in the order of the recipe.

Deduplication looks at all documents and comes before the split into training and held-out text takes
effect, so that no copy straddles it. Filters and noise touch the training text only.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from allometry.errors import RecipeError
from allometry.recipe.choices import choice


@choice
class ExactDedup:
    """Keep the first of documents with equal text.

    Attributes:
        domains: Of a mixture, that it looks at; all if empty.
    """

    domains: tuple[str, ...] = ()
    kind: Literal["exact_dedup"] = "exact_dedup"


@choice
class NearDedup:
    """Keep a document unless an earlier one that is kept shares most of its word sequences.

    Two documents are near-duplicates where the Jaccard similarity of their sets of word shingles is at least
    the threshold. Candidates are found by MinHash (Broder 1997) with banding, and then compared exactly:
    nothing below the threshold is dropped, and a pair at it is missed with a probability under 1 in 1000.

    Attributes:
        threshold: Jaccard similarity.
        shingle: Words in a row; a shorter document is one shingle.
        permutations: Hashes in a signature.
        seed: Of the hashes.
        domains: Of a mixture, that it looks at; all if empty.
    """

    threshold: float = Field(default=0.8, ge=0.3, le=1)
    shingle: int = Field(default=5, ge=1, le=100)
    permutations: Literal[64, 128, 256, 512] = 128
    seed: int = Field(default=0, ge=0, lt=2**64)
    domains: tuple[str, ...] = ()
    kind: Literal["near_dedup"] = "near_dedup"


@choice
class QualityFilter:
    """Keep training documents that look like prose, by rules of Rae et al. 2021, table A1 (arXiv:2112.11446).

    Attributes:
        min_words, max_words: Words in a document.
        min_word_length, max_word_length: Mean characters of a word.
        max_symbol_ratio: Hash signs, and likewise ellipses, by the number of words.
        min_alphabetic: Share of words with at least one letter.
        max_duplicate_lines: Share of lines that are copies of an earlier line of the document.
        domains: Of a mixture, that it looks at; all if empty.
    """

    min_words: int = Field(default=50, ge=0)
    max_words: int = Field(default=100_000, gt=0)
    min_word_length: float = Field(default=3.0, ge=0)
    max_word_length: float = Field(default=10.0, gt=0)
    max_symbol_ratio: float = Field(default=0.1, ge=0)
    min_alphabetic: float = Field(default=0.8, ge=0, le=1)
    max_duplicate_lines: float = Field(default=0.3, ge=0, le=1)
    domains: tuple[str, ...] = ()
    kind: Literal["quality_filter"] = "quality_filter"

    def __post_init__(self) -> None:
        if self.min_words > self.max_words or self.min_word_length > self.max_word_length:
            raise RecipeError(
                "A quality filter keeps nothing: a smallest value is above its largest; swap them."
            )


@choice
class CharacterNoise:
    """Replace characters of the training text by printable ASCII characters drawn at random.

    Attributes:
        fraction: Probability that a character is replaced. A larger one replaces these and more.
        seed: Of the noise.
        domains: Of a mixture, that it looks at; all if empty.
    """

    fraction: float = Field(gt=0, le=1)
    seed: int = Field(default=0, ge=0)
    domains: tuple[str, ...] = ()
    kind: Literal["character_noise"] = "character_noise"


@choice
class WordShuffle:
    """Exchange words of a training document with each other; all white space stays where it is.

    Attributes:
        fraction: Probability that a word takes part. A larger one moves these and more.
        seed: Of the shuffle.
        domains: Of a mixture, that it looks at; all if empty.
    """

    fraction: float = Field(gt=0, le=1)
    seed: int = Field(default=0, ge=0)
    domains: tuple[str, ...] = ()
    kind: Literal["word_shuffle"] = "word_shuffle"


@choice
class RandomDocuments:
    """Replace training documents by as many printable ASCII characters drawn at random.

    Attributes:
        fraction: Probability that a document is replaced. A larger one replaces these and more.
        seed: Of choice and characters.
        domains: Of a mixture, that it looks at; all if empty.
    """

    fraction: float = Field(gt=0, le=1)
    seed: int = Field(default=0, ge=0)
    domains: tuple[str, ...] = ()
    kind: Literal["random_documents"] = "random_documents"


Dedup = ExactDedup | NearDedup
Noise = CharacterNoise | WordShuffle | RandomDocuments
Step = Annotated[
    ExactDedup | NearDedup | QualityFilter | CharacterNoise | WordShuffle | RandomDocuments,
    Field(discriminator="kind"),
]
