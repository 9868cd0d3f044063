"""All that determines one training run; each choice is a small frozen type in its own place."""

from allometry.recipe.choices import choice, read_choice, spelled_out
from allometry.recipe.data import Data
from allometry.recipe.definition import Measure, Recipe
from allometry.recipe.lineage import Continue, Distill, FineTune, Start
from allometry.recipe.optimizers import AdamW, Muon, Optimizer, Sgd, at_rate
from allometry.recipe.parametrization import MuP, Parametrization, Standard
from allometry.recipe.precision import Precision
from allometry.recipe.schedules import Constant, Cosine, Linear, Schedule, Wsd
from allometry.recipe.sources import (
    Domain,
    HuggingFace,
    Mixture,
    Source,
    StandardLibrary,
    SymbolSource,
    SyntheticSource,
    TextFiles,
    TextSource,
)
from allometry.recipe.steps import (
    CharacterNoise,
    ExactDedup,
    NearDedup,
    QualityFilter,
    RandomDocuments,
    Step,
    WordShuffle,
)
from allometry.recipe.synthetic import RandomHierarchy, SparseParity, ZipfBigram
from allometry.recipe.tasks import TaskProblems
from allometry.recipe.tokenizers import Bpe, Symbols, Tokenizer, TokenizerFile, Utf8Bytes

__all__ = [
    "AdamW",
    "Bpe",
    "CharacterNoise",
    "Constant",
    "Continue",
    "Cosine",
    "Data",
    "Distill",
    "Domain",
    "ExactDedup",
    "FineTune",
    "HuggingFace",
    "Linear",
    "Measure",
    "Mixture",
    "MuP",
    "Muon",
    "NearDedup",
    "Optimizer",
    "Parametrization",
    "Precision",
    "QualityFilter",
    "RandomDocuments",
    "RandomHierarchy",
    "Recipe",
    "Schedule",
    "Sgd",
    "Source",
    "SparseParity",
    "Standard",
    "StandardLibrary",
    "Start",
    "Step",
    "SymbolSource",
    "Symbols",
    "SyntheticSource",
    "TaskProblems",
    "TextFiles",
    "TextSource",
    "Tokenizer",
    "TokenizerFile",
    "Utf8Bytes",
    "WordShuffle",
    "Wsd",
    "ZipfBigram",
    "at_rate",
    "choice",
    "read_choice",
    "spelled_out",
]
