"""Training steps on a GPU: ours, the plain loop's, and replicas in one pass."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from benchmarks.parts.page import Table, goal, progress
from benchmarks.parts.plain_gpt import PlainTraining

from allometry.architectures import Transformer
from allometry.lab.devices import matmul_peak, open_device
from allometry.lab.optimizers import build_optimizer
from allometry.lab.parametrization import build_model
from allometry.lab.precision import Arithmetic
from allometry.lab.stacking import Stack
from allometry.lab.steps import Batch, Stepper
from allometry.recipe import AdamW, Bpe, Constant, Data, Recipe, StandardLibrary

_WARMUP, _STEPS, _ROUNDS = 5, 20, 5
_BF16 = Arithmetic(compute="bf16", device="cuda")
REPLICAS = 8


@dataclass(frozen=True, kw_only=True)
class GpuSize:
    """A row: a model, its batch, and the goals that it has.

    Attributes:
        ratio: Of our tokens per second to the plain loop's; None for no goal.
        share: Of the measured bf16 product; None for no goal.
    """

    name: str
    layers: int
    width: int
    heads: int
    sequences: int
    context: int
    vocab: int
    ratio: float | None = None
    share: float | None = None

    @property
    def recipe(self) -> Recipe:
        """What is trained; its text is never read."""
        batch_tokens = self.sequences * self.context
        return Recipe(
            architecture=Transformer(
                vocab=self.vocab,
                context=self.context,
                width=self.width,
                layers=self.layers,
                heads=self.heads,
            ),
            optimizer=AdamW(learning_rate=1e-3),
            schedule=Constant(),
            data=Data(corpus=StandardLibrary(bytes=1_000_000), tokenizer=Bpe(vocab=self.vocab)),
            tokens=1000 * batch_tokens,
            batch_tokens=batch_tokens,
        )

    def ids(self) -> torch.Tensor:
        """Made-up text on the device, as `ResidentFeed` has it: (64 batches, B, T + 1)."""
        draw = torch.Generator(device="cuda").manual_seed(0)
        shape = (64, self.sequences, self.context + 1)
        return torch.randint(self.vocab, shape, generator=draw, device="cuda")


_SMALL = {"context": 256, "vocab": 1024}
SIZES = (
    GpuSize(name="1M", layers=5, width=128, heads=2, sequences=64, ratio=3.0, **_SMALL),
    GpuSize(name="10M", layers=8, width=320, heads=5, sequences=64, ratio=2.0, **_SMALL),
    GpuSize(
        name="124M", layers=12, width=768, heads=12, sequences=16, context=1024, vocab=50_304, share=0.45
    ),
)


@dataclass(frozen=True, kw_only=True)
class Speeds:
    """Tokens per second of one size."""

    size: GpuSize
    ours: float
    plain: float
    replicas: float

    @property
    def share(self) -> float:
        """Of the measured product, all scores of attention counted."""
        return self.ours * self._flops_per_token / matmul_peak(torch.device("cuda"), "bf16")

    @property
    def _flops_per_token(self) -> float:
        return self.size.recipe.architecture.flops_per_token("with_attention")


def measure(size: GpuSize) -> Speeds:
    """Each for itself, best of a few rounds of steps with one wait for the device at the end."""
    progress(f"{size.name} on the GPU")
    tokens = size.recipe.batch_tokens
    with _as_in_the_lab():  # first: cuBLAS learns how to compute when it is first used
        ours = tokens / _step_seconds(_our_step(size))
        replicas = REPLICAS * tokens / _step_seconds(_replicas_step(size)) if size.width < 512 else 0.0
    plain = tokens / _step_seconds(_plain_step(size))
    return Speeds(size=size, ours=ours, plain=plain, replicas=replicas)


@contextmanager
def _as_in_the_lab() -> Iterator[None]:
    """With kernels that give the same bits each time, which the plain loop does not ask for."""
    open_device("cuda")
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


def _our_step(size: GpuSize) -> Callable[[int], object]:
    """As the loop steps with `Sitting(compiled=True)`: bf16, data on the device, graphs."""
    recipe, ids = size.recipe, size.ids()
    stepper = _stepper(recipe)
    stepper.model.features = torch.compile(stepper.model.features, mode="reduce-overhead")  # type: ignore[method-assign]
    return lambda step: stepper.take(step, Batch.of_windows(ids[step % len(ids)]))


def _stepper(recipe: Recipe) -> Stepper:
    model = build_model(recipe).to("cuda")
    return Stepper(recipe, model, build_optimizer(model, recipe.optimizer), arithmetic=_BF16)


def _plain_step(size: GpuSize) -> Callable[[int], object]:
    """As most loops step: batches sent from the host, the loss read at each."""
    shape = size.recipe.architecture
    assert isinstance(shape, Transformer)
    plain = PlainTraining(shape, torch.device("cuda"), autocast=True)
    ids = size.ids().cpu().pin_memory()
    return lambda step: plain.step(ids[step % len(ids)])


def _replicas_step(size: GpuSize) -> Callable[[int], object]:
    """One pass for all, clipped together, then each its own update."""
    steppers = [_stepper(replace(size.recipe, seed=seed)) for seed in range(REPLICAS)]
    stack, ids = Stack.of([stepper.model for stepper in steppers]), size.ids()

    def step(number: int) -> None:
        batches = [Batch.of_windows(ids[(number + own) % len(ids)]) for own in range(REPLICAS)]
        made = stack.gradients(batches, _BF16, clips=[1.0] * REPLICAS)
        for stepper, own in zip(steppers, made, strict=True):
            for weight, gradient in own.gradients:
                weight.grad = gradient
            stepper.optimizer.step()

    return step


def _step_seconds(step: Callable[[int], object]) -> float:
    for number in range(_WARMUP):
        step(number)
    return min(_round_seconds(step) for _ in range(_ROUNDS)) / _STEPS


def _round_seconds(step: Callable[[int], object]) -> float:
    torch.cuda.synchronize()
    begun = time.perf_counter()
    for number in range(_STEPS):
        step(number)
    torch.cuda.synchronize()
    return time.perf_counter() - begun


def gpu_table(speeds: Sequence[Speeds], command: str) -> Table:
    """Beside the plain loop, and as a share of the measured product."""
    peak = matmul_peak(torch.device("cuda"), "bf16")
    return Table(
        name="training-steps-gpu",
        title="Training steps on a GPU",
        command=command,
        says=f"{torch.cuda.get_device_name()}, bf16, text on the device, no wait between steps, blocks "
        "compiled into graphs; beside a plain loop under autocast that is fed from the host and reads its "
        f"loss each step. MFU is of the best product measured, {peak / 1e12:.0f} TFLOP/s. Replicas: "
        f"{REPLICAS} in one pass, tokens of all together. Best of {_ROUNDS} rounds of {_STEPS} steps.",
        header=("parameters", "batch", "tokens/s", "plain tokens/s", "ratio", "MFU", "replicas tokens/s"),
        rows=[_row(one) for one in speeds],
        notes=[note for one in speeds for note in _goals(one)],
    )


def _row(one: Speeds) -> tuple[str, ...]:
    return (
        one.size.name,
        f"{one.size.sequences} x {one.size.context}",
        f"{one.ours:,.0f}",
        f"{one.plain:,.0f}",
        f"{one.ours / one.plain:.2f}",
        f"{one.share:.0%}",
        f"{one.replicas:,.0f}" if one.replicas else "not measured",
    )


def _goals(one: Speeds) -> list[str]:
    notes, ratio = [], one.ours / one.plain
    if one.size.ratio is not None:
        what = f"{one.size.name}: at least {one.size.ratio:g} times the plain loop's tokens"
        notes.append(goal(what, ratio >= one.size.ratio, f"{ratio:.2f}"))
    if one.size.share is not None:
        what = f"{one.size.name}: MFU at least {one.size.share:.0%}"
        notes.append(goal(what, one.share >= one.size.share, f"{one.share:.0%}"))
    return notes
