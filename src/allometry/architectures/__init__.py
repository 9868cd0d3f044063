"""What a model is made of and what it costs: exact counts, without torch."""

from allometry.architectures.definition import Architecture
from allometry.architectures.transformer.shape import Transformer
from allometry.registry import Catalog

ARCHITECTURES: Catalog[type[Architecture]] = Catalog("architecture", {"transformer": Transformer})

__all__ = ["ARCHITECTURES", "Architecture", "Transformer"]
