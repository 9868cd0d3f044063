"""What a model is made of and what it costs: exact counts, without torch."""

from allometry.architectures.definition import Architecture
from allometry.architectures.transformer.shape import Transformer
from allometry.registry import Catalog

ARCHITECTURES: Catalog[type[Architecture]] = Catalog("architecture", {"transformer": Transformer})

AnyArchitecture = Transformer  # the union of the catalog's types, told apart by `kind`

__all__ = ["ARCHITECTURES", "AnyArchitecture", "Architecture", "Transformer"]
