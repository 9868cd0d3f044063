"""Which layers of a public model see a window only."""

from __future__ import annotations

from typing import Any

from allometry.errors import InputError
from allometry.planning.models.config import Config

_SLIDING, _FULL = "sliding_attention", "full_attention"


def same_window(config: Config) -> dict[str, Any]:
    """A window in every layer, where there is one."""
    return _settings(config, _every_layer(config, free=None))


def window_but_every(config: Config, free: int) -> dict[str, Any]:
    """A window in all layers but every so manieth, unless `layer_types` says otherwise."""
    return _settings(config, _every_layer(config, free=free))


def qwen_window(config: Config) -> dict[str, Any]:
    """A window from layer `max_window_layers` on, and only where `use_sliding_window` is true."""
    if not config.flag("use_sliding_window", default=False):
        return {}
    layers = config.whole("num_hidden_layers")
    full = min(config.count("max_window_layers", default=layers), layers)
    return _settings(config, (_FULL,) * full + (_SLIDING,) * (layers - full))


def _every_layer(config: Config, *, free: int | None) -> tuple[str, ...]:
    if config.whole_or_none("sliding_window") is None:
        return ()
    layers = range(1, config.whole("num_hidden_layers") + 1)
    return tuple(_FULL if free and layer % free == 0 else _SLIDING for layer in layers)


def _settings(config: Config, usual: tuple[str, ...]) -> dict[str, Any]:
    """Those of `MultiHead`: a window, and every how manieth layer is free of it."""
    kinds = config.words("layer_types") or usual
    for kind in kinds:
        if kind not in (_SLIDING, _FULL):
            raise InputError(
                f"{config.source} has layers of type '{kind}'; only '{_FULL}' and '{_SLIDING}' are counted."
            )
    if _SLIDING not in kinds:
        return {}
    window = config.whole("sliding_window")
    return {"window": window} | ({"global_every": _period(kinds, config)} if _FULL in kinds else {})


def _period(kinds: tuple[str, ...], config: Config) -> int:
    every = kinds.index(_FULL) + 1
    if kinds != tuple(_SLIDING if (layer + 1) % every else _FULL for layer in range(len(kinds))):
        raise InputError(
            f"The layers of {config.source} that see all keys are not every so manieth one, the only "
            f"arrangement that is counted."
        )
    return every
