"""What a language model asks of a node: times, sizes of gradients and activations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from skipsched.generate import figures
from skipsched.generate.draft import Entry
from skipsched.generate.sizes import Shape
from skipsched.topology import derive
from skipsched.topology.model import ModelShape

#: The share of a card's peak that training reaches.
_REACHED = 0.4
#: The shapes of Llama 7B, and of a model of half the width.
WIDE = ModelShape(
    hidden_size=4096,
    sequence_length=2048,
    bytes_per_value=2,
    vocab_size=32000,
    ffn_size=11008,
    bytes_per_parameter=16,
)
NARROW = replace(WIDE, hidden_size=2048, ffn_size=5504)


def source_of_times(model: ModelShape, peaks: Sequence[tuple[str, float]]) -> str:
    """The sentence of a comment that says where the times come from.

    Parameters
    ----------
    model
        The model that is trained.
    peaks
        Names of cards and their published dense 16-bit peaks in TFLOP/s.
    """
    cards = ", ".join(f"{name} {peak:g}" for name, peak in peaks)
    return (
        f"a model of hidden size {model.hidden_size}, feed-forward {model.ffn_size}, vocabulary "
        f"{model.vocab_size}, sequences of {model.sequence_length}, in 16 bits. A layer's forward is "
        f"2*(4*h*h + 3*h*f)*s + 4*s*s*h = {figures.text(layer_work(model), 3)} TFLOP a sample, at "
        f"{100 * _REACHED:.0f} % of a card's published dense 16-bit peak ({cards} TFLOP/s)."
    )


def layer_work(model: ModelShape) -> float:
    """TFLOP of one layer's forward for one sample: matrix products, and attention over the sequence."""
    h, f, s = model.hidden_size, model.ffn_size, model.sequence_length
    return (2 * (4 * h * h + 3 * h * f) * s + 4 * s * s * h) / 1e12


def layer_time(model: ModelShape, peak: float) -> str:
    """Time of one layer's forward for one sample on a card with a peak in TFLOP/s."""
    return figures.time(layer_work(model) / (_REACHED * peak), digits=3)


def workload(
    model: ModelShape,
    shape: Shape,
    sizes: Entry,
    carried: Entry,
    *,
    layers: int,
    samples: int,
    action_overhead: str,
    gradient_bits: float,
) -> list[Entry]:
    """The section `workload` for training a model.

    Parameters
    ----------
    model, shape
        What is trained, and how much at a time.
    sizes
        Says how many nodes the stages have.
    carried
        Says what a microbatch carries between stages.
    layers, samples
        Of a stage, and of a microbatch.
    action_overhead
        As in a topology.
    gradient_bits
        Bits that are sent of a parameter's gradient.
    """
    return [
        Entry("stages", shape.stages),
        Entry("layers", layers * shape.stages),
        sizes,
        Entry("samples_per_microbatch", samples),
        Entry("microbatches", shape.microbatches, shape.emitted),
        carried,
        Entry("backward_ratio", 2),
        Entry("loss_ratio", _loss_ratio(model, layers), "the head"),
        Entry("action_overhead", action_overhead),
        Entry("gradient", _gradients(model, shape.stages, layers, gradient_bits)),
    ]


def _loss_ratio(model: ModelShape, layers: int) -> str:
    """Time of the head, forward and backward, as a multiple of the forward of a stage of so many layers."""
    head = 2 * model.vocab_size * model.hidden_size * model.sequence_length / 1e12
    return figures.text(3 * head / (layers * layer_work(model)), 2)


def _gradients(model: ModelShape, stages: int, layers: int, bits: float) -> str:
    """Sizes of the gradients of each stage, at so many bits a parameter, as a list of YAML."""
    first, other = (derive.stage_memory(model, stage, layers, 1).parameters * bits / 8 for stage in (0, 1))
    return f"[{', '.join([figures.size(first), *[figures.size(other)] * (stages - 1)])}]"


def activation(model: ModelShape, samples: int, bits: int) -> Entry:
    """What one microbatch carries between stages, at so many bits a value, in whole MiB."""
    return Entry(
        "activation", f"{samples * model.sequence_length * model.hidden_size * bits // (8 * 2**20)} MiB"
    )
