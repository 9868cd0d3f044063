"""All that determines one training run; each choice is a small frozen type in its own place."""

from allometry.recipe.choices import choice, read_choice, spelled_out
from allometry.recipe.data import Data
from allometry.recipe.definition import Recipe
from allometry.recipe.optimizers import AdamW, Optimizer
from allometry.recipe.schedules import Constant, Cosine, Schedule, Wsd
from allometry.recipe.sources import Source, StandardLibrary, TextFiles
from allometry.recipe.tokenizers import Bpe, Tokenizer

__all__ = [
    "AdamW",
    "Bpe",
    "Constant",
    "Cosine",
    "Data",
    "Optimizer",
    "Recipe",
    "Schedule",
    "Source",
    "StandardLibrary",
    "TextFiles",
    "Tokenizer",
    "Wsd",
    "choice",
    "read_choice",
    "spelled_out",
]
