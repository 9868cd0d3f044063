"""Runs that begin with, or learn from, another run of the same study."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from allometry.recipe.choices import choice

RunId = Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]


@choice
class FineTune:
    """Begin with the weights of a finished run; optimizer, schedule and data begin anew.

    On other data this is transfer. The architecture and the tokenizer must be those of the parent.

    Attributes:
        run: run_id of the parent; its last checkpoint must be in the study.

    Source:
        Hernandez et al. 2021, arXiv:2102.01293.
    """

    run: RunId
    kind: Literal["fine_tune"] = "fine_tune"


@choice
class Continue:
    """Go on where a finished run ended: its weights, its optimizer's state, the data that comes next.

    The schedule of the new recipe begins anew, warmup included. Architecture, data, batch_tokens, seed and
    the kind of optimizer must be those of the parent. The run's tokens and FLOP count the parent's, too.

    Attributes:
        run: run_id of the parent; its last checkpoint must be in the study.

    Source:
        Ibrahim et al. 2024, arXiv:2403.08763 (continual pre-training, re-warmed).
    """

    run: RunId
    kind: Literal["continue"] = "continue"


Start = Annotated[FineTune | Continue, Field(discriminator="kind")]


@choice
class Distill:
    """Learn from the predictions of a finished run, next to the text.

    What is minimised is (1 - share) * cross-entropy + share * temperature^2 * KL(teacher || student), both
    distributions at the temperature; the factor keeps the two gradients in proportion.

    Attributes:
        teacher: run_id of a run with the same tokenizer; its last checkpoint must be in the study.
        temperature: What logits are divided by; above 1 shows more of what the teacher thinks unlikely.
        share: Of the teacher's term.

    Source:
        Hinton et al. 2015, section 2, arXiv:1503.02531.
    """

    teacher: RunId
    temperature: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    share: float = Field(default=0.5, gt=0, le=1)
