"""Readers of families without attention."""

from __future__ import annotations

import math

from allometry.architectures import StateSpace
from allometry.architectures.recurrent.shape import Cell
from allometry.errors import InputError
from allometry.planning.models.config import Config
from allometry.planning.models.shapes import FirstMamba, RecurrentNetwork

UNSTATED_CONTEXT = 2048  # a recurrence has no longest sequence


def read_mamba(config: Config) -> FirstMamba:
    """Gu and Dao 2023, arXiv:2312.00752."""
    config.refuse_unless("use_conv_bias", True)
    width = config.whole("hidden_size")
    inner = config.whole("intermediate_size", default=config.whole("expand", default=2) * width)
    return FirstMamba(
        vocab=config.whole("vocab_size"),
        context=UNSTATED_CONTEXT,
        width=width,
        layers=config.whole("num_hidden_layers"),
        inner_width=inner,
        state_width=config.whole("state_size"),
        step_rank=_step_rank(config, width),
        kernel=config.whole("conv_kernel", default=4),
        tied=config.flag("tie_word_embeddings", default=True),
        biases=config.flag("use_bias", default=False),
    )


def read_mamba2(config: Config) -> StateSpace:
    """Dao and Gu 2024, arXiv:2405.21060."""
    config.refuse_unless("use_conv_bias", True)
    config.refuse_unless("use_bias", False)
    shape = StateSpace(
        vocab=config.whole("vocab_size"),
        context=UNSTATED_CONTEXT,
        width=config.whole("hidden_size"),
        layers=config.whole("num_hidden_layers"),
        expand=config.whole("expand", default=2),
        head_width=config.whole("head_dim"),
        state_width=config.whole("state_size"),
        state_groups=config.whole("n_groups"),
        kernel=config.whole("conv_kernel", default=4),
        chunk=config.whole("chunk_size", default=256),
        tied=config.flag("tie_word_embeddings", default=False),
    )
    _require_heads(config, shape)
    return shape


def read_lstm(config: Config) -> RecurrentNetwork:
    """Hochreiter and Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735; fields as of `torch.nn.LSTM`."""
    return _recurrent(config, "lstm")


def read_gru(config: Config) -> RecurrentNetwork:
    """Cho et al. 2014, arXiv:1406.1078; fields as of `torch.nn.GRU`."""
    return _recurrent(config, "gru")


def _recurrent(config: Config, cell: Cell) -> RecurrentNetwork:
    config.refuse_unless("bidirectional", False)
    config.refuse_unless("bias", True)
    config.refuse_unless("proj_size", 0)
    width = config.whole("hidden_size")
    return RecurrentNetwork(
        vocab=config.whole("vocab_size"),
        context=UNSTATED_CONTEXT,
        embedding_width=config.whole("input_size", default=width),
        width=width,
        layers=config.whole("num_layers"),
        cell=cell,
        tied=config.flag("tie_word_embeddings", default=False),
    )


def _step_rank(config: Config, width: int) -> int:
    if config.values.get("time_step_rank") in (None, "auto"):
        return math.ceil(width / 16)
    return config.whole("time_step_rank")


def _require_heads(config: Config, shape: StateSpace) -> None:
    stated = config.whole("num_heads", default=shape.heads)
    if stated != shape.heads:
        raise InputError(
            f"num_heads = {stated} in {config.source} is not expand * hidden_size / head_dim = "
            f"{shape.heads}; one of them is wrong."
        )
