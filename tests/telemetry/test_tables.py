"""Tables in NDJSON and Parquet, read by a mapping; delimited ones have tests of their own."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from format_kit import ROOT, Outcome, Trickle, check_conservation, mutated, read
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwright.errors import UsageError
from cellwright.telemetry.formats.delimited_mapping import Mapping, load_mapping
from cellwright.telemetry.formats.table_ndjson import NdjsonTable
from cellwright.telemetry.formats.table_parquet import ParquetTable
from cellwright.telemetry.formats.table_parquet_footer import footer_rows

CASES = Path(__file__).parent.parent / "cases" / "telemetry"
EXAMPLES = ROOT / "examples" / "mappings"
FRAGMENTS = [b"\n", b"{", b"}", b'"', b"\\", b'{"counter":"A"}', b"NaN", b"null", b"\r\n", b"\0", b"\xff", b"[" * 80]
FRAGMENTS += [b'"cell":{"id":', b":", b",", b"9" * 5000, b"\\ud800", b"\xef\xbb\xbf", b"\x0b"]
PIECES = st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.binary(max_size=6)), max_size=30)
EDITS = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 20), st.sampled_from(FRAGMENTS)), max_size=4)
BYTE_EDITS = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 4), st.binary(max_size=4)), max_size=4)
TEXT = st.text(st.characters(blacklist_categories=["Cs"]), max_size=4)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from("ab"), inner, max_size=2)),
    max_leaves=3,
)
RECORDS = st.dictionaries(st.sampled_from(["counter", "cell", "value", "note", "tags", "x"]), JSON, max_size=4)


def _mapping(path: Path) -> Mapping:
    return load_mapping(path.read_text(encoding="utf-8"), path.name)


NDJSON = NdjsonTable(_mapping(CASES / "ndjson" / "mapping.yaml"))
PARQUET = ParquetTable(_mapping(CASES / "parquet" / "mapping.yaml"))
LINES = (CASES / "ndjson" / "records.ndjson").read_bytes()
TABLES = [path.read_bytes() for path in sorted((CASES / "parquet").glob("*.parquet"))]


def _problems(kind: str, before: str, after: str) -> list[str]:
    text = (CASES / kind / "mapping.yaml").read_text(encoding="utf-8")
    assert before in text
    with pytest.raises(UsageError) as caught:
        load_mapping(text.replace(before, after), "m.yaml")
    return [str(diagnostic) for diagnostic in caught.value.diagnostics]


def _history(**changes: list[Any]) -> bytes:
    """Return a table that the example of an alarm history reads."""
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    columns: dict[str, list[Any]] = {"id": [1], "element": ["gnb"], "raised": [moment], "cleared": [None]}
    columns |= {"severity": [2], "text": ["down"], "region": ["x"]}
    stream = io.BytesIO()
    pq.write_table(pa.table(columns | changes), stream)
    return stream.getvalue()


def _read_history(data: bytes) -> Outcome:
    return check_conservation(ParquetTable(_mapping(EXAMPLES / "alarm-history-parquet.yaml")), data)


def _spans_are_whole(outcome: Outcome) -> bool:
    """Return what check_conservation asserts, for numbers of facts that no list can hold."""
    spans = [(item.ordinal, item.facts) for item in [*outcome.quarantined, *outcome.filtered] if item.facts]
    spans += [(row["ordinal"], 1) for rows in outcome.rows.values() for row in rows]
    reached = 0
    for start, facts in sorted(spans):
        if start != reached:
            return False
        reached += facts
    return reached == outcome.facts


@settings(deadline=None, max_examples=150)
@given(EDITS, st.integers(0, 10**6))
def test_damaged_lines_conserve_every_fact(edits: list[tuple[int, int, bytes]], cut: int) -> None:
    damaged = mutated(LINES, edits)
    check_conservation(NDJSON, damaged if edits else damaged[: cut % (len(damaged) + 1)])


@settings(deadline=None, max_examples=150)
@given(PIECES)
def test_any_bytes_conserve_every_fact(pieces: list[bytes]) -> None:
    check_conservation(NDJSON, b"".join(pieces))
    check_conservation(PARQUET, b"PAR1" + b"".join(pieces) + b"\4\0\0\0PAR1")


@settings(deadline=None, max_examples=150)
@given(st.lists(RECORDS, max_size=4))
def test_any_json_is_a_row_or_refused(records: list[dict[str, Any]]) -> None:
    outcome = check_conservation(NDJSON, "\n".join(json.dumps(record) for record in records).encode())
    assert outcome.facts == len(records)


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(TABLES), BYTE_EDITS, st.integers(0, 10**6))
def test_damaged_parquet_conserves_every_fact(seed: bytes, edits: list[tuple[int, int, bytes]], cut: int) -> None:
    damaged = mutated(seed, edits)
    assert _spans_are_whole(read(PARQUET, damaged if edits else damaged[: cut % (len(damaged) + 1)]))


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(TABLES), st.integers(1, 6000), st.integers(0, 255))
def test_parquet_with_one_byte_of_its_end_changed_conserves_every_fact(seed: bytes, back: int, byte: int) -> None:
    at = max(0, len(seed) - back)
    assert _spans_are_whole(read(PARQUET, seed[:at] + bytes([byte]) + seed[at + 1 :]))


def test_what_is_read_does_not_depend_on_how_the_bytes_arrive() -> None:
    assert read(NDJSON, LINES, Trickle) == read(NDJSON, LINES)
    for table in TABLES:
        assert read(PARQUET, table, Trickle) == read(PARQUET, table)


def test_an_empty_file_holds_nothing() -> None:
    assert check_conservation(NDJSON, b"").facts == check_conservation(PARQUET, b"").facts == 0


@pytest.mark.parametrize("rows", [0, 1, 9000])
@pytest.mark.parametrize("group", [1000, 1 << 20])
def test_the_footer_says_the_rows_that_were_written(rows: int, group: int) -> None:
    stream = io.BytesIO()
    wide = {f"column {number}": pa.array(range(rows)) for number in range(40)}
    pq.write_table(pa.table(wide), stream, row_group_size=group)
    assert footer_rows(stream) == rows


def test_values_of_parquet_are_read_as_their_texts_would_be() -> None:
    (row,) = _read_history(_history()).only("alarm_events")
    assert (row["alarm_id"], row["object_dn"], row["perceived_severity"]) == ("1", "ManagedElement=gnb", "MAJOR")
    assert (row["raised_ts"], row["cleared_ts"]) == (datetime(2026, 3, 1, tzinfo=UTC), None)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York", "+05:30"])
def test_times_of_parquet_are_instants_whatever_their_unit_and_zone(unit: str, zone: str | None) -> None:
    moments = pa.array([datetime(2026, 3, 1, 12)], pa.timestamp(unit)).cast(pa.int64()).cast(pa.timestamp(unit, zone))  # noqa: DTZ001 - UTC
    (row,) = _read_history(_history(raised=moments)).only("alarm_events")
    assert row["raised_ts"] == datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_rows_of_many_groups_come_in_order_and_in_batches() -> None:
    count = 40_000
    columns = {name: ["x"] * count for name in ("element", "text", "region")} | {"id": list(range(count))}
    columns |= {"raised": [datetime(2026, 3, 1, tzinfo=UTC)] * count, "cleared": [None] * count}
    stream = io.BytesIO()
    pq.write_table(pa.table(columns | {"severity": [1, 2, 3, 5] * (count // 4)}), stream, row_group_size=3000)
    outcome = _read_history(stream.getvalue())
    rows = outcome.only("alarm_events")
    assert [int(row["alarm_id"]) for row in rows] == [number for number in range(count) if number % 4 != 3]
    assert all(int(row["alarm_id"]) == row["ordinal"] for row in rows)


def test_an_encrypted_footer_is_told_from_damage() -> None:
    outcome = check_conservation(PARQUET, b"PARE" + b"x" * 40 + b"\4\0\0\0PARE")
    assert outcome.codes() == [("encrypted-table", 1, None)]
    assert PARQUET.detects(b"PARE", "x")


def test_members_may_be_absent_but_none_may_be_unknown() -> None:
    table = NdjsonTable(_mapping(EXAMPLES / "cell-kpis-ndjson.yaml"))
    data = b'{"time":1772323200000,"cell":{"id":7},"kpi":"a","value":1.5}\n{"kpi":"b"}\n{"kpi":"c","cell":{"x":1}}\n'
    outcome = check_conservation(table, data)
    assert [row["obj_ldn"] for row in outcome.only("pm_counters")] == ["NRCellDU=7", None]
    assert outcome.codes() == [("unknown-member", 1, 3)]
    assert table.detects(data, "x")
    assert not NDJSON.detects(data.splitlines()[0], "x")


def test_the_count_does_not_come_from_the_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cellwright.telemetry.formats.table_parquet.pq.ParquetFile", None)
    assert PARQUET.count_facts(io.BytesIO((CASES / "parquet" / "records.parquet").read_bytes())) == 8
    monkeypatch.setattr("cellwright.telemetry.formats.table_ndjson.bounded_lines", lambda _: iter([]))
    assert NDJSON.count_facts(io.BytesIO(b"\xef\xbb\xbf\n{}\n \t\r\n}\nlast")) == 3


@pytest.mark.parametrize(
    ("kind", "before", "after", "place", "message"),
    [
        (
            "ndjson",
            "format: ndjson",
            "format: nd",
            "6:11",
            "format is 'nd'; expected 'delimited', 'ndjson' or 'parquet'",
        ),
        ("ndjson", "column: rate", "column: rates", "14:5", "no column 'rates'; hint: did you mean 'rate'?"),
        ("ndjson", "  vendor:", "  delimiter: ;\n  vendor:", "7:3", "for delimited tables, not for ndjson"),
        (
            "ndjson",
            "counter, value",
            "counter, cell, value",
            "8:3",
            "'cell' holds another one: name the whole or its parts",
        ),
        ("parquet", "hidden, cell.site", "hidden", "8:3", "column 'cell.site' is neither used nor in spec.ignore"),
    ],
)
def test_a_mapping_with_a_mistake_says_where_and_what(
    kind: str, before: str, after: str, place: str, message: str
) -> None:
    starts = [each for each in _problems(kind, before, after) if each.startswith(f"m.yaml:{place}: error[")]
    assert any(problem.endswith(message) for problem in starts), _problems(kind, before, after)
