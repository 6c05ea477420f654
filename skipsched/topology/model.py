"""The topology as data: exact figures (fractions of seconds and bytes), nothing derived, nothing rounded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from skipsched.text.diagnostics import Diagnostic
from skipsched.text.source import Mark


@dataclass(frozen=True, slots=True)
class Node:
    """One training worker.

    Parameters
    ----------
    id
        Unique name.
    location
        Name of its place in the network, if it has one.
    layer_time
        Seconds of one forward of one layer for one sample; None if `forward_time` is given.
    forward_time
        Seconds of one forward of one microbatch through any stage; None if `layer_time` is given.
    slots
        Memory slots; None if memory is given in bytes.
    memory
        Bytes; None if slots are given.
    stage
        The stage it is pinned to, if any.
    microbatches
        Microbatches it emits per iteration if it becomes a data node.
    """

    id: str
    location: str | None
    layer_time: Fraction | None
    forward_time: Fraction | None
    slots: int | None
    memory: Fraction | None
    stage: int | None
    microbatches: int


@dataclass(frozen=True, slots=True)
class Link:
    """Figures of one directed link: latency in seconds, bandwidth in bytes per second."""

    latency: Fraction
    bandwidth: Fraction


@dataclass(frozen=True, slots=True)
class Network:
    """Transfers between nodes.

    Parameters
    ----------
    overhead
        Seconds added to every transfer.
    default
        Figures of a pair that no row names; None if such a pair has no link.
    rows
        Figures by directed pair of ends; an end is a node's id or a location.
    """

    overhead: Fraction
    default: Link | None
    rows: Mapping[tuple[str, str], Link]

    def row(self, source: Node, target: Node) -> tuple[str, str] | None:
        """The ends of the most specific row that holds from one node to another; None where no row does."""
        here, there = source.location, target.location
        ends = [(source.id, target.id), (source.id, there), (here, target.id), (here, there)]
        return next(
            ((a, b) for a, b in ends if a is not None and b is not None and (a, b) in self.rows), None
        )

    def link(self, source: Node, target: Node) -> Link | None:
        """Figures from one node to another; None if there is no link."""
        ends = self.row(source, target)
        return self.default if ends is None else self.rows[ends]


@dataclass(frozen=True, slots=True)
class ModelShape:
    """The language model's shape, from which memory and activations are computed."""

    hidden_size: int
    sequence_length: int
    bytes_per_value: int
    vocab_size: int
    ffn_size: int
    bytes_per_parameter: int


@dataclass(frozen=True, slots=True)
class Workload:
    """What one iteration trains.

    Parameters
    ----------
    stages
        Number of stages, the first included.
    stage_layers
        Layers of each stage; None if nothing needs them.
    stage_sizes
        Nodes of each stage; None if only `data_nodes` is given.
    data_nodes
        Nodes of the first stage.
    samples
        Samples per microbatch; None if nothing needs them.
    activation
        Bytes of one microbatch between stages.
    model
        The model's shape, if memory or activation come from it.
    backward_ratio, loss_ratio
        Duration of a backward and of a loss, as multiples of the forward.
    action_overhead
        Seconds a node stays unavailable after every action.
    gradient
        Bytes of gradients of each stage.
    """

    stages: int
    stage_layers: tuple[int, ...] | None
    stage_sizes: tuple[int, ...] | None
    data_nodes: int
    samples: int | None
    activation: Fraction
    model: ModelShape | None
    backward_ratio: Fraction
    loss_ratio: Fraction
    action_overhead: Fraction
    gradient: tuple[Fraction, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """Convergence and throughput rules that the user may set."""

    path_length: int
    max_swaps: int
    max_swap_distance: int
    max_jump: int
    even_stages: bool
    even_nodes: bool
    cover: bool
    path_period: int | None


@dataclass(frozen=True, slots=True)
class Topology:
    """A whole topology, as loaded.

    Parameters
    ----------
    name
        Its name.
    nodes, network, workload, rules
        Its parts.
    document
        The normalised document: groups expanded, rows of a links file inlined, every figure as its text.
    warnings
        What was strange but not wrong.
    places
        Where fields stand in the text, by their path in the document (``rules.max_jump``, ``nodes[2]``); the
        nodes of a group share theirs.
    """

    name: str
    nodes: tuple[Node, ...]
    network: Network
    workload: Workload
    rules: Rules
    document: Mapping[str, Any] = field(repr=False)
    warnings: tuple[Diagnostic, ...] = field(default=(), repr=False)
    places: Mapping[str, Mark] = field(default_factory=dict, repr=False, compare=False)

    @property
    def sha256(self) -> str:
        """Hash of the normalised document as canonical JSON: sorted keys, no spaces, UTF-8."""
        return document_hash(self.document)


def document_hash(document: Mapping[str, Any]) -> str:
    """SHA-256 of a document as canonical JSON."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
