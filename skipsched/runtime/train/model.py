"""A LLaMA-style decoder, cut into stages (Touvron et al. 2023, arXiv 2302.13971)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, scaled_dot_product_attention, silu

from skipsched.runtime.model import Model

#: Tokens are bytes.
VOCABULARY = 256
#: Of the rotary frequencies (Su et al. 2021, arXiv 2104.09864).
_ROTARY_BASE = 10_000.0
#: The feed-forward size over the hidden size: with three matrices as large as two of four times the size.
_FFN_RATIO = 8 / 3
#: Standard deviation of the initial weights.
_SPREAD = 0.02


@dataclass(frozen=True, slots=True)
class Shape:
    """The decoder's shape.

    Parameters
    ----------
    layers
        Of each stage.
    hidden_size
        Width of activations.
    heads
        Of attention.
    sequence_length
        Tokens of a sample.
    samples
        Of a microbatch.
    """

    layers: tuple[int, ...]
    hidden_size: int
    heads: int
    sequence_length: int
    samples: int


class _Attention(nn.Module):
    """Causal self-attention with rotary positions."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self._heads = shape.heads
        self.qkv = nn.Linear(shape.hidden_size, 3 * shape.hidden_size, bias=False)
        self.out = nn.Linear(shape.hidden_size, shape.hidden_size, bias=False)
        width = shape.hidden_size // shape.heads
        frequencies = _ROTARY_BASE ** (-torch.arange(0, width, 2) / width)
        angles = torch.outer(torch.arange(shape.sequence_length), frequencies)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, activation: Tensor) -> Tensor:
        """Shapes in and out: samples x tokens x hidden size."""
        samples, tokens, hidden = activation.shape
        split = self.qkv(activation).view(samples, tokens, 3, self._heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = split
        mixed = scaled_dot_product_attention(self._turned(query), self._turned(key), value, is_causal=True)
        output: Tensor = self.out(mixed.transpose(1, 2).reshape(samples, tokens, hidden))
        return output

    def _turned(self, vectors: Tensor) -> Tensor:
        """Pairs of numbers turned by an angle that grows with the position."""
        one, other = vectors.chunk(2, dim=-1)
        cos, sin = self.get_buffer("cos"), self.get_buffer("sin")
        return torch.cat([one * cos - other * sin, one * sin + other * cos], dim=-1)


class _FeedForward(nn.Module):
    """SwiGLU (Shazeer 2020, arXiv 2002.05202)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        inner = round(_FFN_RATIO * shape.hidden_size)
        self.gate = nn.Linear(shape.hidden_size, inner, bias=False)
        self.up = nn.Linear(shape.hidden_size, inner, bias=False)
        self.down = nn.Linear(inner, shape.hidden_size, bias=False)

    def forward(self, activation: Tensor) -> Tensor:
        """Shapes in and out: samples x tokens x hidden size."""
        output: Tensor = self.down(silu(self.gate(activation)) * self.up(activation))
        return output


class _Layer(nn.Module):
    """Attention and feed-forward, each on a normalised copy and added."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(shape.hidden_size)
        self.attention = _Attention(shape)
        self.feed_forward_norm = nn.RMSNorm(shape.hidden_size)
        self.feed_forward = _FeedForward(shape)

    def forward(self, activation: Tensor) -> Tensor:
        """Shapes in and out: samples x tokens x hidden size."""
        activation = activation + self.attention(self.attention_norm(activation))
        output: Tensor = activation + self.feed_forward(self.feed_forward_norm(activation))
        return output


class _Head(nn.Module):
    """The last norm, the logits, and the mean cross-entropy over all tokens."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(shape.hidden_size)
        self.logits = nn.Linear(shape.hidden_size, VOCABULARY, bias=False)

    def forward(self, activation: Tensor, targets: Tensor) -> Tensor:
        """The loss, from samples x tokens x hidden size and samples x tokens."""
        logits = self.logits(self.norm(activation))
        return cross_entropy(logits.flatten(0, 1), targets.flatten())


def language_model(shape: Shape, seed: int) -> Model:
    """The decoder, as a `Pipeline` takes it. The same seed gives the same weights on every node."""

    def stage(number: int) -> nn.Module:
        return _seeded(
            seed, 2 + number, lambda: nn.Sequential(*(_Layer(shape) for _ in range(shape.layers[number])))
        )

    return Model(
        stages=len(shape.layers),
        stage=stage,
        embedding=lambda: _seeded(seed, 0, lambda: nn.Embedding(VOCABULARY, shape.hidden_size)),
        head=lambda: _seeded(seed, 1, lambda: _Head(shape)),
        activation=(shape.samples, shape.sequence_length, shape.hidden_size),
    )


def _seeded(seed: int, part: int, make: Callable[[], nn.Module]) -> nn.Module:
    """A part of the model with its initial weights."""
    made = make()
    chance = torch.Generator().manual_seed(seed_of(seed, part))
    for parameter in made.parameters():
        if parameter.dim() > 1:  # the others are norms, which begin with ones
            nn.init.normal_(parameter, std=_SPREAD, generator=chance)
    return made


def seed_of(*numbers: int) -> int:
    """One seed of several numbers, such that it changes with each of them."""
    state = 0
    for number in numbers:
        state = (state * 1_000_003 + number + 1) % 2**63
    return state
