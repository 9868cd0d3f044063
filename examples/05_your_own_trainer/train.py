# ruff: noqa: B905, RUF007, T201  (a script as people have them)
"""Train a small language model over bytes: a window of them is embedded, a few ReLU layers predict the next.

A script as people have them: NumPy only, its own options, its own log. It knows nothing of allometry.
"""

import argparse
import json
import math
import signal
import sys
import sysconfig
from pathlib import Path

import numpy as np

EMBEDDING = 16
HELD_OUT = 20_000  # bytes at the end of the text


def read_options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--n-layer", type=int, default=1)
    parser.add_argument("--window", type=int, default=8)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--batch", type=int, default=512, help="predictions a step")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint")
    return parser.parse_args()


def read_bytes(size=1_000_000):
    """The first bytes of Python's own standard library: text that is on every machine."""
    files = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    text = b"".join(path.read_bytes() for path in files)
    return np.frombuffer(text[:size], dtype=np.uint8).astype(np.int64)


def new_weights(options, draw):
    sizes = [EMBEDDING * options.window, *[options.width] * options.n_layer, 256]
    weights = {"embedding": draw.normal(0, 1, (256, EMBEDDING))}
    for number, (rows, columns) in enumerate(zip(sizes, sizes[1:])):
        weights[f"w{number}"] = draw.normal(0, math.sqrt(2 / rows), (rows, columns))
        weights[f"b{number}"] = np.zeros(columns)
    weights[f"w{len(sizes) - 2}"] *= 0.1  # begin near the uniform distribution
    return {name: value.astype(np.float32) for name, value in weights.items()}


def forward(weights, windows):
    """Activations of every layer; the last are the logits."""
    layers = (len(weights) - 1) // 2
    activations = [weights["embedding"][windows].reshape(len(windows), -1)]
    for number in range(layers):
        next_one = activations[-1] @ weights[f"w{number}"] + weights[f"b{number}"]
        activations.append(np.maximum(next_one, 0) if number < layers - 1 else next_one)
    return activations


def cross_entropy(logits, targets):
    """Mean loss in nats, and its gradient in the logits."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    likelihood = np.exp(shifted)
    likelihood /= likelihood.sum(axis=1, keepdims=True)
    rows = np.arange(len(targets))
    loss = -np.log(likelihood[rows, targets] + 1e-30).mean()
    likelihood[rows, targets] -= 1
    return float(loss), likelihood / len(targets)


def gradients(weights, windows, targets):
    activations = forward(weights, windows)
    loss, error = cross_entropy(activations[-1], targets)
    found = {}
    for number in reversed(range(len(activations) - 1)):
        below = activations[number]
        found[f"w{number}"], found[f"b{number}"] = below.T @ error, error.sum(axis=0)
        error = error @ weights[f"w{number}"].T
        if number:
            error = error * (below > 0)
    found["embedding"] = np.zeros_like(weights["embedding"])
    np.add.at(found["embedding"], windows.ravel(), error.reshape(-1, EMBEDDING))
    return loss, found


def adam(weights, found, moments, step, lr):
    for name, gradient in found.items():
        first, second = moments[name]
        first += 0.1 * (gradient - first)
        second += 0.01 * (gradient**2 - second)
        corrected = (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.99**step)) + 1e-8)
        weights[name] -= lr * corrected


def windows_at(text, places, window):
    return text[places[:, None] + np.arange(window)], text[places + window]


def held_out_loss(weights, text, window):
    places = np.arange(len(text) - HELD_OUT, len(text) - window)
    windows, targets = windows_at(text, places, window)
    return cross_entropy(forward(weights, windows)[-1], targets)[0]


def main():
    options = read_options()
    text, draw = read_bytes(), np.random.default_rng(options.seed)
    weights = new_weights(options, draw)
    moments = {name: (np.zeros_like(value), np.zeros_like(value)) for name, value in weights.items()}
    asked_to_stop = []
    signal.signal(signal.SIGTERM, lambda *_: asked_to_stop.append(True))
    for step in range(1, options.steps + 1):
        places = draw.integers(0, len(text) - HELD_OUT - options.window, options.batch)
        loss, found = gradients(weights, *windows_at(text, places, options.window))
        lr = options.lr * min(1.0, 2 * (1 - step / (options.steps + 1)))  # constant, then linear to zero
        adam(weights, found, moments, step, lr)
        if step % 100 == 0 or step == options.steps:
            print(f"step {step} | train loss {loss:.3f}", flush=True)
        if asked_to_stop:
            sys.exit("stopped")
    options.out.mkdir(parents=True, exist_ok=True)
    np.savez(options.out / "weights.npz", **weights)
    tokens = options.steps * options.batch
    matmul = sum(value.size for name, value in weights.items() if name.startswith("w"))
    val_loss = held_out_loss(weights, text, options.window)
    params = sum(value.size for value in weights.values())
    result = {"val_loss": val_loss, "n_params": params, "train_tokens": tokens, "flops": 6 * matmul * tokens}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
