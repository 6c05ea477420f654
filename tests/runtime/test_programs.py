"""What a schedule asks of each node: instructions and messages, in the right order."""

from __future__ import annotations

from typing import Any

import pytest
from check_cases import TINY, TINY_ORDERS, TINY_PATHS, TINY_STAGES, schedule, tiny
from runtime_documents import random_document

from skipsched.runtime import Instruction, Message, Programs
from skipsched.schedule import Schedule
from skipsched.text.diagnostics import InputError


def test_by_hand() -> None:
    programs = Programs.of(Schedule(tiny(b="F0 F2 B0 F1 B2 B1")))
    assert programs.nodes == ("a", "b")
    assert programs.stages == (("a",), ("b",))
    assert programs.executed == (3, 3)
    assert programs.data_nodes == ("a", "a", "a")
    first, *_, loss, _, last = programs.instructions["a"][::2]
    assert first == Instruction("F", 0, None, "b", Message("F", 0))
    assert last == Instruction("B", 2, "b", None, None)
    assert loss == Instruction("L", 1, "b", "b", Message("B", 1))
    assert programs.messages == {
        ("a", "b"): tuple(Message(*row) for row in zip("FFFBBB", (0, 1, 2, 0, 1, 2), strict=True)),
        # A forward of b goes to a's loss, a backward to a's backward, in the order in which b makes them.
        ("b", "a"): tuple(Message(*row) for row in zip("LLBLBB", (0, 2, 0, 1, 2, 1), strict=True)),
    }


def test_every_input_is_a_message_of_its_source() -> None:
    for seed in range(40):
        document = random_document(seed)
        if document is None:
            continue
        programs = Programs.of(Schedule(document))
        taken: dict[tuple[str, str], set[Message]] = {}
        for node, rows in programs.instructions.items():
            for row in rows:
                if row.source is not None:
                    taken.setdefault((row.source, node), set()).add(Message(row.op, row.microbatch))
        assert taken == {link: set(messages) for link, messages in programs.messages.items()}
        assert all(len(set(messages)) == len(messages) for messages in programs.messages.values())


def test_rings_order_the_nodes_of_a_stage() -> None:
    document = next(filter(None, (random_document(seed, {"gradients"}) for seed in range(40))))
    assert Programs.of(Schedule(document)).stages == tuple(map(tuple, document["rings"]))


def refused(document: dict[str, Any]) -> str:
    with pytest.raises(InputError) as raised:
        Programs.of(Schedule(document))
    return str(raised.value)


def test_a_deadlock_is_refused() -> None:
    document = tiny()
    rows = document["actions"]["b"]
    rows.insert(0, rows.pop())
    assert "error[deadlock]" in refused(document)


def test_too_many_in_flight_are_refused() -> None:
    document = schedule(TINY.replace("memory: 3", "memory: 2"), TINY_STAGES, TINY_PATHS, TINY_ORDERS)
    assert "error[memory]" in refused(document)


def test_wrong_routes_are_refused() -> None:
    document = tiny()
    document["actions"]["a"][0]["to"] = "a"
    assert "error[route]" in refused(document)
