"""The state-space model: its chunked scan is the plain recurrence, and its published sizes come out."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from allometry.architectures import StateSpace
from allometry.architectures.modules.scan import chunked_scan, decays_between
from allometry.architectures.state_space.model import Convolution, Recurrence
from allometry.errors import InputError

SHAPE = StateSpace(vocab=64, context=24, width=16, layers=2, head_width=8, state_width=6, chunk=8)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def recurrence(x_BTHP: Tensor, log_decay_BTH: Tensor, write_BTGN: Tensor, read_BTGN: Tensor) -> Tensor:
    """One token after the other: equation 1 of Dao and Gu 2024, with a scalar for A."""
    heads = x_BTHP.shape[2] // write_BTGN.shape[2]
    write, read = (one.repeat_interleave(heads, dim=2) for one in (write_BTGN, read_BTGN))
    state = x_BTHP.new_zeros(*x_BTHP.shape[:1], *x_BTHP.shape[2:], write.shape[-1])
    outputs = []
    for t in range(x_BTHP.shape[1]):
        written = torch.einsum("bhp,bhn->bhpn", x_BTHP[:, t], write[:, t])
        state = log_decay_BTH[:, t].exp()[..., None, None] * state + written
        outputs.append(torch.einsum("bhpn,bhn->bhp", state, read[:, t]))
    return torch.stack(outputs, dim=1)


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize(("length", "chunk"), [(1, 4), (12, 4), (13, 4), (12, 1), (12, 64), (64, 8)])
def test_the_chunked_scan_is_the_recurrence(length: int, chunk: int, groups: int) -> None:
    x, log_decay = draw(2, length, 4, 3), -draw(2, length, 4, seed=1).exp()
    write, read = draw(2, length, groups, 5, seed=2), draw(2, length, groups, 5, seed=3)

    found = chunked_scan(x, log_decay, write, read, chunk=chunk)

    torch.testing.assert_close(found, recurrence(x, log_decay, write, read), rtol=1e-10, atol=1e-12)


def test_the_scan_keeps_float32_digits_through_decays_that_forget_all() -> None:
    x, write, read = draw(1, 96, 2, 3), draw(1, 96, 1, 4, seed=2), draw(1, 96, 1, 4, seed=3)
    log_decay = -0.01 * draw(1, 96, 2, seed=1).exp()
    log_decay[:, [5, 40, 41]] = -1e4
    inputs = [one.float().requires_grad_() for one in (x, log_decay, write, read)]

    found = chunked_scan(*inputs, chunk=32)
    found.square().sum().backward()  # type: ignore[no-untyped-call]

    torch.testing.assert_close(found.double(), recurrence(x, log_decay, write, read), rtol=1e-5, atol=1e-5)
    assert all(one.grad is not None and one.grad.isfinite().all() for one in inputs)


def test_a_decay_after_one_that_forgets_all_has_its_digits() -> None:
    log_decay = torch.tensor([-1.0, -3e4, -1e-3, -2e-3])

    between = decays_between(log_decay)

    # A difference of running sums, near -3e4, would be off by 1e-3 itself.
    assert between[3, 1].item() == pytest.approx(torch.tensor(-3e-3).exp().item(), rel=1e-6)


def test_the_mixing_of_a_block_is_its_equation() -> None:
    module = Recurrence(SHAPE).double()
    x, states, steps = draw(2, 24, 4, 8), draw(2, 24, 12, seed=1), draw(2, 24, 4, seed=2)

    found = module(x, states, steps)

    step = functional.softplus(steps.float() + module.step_bias)  # Dao and Gu 2024, listing 2 and section 7
    decay = -step * module.log_rate.exp()
    write, read = states.unsqueeze(2).chunk(2, dim=-1)
    expected = recurrence(x * step.unsqueeze(-1), decay, write, read) + module.skip.unsqueeze(-1) * x
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


def test_the_convolution_is_that_of_torch_padded_on_the_left() -> None:
    module = Convolution(6, kernel=4).double()
    torch.nn.init.normal_(module.kernel, generator=torch.Generator().manual_seed(0))
    torch.nn.init.normal_(module.bias, generator=torch.Generator().manual_seed(1))
    x_BTE = draw(2, 9, 6)

    found = module(x_BTE)

    padded = functional.pad(x_BTE.mT, (3, 0))
    grouped = functional.conv1d(padded, module.kernel.unsqueeze(1), module.bias, groups=6)
    torch.testing.assert_close(found, functional.silu(grouped).mT)


def test_heads_start_with_steps_and_rates_spread_over_the_ranges_of_the_paper() -> None:
    module = Recurrence(SHAPE)

    steps, rates = functional.softplus(module.step_bias), module.log_rate.exp()

    # The middles of four equal parts: of 0.001 to 0.1 in the logarithm, of 1 to 16.
    torch.testing.assert_close(steps, torch.logspace(-3, -1, 9)[1::2], rtol=1e-4, atol=0)
    torch.testing.assert_close(rates, torch.linspace(1, 16, 9)[1::2], rtol=1e-4, atol=0)


# Parameters as transformers 5.23 makes Mamba2ForCausalLM from the public configurations; bytes in bf16.
@pytest.mark.parametrize(
    ("width", "layers", "params", "state_bytes"),
    [
        (768, 24, 128_989_632, 9_781_248),
        (1536, 48, 780_161_280, 39_026_688),
        (2048, 48, 1_343_757_312, 52_002_816),
    ],
)
def test_public_mamba2_models_come_out_exact(width: int, layers: int, params: int, state_bytes: int) -> None:
    shape = StateSpace(
        vocab=50_288, context=2048, width=width, layers=layers, head_width=64, state_width=128, tied=True
    )

    assert shape.params("total") == shape.params("active") == params
    assert shape.state_bytes() == state_bytes
    assert shape.cache_bytes() == 0


def test_the_scan_grows_linearly_with_the_context() -> None:
    short, long = replace(SHAPE, context=1024, chunk=64), replace(SHAPE, context=8192, chunk=64)
    # But for the mixture of chunks with chunks, which is small while there are fewer than tokens in a chunk.
    assert long.attention_flops_per_token() < 1.8 * short.attention_flops_per_token()


def test_heads_that_do_not_divide_the_inner_width_are_refused_with_those_that_do() -> None:
    with pytest.raises(
        InputError, match=r"inner width \(32\) and 5 does not; take one of 1, 2, 4, 8, 16, 32"
    ):
        replace(SHAPE, head_width=5)
    with pytest.raises(InputError, match=r"number of heads \(4\) and 3 does not; take one of 1, 2, 4\."):
        replace(SHAPE, state_groups=3)


@pytest.mark.parametrize("name", ["expand", "state_width", "kernel", "chunk"])
def test_a_dimension_is_a_whole_number_of_at_least_one(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} must be a whole number of at least 1, not 0"):
        replace(SHAPE, **{name: 0})  # type: ignore[arg-type]
