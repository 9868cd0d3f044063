"""Which text, cleaned and split how, in which tokens."""

from __future__ import annotations

from pydantic import Field

from allometry.errors import RecipeError, did_you_mean
from allometry.recipe.choices import choice
from allometry.recipe.sources import Mixture, Source, SymbolSource
from allometry.recipe.steps import Dedup, Noise, Step
from allometry.recipe.tokenizers import Symbols, Tokenizer


@choice
class Data:
    """Which text, cleaned and split how, in which tokens.

    Attributes:
        held_out: Share of documents kept for evaluation, chosen by a hash of their names; of a synthetic
            source, its end.
        held_out_tokens: At most so many held-out tokens are scored.
        steps: Deduplication, filters and noise, in this order.
        unique_tokens: The training text is cut to so many distinct tokens; all of it if left out. A larger
            limit contains the text of a smaller one.
    """

    corpus: Source
    tokenizer: Tokenizer
    held_out: float = Field(default=0.05, gt=0, lt=1)
    held_out_tokens: int = Field(default=65_536, gt=0)
    steps: tuple[Step, ...] = ()
    unique_tokens: int | None = Field(default=None, gt=0)

    def __post_init__(self) -> None:
        if isinstance(self.corpus, SymbolSource):
            _require_symbols(self.corpus, self.tokenizer, self.steps)
        elif isinstance(self.tokenizer, Symbols):
            raise RecipeError(
                f"The tokenizer 'symbols' is for synthetic sources, and {self.corpus.kind} is text; "
                f"use utf8_bytes, bpe or tokenizer_file."
            )
        _require_domains(self.corpus, self.steps)
        _require_clean_before_noise(self.steps)
        if self.unique_tokens is not None and isinstance(self.corpus, Mixture):
            raise RecipeError(
                "The text of a mixture is cut domain by domain: give unique_tokens to its domains."
            )


def _require_symbols(source: SymbolSource, tokenizer: Tokenizer, steps: tuple[Step, ...]) -> None:
    if not isinstance(tokenizer, Symbols):
        raise RecipeError(
            f"The source {source.kind} draws symbols, not text, and needs the tokenizer 'symbols', "
            f"not '{tokenizer.kind}'."
        )
    if tokenizer.vocab != source.vocab:
        raise RecipeError(
            f"The source {source.kind} has {source.vocab} symbols and its tokenizer {tokenizer.vocab}; "
            f"set vocab to {source.vocab}."
        )
    if steps:
        raise RecipeError(f"Steps clean text, and {source.kind} draws symbols: leave out {steps[0].kind}.")


def _require_domains(source: Source, steps: tuple[Step, ...]) -> None:
    there = [domain.name for domain in source.domains] if isinstance(source, Mixture) else []
    for step in steps:
        for name in step.domains:
            if name not in there:
                raise RecipeError(
                    f"The step {step.kind} names a domain '{name}' that the corpus does not have."
                    f"{did_you_mean(name, there)} It has: {', '.join(there) or 'no domains'}."
                )


def _require_clean_before_noise(steps: tuple[Step, ...]) -> None:
    noise = ""
    for step in steps:
        if isinstance(step, Noise):
            noise = step.kind
        elif isinstance(step, Dedup) and noise:
            raise RecipeError(
                f"{step.kind} comes after {noise}, and does not know a copy once there is noise in it; "
                f"put it before."
            )
