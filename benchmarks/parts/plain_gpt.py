"""A GPT-2 and its training step as most people write them: the baseline of the throughput benchmark.

Written from the published description (Radford et al. 2019; Brown et al. 2020, appendix B): pre-norm blocks,
LayerNorm, GELU, learned positions, head tied to the embedding, fused attention, cross-entropy over all
logits, gradients clipped at 1, AdamW in one kernel. Biases are left out, which only makes it faster.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from allometry.architectures import Transformer


class Block(nn.Module):
    """Attention, then an MLP of four times the width."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.ln_1 = nn.LayerNorm(width, bias=False)
        self.c_attn = nn.Linear(width, 3 * width, bias=False)
        self.c_proj = nn.Linear(width, width, bias=False)
        self.ln_2 = nn.LayerNorm(width, bias=False)
        self.c_fc = nn.Linear(width, 4 * width, bias=False)
        self.gelu = nn.GELU()
        self.c_out = nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """One residual block of each kind."""
        x = x + self._attend(self.ln_1(x))
        mixed: Tensor = self.c_out(self.gelu(self.c_fc(self.ln_2(x))))
        return x + mixed

    def _attend(self, x: Tensor) -> Tensor:
        sequences, length, width = x.size()
        split = (sequences, length, self.heads, width // self.heads)
        q, k, v = (part.view(split).transpose(1, 2) for part in self.c_attn(x).split(width, dim=2))
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        mixed: Tensor = self.c_proj(y.transpose(1, 2).contiguous().view(sequences, length, width))
        return mixed


class PlainGpt(nn.Module):
    """Same vocabulary, context, width, layers and heads as a shape of ours."""

    def __init__(self, shape: Transformer) -> None:
        super().__init__()
        self.wte = nn.Embedding(shape.vocab, shape.width)
        self.wpe = nn.Embedding(shape.context, shape.width)
        self.blocks = nn.ModuleList(Block(shape.width, shape.heads) for _ in range(shape.layers))
        self.ln_f = nn.LayerNorm(shape.width, bias=False)
        self.lm_head = nn.Linear(shape.width, shape.vocab, bias=False)
        self.lm_head.weight = self.wte.weight
        for weight in self.parameters():
            if weight.dim() > 1:
                nn.init.normal_(weight, std=0.02)

    def forward(self, tokens: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy of the next tokens."""
        positions = torch.arange(tokens.size(1), device=tokens.device)
        x = self.wte(tokens) + self.wpe(positions)
        for block in self.blocks:
            x = block(x)
        logits = self.lm_head(self.ln_f(x))
        return functional.cross_entropy(logits.view(-1, logits.size(-1)), targets.reshape(-1))


class PlainTraining:
    """Model and optimizer; `step` is one update, which ends by reading the loss, as a log line does."""

    def __init__(self, shape: Transformer, device: torch.device, *, autocast: bool = False) -> None:
        self.device, self.autocast = device, autocast
        self.model = PlainGpt(shape).to(device)
        matrices = [weight for weight in self.model.parameters() if weight.dim() > 1]
        gains = [weight for weight in self.model.parameters() if weight.dim() == 1]
        groups = [{"params": matrices, "weight_decay": 0.1}, {"params": gains, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.95), fused=True)

    def step(self, batch: Tensor) -> float:
        """One update on token ids of shape (sequences, context + 1)."""
        ids = batch.to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            loss = self.model(ids[:, :-1], ids[:, 1:])
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return float(loss.detach())
