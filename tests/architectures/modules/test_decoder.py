"""How the blocks of a decoder are put together, and how its head is tied."""

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor
from torch.nn import functional

from allometry.architectures import Transformer
from allometry.architectures.decoder import NormAt
from allometry.architectures.modules.language import LanguageModel
from allometry.architectures.modules.roles import roles_of
from allometry.lab.checkpoints import restore_tensors, state_tensors
from allometry.lab.parametrization import initialize
from allometry.lab.steps import Batch, next_token

SHAPE = Transformer(vocab=64, context=8, width=16, layers=1, heads=2)
X = torch.randn(1, 8, 16, generator=torch.Generator().manual_seed(0))


def randomised(shape: Transformer) -> LanguageModel:
    model = shape.build()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3, generator=torch.Generator().manual_seed(1))
    return model


def block(shape: Transformer) -> Any:
    return randomised(shape).get_submodule("blocks.0")


def test_a_sequential_mlp_reads_what_attention_wrote() -> None:
    one = block(SHAPE)

    middle = X + one.attention(one.attention_norm(X))
    torch.testing.assert_close(one(X), middle + one.mlp(one.mlp_norm(middle)))


def test_parallel_branches_read_the_same_stream() -> None:
    one = block(replace(SHAPE, branches="parallel"))

    torch.testing.assert_close(one(X), X + one.attention(one.attention_norm(X)) + one.mlp(one.mlp_norm(X)))


def test_parallel_branches_may_share_their_norm() -> None:
    one = block(replace(SHAPE, branches="parallel_one_norm"))

    torch.testing.assert_close(one(X), X + one.attention(one.norm(X)) + one.mlp(one.norm(X)))


def test_a_post_norm_gives_what_is_added_one_size() -> None:
    one = block(replace(SHAPE, norm="rms", norm_at="post"))
    torch.nn.init.ones_(one.attention_out_norm.weight)
    torch.nn.init.zeros_(one.mlp.down.weight)

    added = one(X) - X
    torch.testing.assert_close(added.square().mean(-1), torch.ones(1, 8), rtol=1e-3, atol=1e-3)  # epsilon
    assert isinstance(one.attention_norm, torch.nn.Identity)


def test_a_sandwich_norms_before_and_after() -> None:
    one = block(replace(SHAPE, norm="rms", norm_at="sandwich"))

    middle = X + one.attention_out_norm(one.attention(one.attention_norm(X)))
    torch.testing.assert_close(one(X), middle + one.mlp_out_norm(one.mlp(one.mlp_norm(middle))))


@pytest.mark.parametrize(("norm_at", "start"), [("pre", "zeros"), ("post", "random"), ("sandwich", "random")])
def test_only_what_no_norm_follows_starts_at_zero(norm_at: NormAt, start: str) -> None:
    roles = roles_of(replace(SHAPE, norm_at=norm_at).build())

    assert roles["blocks.0.attention.out.weight"].start == start
    assert roles["blocks.0.mlp.down.weight"].start == start


def test_a_fixed_norm_has_nothing_to_learn() -> None:
    gained, fixed = SHAPE.params("total"), replace(SHAPE, norm="layer_fixed").params("total")

    assert gained - fixed == 3 * 16  # two in the block and the last one


def test_a_tied_head_is_the_embedding_itself_in_copies_too() -> None:
    model = replace(SHAPE, tied=True).build()
    copy = deepcopy(model)

    assert model.head.weight is model.token.weight
    assert copy.head.weight is copy.token.weight
    assert copy.head.weight is not model.head.weight
    assert [name for name in model.state_dict() if "head" in name] == []


def test_a_tied_model_survives_a_checkpoint() -> None:
    model = replace(SHAPE, tied=True, biases=("head",)).build()
    initialize(model, torch.Generator().manual_seed(0))
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.arange(8).unsqueeze(0)).square().sum().backward()
    optimizer.step()
    stored = load(save(dict(state_tensors(model, optimizer))))

    again = replace(SHAPE, tied=True, biases=("head",)).build()
    restore_tensors(again, torch.optim.AdamW(again.parameters()), stored)

    ids = torch.arange(8).unsqueeze(0)
    assert torch.equal(again(ids), model(ids))


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("biases", [(), ("head",)])
def test_the_factors_of_the_logits_multiply_to_them(biases: tuple[str, ...], tied: bool) -> None:
    model = randomised(replace(SHAPE, biases=biases, tied=tied))  # type: ignore[arg-type]
    ids = torch.arange(8).unsqueeze(0)

    x_BTD, head_VD = model.logit_factors(model.hidden(ids))

    torch.testing.assert_close(functional.linear(x_BTD, head_VD), model(ids))


@pytest.mark.parametrize("tied", [True, False])
def test_the_loss_of_a_run_is_that_of_the_logits_with_their_bias(tied: bool) -> None:
    model = randomised(replace(SHAPE, biases=("head",), tied=tied))
    ids = torch.arange(9).unsqueeze(0) % 7

    next_token(model, Batch(ids[:, :-1], ids[:, 1:])).minimised.backward()  # type: ignore[no-untyped-call]

    found = {name: weight.grad.clone() for name, weight in model.named_parameters()}  # type: ignore[union-attr]
    model.zero_grad()
    functional.cross_entropy(model(ids[:, :-1])[0], ids[0, 1:]).backward()  # type: ignore[no-untyped-call]
    for name, weight in model.named_parameters():
        torch.testing.assert_close(found[name], weight.grad, rtol=1e-4, atol=1e-6)  # two orders of summing


def test_an_embedding_norm_stands_before_the_first_block() -> None:
    model = randomised(replace(SHAPE, embedding_norm=True, norm="layer_fixed"))
    seen: list[Tensor] = []
    model.get_submodule("blocks.0").register_forward_pre_hook(lambda _, given: seen.append(given[0]))

    model(torch.arange(8).unsqueeze(0))

    torch.testing.assert_close(seen[0].mean(-1), torch.zeros(1, 8), rtol=0, atol=1e-5)
    torch.testing.assert_close(seen[0].var(-1, correction=0), torch.ones(1, 8), rtol=1e-3, atol=0)  # epsilon
