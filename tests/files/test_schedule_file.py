"""Reading and writing schedules: what comes back is what was written, and nothing strange gets in."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from check_cases import WIDE, changed, tiny, wide
from hypothesis import given, settings
from hypothesis import strategies as st

import skipsched
from skipsched import InputError, Schedule
from skipsched.schedule import file
from skipsched.schedule.document import FORMAT

texts = st.text(st.characters(codec="utf-8"), max_size=5)
json_values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), texts
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)


def refused(text: str | bytes) -> str:
    """What the one diagnostic says of a text that is refused."""
    with pytest.raises(InputError) as caught:
        Schedule.parse("s.json", text.encode() if isinstance(text, str) else text)
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.severity, diagnostic.rule) == ("error", "schedule")
    return diagnostic.format()


@pytest.mark.parametrize("document", [tiny(), wide()], ids=["tiny", "wide"])
def test_round_trip(document: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "schedule.json"
    Schedule(document).write(path)
    assert Schedule.read(path).document == document
    assert Schedule.read(str(path)).text() == path.read_text()
    assert Schedule.parse("bytes", path.read_bytes()).document == document


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(texts, json_values, max_size=5))
def test_any_object_comes_back_as_it_was(drawn: dict[str, Any]) -> None:
    document = {**drawn, "format": FORMAT}
    text = Schedule(document).text()
    # What Python's own reader makes of it, types included.
    assert repr(json.loads(text)) == repr(document)
    assert repr(Schedule.parse("text", text.encode()).document) == repr(document)


def test_an_action_or_a_microbatch_a_line() -> None:
    lines = Schedule(wide()).text().splitlines()
    actions = [line for line in lines if '"op": ' in line]
    microbatches = [line for line in lines if '"data_node": ' in line]
    assert all(line.count('"op": ') == 1 for line in actions)
    assert len(actions) == 6 * 7
    assert len(microbatches) == 6


def test_a_byte_order_mark_is_no_matter() -> None:
    text = Schedule(tiny()).text().encode()
    assert Schedule.parse("s.json", b"\xef\xbb\xbf" + text).document == tiny()


@pytest.mark.parametrize(
    "text", ["{}", '{"format": null}', '{"format": 1}', '{"format": "skipsched.schedule/2"}']
)
def test_another_format_is_refused(text: str) -> None:
    assert 'this program reads "skipsched.schedule/1"' in refused(text)


def test_standard_streams(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    Schedule(tiny()).write("-")
    written = capsys.readouterr().out
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(written.encode())))
    assert Schedule.read("-").document == tiny()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"a": 1', "s.json:1:8: "),
        ('{\n "a": [1,\n  2,\n', "s.json:4:1: "),
        ('{\n "a": tru}', "s.json:2:7: "),
        ('{"a": 1}\n{"b": 2}', "s.json:2:1: "),
        ("{'a': 1}", "s.json:1:2: "),
        ("{a: 1}", "s.json:1:2: "),
    ],
)
def test_what_is_no_json_is_told_with_its_place(text: str, place: str) -> None:
    said = refused(text)
    assert said.startswith(place)
    assert "not JSON" in said


def test_an_empty_file_is_told_to_be_one() -> None:
    assert refused("") == "error[schedule] s.json is empty: no schedule came"


@pytest.mark.parametrize("cut", range(0, 100, 7))
def test_any_truncation_is_refused(cut: int) -> None:
    text = Schedule(wide()).text().rstrip()
    at = len(text) * cut // 100
    lines = text[:at].split("\n")
    place = f"s.json:{len(lines)}:"
    told = refused(text[:at])
    assert place in told or "Unterminated" in told or (at == 0 and "empty" in told)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "a JSON object is expected"),
        ("null", "a JSON object is expected"),
        ("1", "a JSON object is expected"),
        ('"text"', "a JSON object is expected"),
        ('{"a": 1, "a": 1}', 'the key "a" stands twice'),
        ('{"x": {"key\\u001b": 1, "b": 2, "key\\u001b": 3}}', "stands twice"),
        ('{"a": NaN}', "NaN is no number"),
        ('{"a": Infinity}', "Infinity is no number"),
        ('{"a": [-Infinity]}', "-Infinity is no number"),
        ('{"a": ' + "[" * 200_000 + "]" * 200_000 + "}", "nested too deeply"),
        ('{"a":' * 200_000, "nested too deeply"),
        ('{"a": ' + "9" * 5_000 + "}", "s.json: "),
        (b"\x89PNG\r\n\x1a\n\x00\xff", "not UTF-8"),
        (b"\x00" * 100, "not JSON"),
        ("{}".encode("utf-16"), "not UTF-8"),
    ],
)
def test_what_is_no_schedule_is_refused(text: str | bytes, said: str) -> None:
    message = refused(text)
    assert said in message
    assert message.isprintable() or "\n" in message
    assert len(message) < 1000


def test_large_numbers_are_read_and_refused_by_the_checker() -> None:
    big = 10**4000
    read = Schedule.parse("s.json", json.dumps(changed(tiny(), ["makespan"], big)).encode())
    assert read.document["makespan"] == big
    assert [violation.rule for violation in skipsched.validate(read)] == ["makespan"]
    infinite = Schedule.parse("s.json", b'{"format": "skipsched.schedule/1", "gap": 1e999}')
    assert skipsched.validate(infinite)


def test_a_file_that_is_too_large_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "schedule.json"
    Schedule(tiny()).write(path)
    monkeypatch.setattr(file, "KIND", replace(file.KIND, most_bytes=path.stat().st_size))
    assert Schedule.read(path).document == tiny()
    monkeypatch.setattr(file, "KIND", replace(file.KIND, most_bytes=path.stat().st_size - 1))
    with pytest.raises(InputError, match="is larger than"):
        Schedule.read(path)
    # An endless one is read no further than that.
    with pytest.raises(InputError, match="is larger than"):
        Schedule.read("/dev/zero")


@pytest.mark.parametrize("path", ["missing.json", "", ".", "a\0b", "x" * 5000])
def test_what_cannot_be_read(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError):
        Schedule.read(path)


def test_the_topology_it_carries() -> None:
    topology = Schedule(wide()).topology()
    assert topology == skipsched.load_topology(WIDE)
    assert topology.sha256 == skipsched.load_topology(WIDE).sha256


@pytest.mark.parametrize("carried", [None, [], {}, {"document": None}, {"document": {"skipsched": 1}}])
def test_a_topology_that_it_does_not_carry(carried: Any) -> None:
    schedule = Schedule(wide() | {"topology": carried})
    with pytest.raises(InputError):
        schedule.topology()
    assert {violation.rule for violation in skipsched.validate(schedule)} == {"topology"}
