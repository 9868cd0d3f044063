"""Where text comes from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from allometry.recipe.choices import choice


@choice
class StandardLibrary:
    """The running Python's own standard library: real text that is always there.

    Attributes:
        bytes: Size of the sample; whole files are taken until it is reached.
    """

    bytes: int = Field(gt=0)
    kind: Literal["standard_library"] = "standard_library"


@choice
class TextFiles:
    """Local text files, one document each.

    Attributes:
        paths: Glob patterns; relative ones start at the working directory.
    """

    paths: tuple[str, ...] = Field(min_length=1)
    kind: Literal["files"] = "files"


Source = Annotated[StandardLibrary | TextFiles, Field(discriminator="kind")]
