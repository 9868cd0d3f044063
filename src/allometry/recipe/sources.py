"""Where text comes from: the library, files, a hub, or a mixture of domains of these."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal

from pydantic import Field

from allometry.errors import RecipeError
from allometry.recipe.choices import choice
from allometry.recipe.synthetic import RandomHierarchy, SparseParity, ZipfBigram
from allometry.recipe.tasks import TaskProblems


@choice
class StandardLibrary:
    """The running Python's own standard library: real text that is always there.

    Attributes:
        bytes: Size of the sample; whole files are taken until it is reached.
        part: "files" as they are, or the "docstrings" in them: English about the code, two megabytes in all.
    """

    bytes: int = Field(gt=0)
    part: Literal["files", "docstrings"] = "files"
    kind: Literal["standard_library"] = "standard_library"


@choice
class TextFiles:
    """Local files, read by suffix.

    A `.jsonl` or `.ndjson` file holds one document a line, a `.parquet` file one a row; any other file is
    one document of plain text. `.gz` and `.zst` at the end of text and JSON lines are unpacked.

    Attributes:
        paths: Glob patterns; relative ones start at the working directory.
        text_key: Key of the text in a JSON line; its column in a Parquet file.
    """

    paths: tuple[str, ...] = Field(min_length=1)
    text_key: str = Field(default="text", min_length=1)
    kind: Literal["files"] = "files"


@choice
class HuggingFace:
    """The first documents of a dataset on the Hugging Face hub, streamed; needs the extra `hf`.

    Attributes:
        name: Of the dataset: "owner/dataset".
        revision: Commit, tag or branch. Only a commit fixes the text for ever.
        config: Of the dataset; its default if empty.
        split: Of the dataset.
        column: That holds the text.
        documents, bytes: How much is taken: state one of them.
    """

    name: str = Field(min_length=1)
    revision: str = Field(min_length=1)
    config: str = ""
    split: str = Field(default="train", min_length=1)
    column: str = Field(default="text", min_length=1)
    documents: int | None = Field(default=None, gt=0)
    bytes: int | None = Field(default=None, gt=0)
    kind: Literal["hugging_face"] = "hugging_face"

    def __post_init__(self) -> None:
        if (self.documents is None) == (self.bytes is None):
            raise RecipeError(
                f"How much of dataset '{self.name}' is read must be stated: by documents or by bytes."
            )


TextSource = Annotated[StandardLibrary | TextFiles | HuggingFace, Field(discriminator="kind")]


@choice
class Domain:
    """One part of a mixture.

    Attributes:
        name: Ends the name of its column: loss_<name>.
        share: Of the training tokens; what it counts is stated by the mixture's `by`.
        unique_tokens: The training text is cut to so many distinct tokens; all of it if left out.
    """

    name: str = Field(pattern="^[a-z][a-z0-9_]*$")
    corpus: TextSource
    share: float = Field(gt=0, allow_inf_nan=False)
    unique_tokens: int | None = Field(default=None, gt=0)


@choice
class Mixture:
    """Domains in stated proportions; each is drawn without replacement until all of it was seen.

    The held-out loss weighs the domains as the training does, and is measured for each alone too.

    Attributes:
        domains: At least two.
        by: What a share counts. "weight": relative, of any unit. "repeat": passes over that domain's
            training text while a pass over the mixture is made. "tokens": tokens of that domain in a run
            as long as all of them together; a run of another length keeps the proportions.
    """

    domains: tuple[Domain, ...]
    by: Literal["weight", "repeat", "tokens"] = "weight"
    kind: Literal["mixture"] = "mixture"

    def __post_init__(self) -> None:
        if len(self.domains) < 2:
            raise RecipeError(
                f"A mixture of {len(self.domains)} domains mixes nothing: give two, or the corpus alone."
            )
        twice = [name for name, count in Counter(one.name for one in self.domains).items() if count > 1]
        if twice:
            raise RecipeError(
                f"The mixture has more than one domain '{twice[0]}'; give each a name of its own."
            )


SyntheticSource = ZipfBigram | SparseParity | RandomHierarchy
SymbolSource = SyntheticSource | TaskProblems  # draw tokens, not text
Source = Annotated[
    StandardLibrary | TextFiles | HuggingFace | Mixture | SymbolSource,
    Field(discriminator="kind"),
]
