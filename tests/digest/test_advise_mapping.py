from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cellwright.digest.advise_mapping import Spec, fit, load_ticket_mapping, tickets_of
from cellwright.digest.advise_symptoms import Symptoms
from cellwright.errors import UsageError

EXAMPLE = Path(__file__).parents[2] / "examples/ticket-mapping.yaml"
HEAD = "apiVersion: cellwright.io/v1alpha1\nkind: TicketMapping\nmetadata: {name: desk}\nspec:\n"
DAY_US = round(datetime(2026, 3, 1, 10, tzinfo=UTC).timestamp() * 1e6)


def mapped(spec: str) -> Spec:
    return load_ticket_mapping(HEAD + spec, "desk.yaml").spec


def refusal(spec: str) -> str:
    with pytest.raises(UsageError) as caught:
        mapped(spec)
    return str(caught.value)


def test_a_table_with_the_plain_names_needs_no_mapping() -> None:
    columns = {
        "ticket": ["T1"],
        "opened": ["2026-03-01T11:00:00+01:00"],
        "text": [" no light "],
        "alarm_types": ["LOS; LinkDown;LOS"],
        "resolution_code": ["FIBRE"],
        "severity": ["1 - Critical"],
        "extra": ["never read"],
    }
    (found,) = tickets_of(columns, fit(Spec(), tuple(columns), "t.csv")).tickets
    assert found.symptoms == Symptoms("no light", ("LOS", "LinkDown"), (), (), "CRITICAL")
    assert (found.name, found.opened_us, found.closed_us, found.code) == ("T1", DAY_US, None, "FIBRE")
    assert found.is_resolved


def test_a_mapping_renames_joins_and_blanks() -> None:
    spec = mapped(
        "  times: '%d/%m/%Y %H:%M'\n  blank: ['?']\n  separator: '|'\n"
        "  columns: {ticket: number, opened: at, text: [short, long], resolutionCode: code, errorCodes: [cat, sub]}\n"
    )
    columns = {"number": ["1"], "at": ["01/03/2026 10:00"], "short": ["a"], "long": ["b"]}
    columns |= {"code": ["?"], "cat": ["A-1|B-2"], "sub": ["?"]}
    (found,) = tickets_of(columns, fit(spec, tuple(columns), "t.csv")).tickets
    assert found.symptoms == Symptoms("a b", (), ("A-1", "B-2"))
    assert (found.opened_us, found.code, found.is_resolved) == (DAY_US, "", False)


@pytest.mark.parametrize(
    ("times", "text"), [("s", "1772359200"), ("ms", "1772359200000"), ("us", "1772359200000000.0")]
)
def test_times_may_count_from_1970(times: str, text: str) -> None:
    columns = {"ticket": ["1"], "opened": [text], "text": ["x"], "resolution": ["y"]}
    assert tickets_of(columns, fit(mapped(f"  times: {times}\n"), tuple(columns), "t")).tickets[0].opened_us == DAY_US


def test_phrases_give_codes_to_free_texts_that_have_none() -> None:
    spec = mapped("  resolutions:\n    FIBRE: [splic, cable cut]\n    POWER: [mains]\n")
    texts = ["Spliced the cable", "Cable cut repaired", "mains back", "unclear"]
    columns = {"ticket": list("1234"), "text": ["x"] * 4, "resolution": texts}
    found = tickets_of(columns, fit(spec, tuple(columns), "t")).tickets
    assert [each.code for each in found] == ["FIBRE", "FIBRE", "POWER", ""]


def test_of_several_rows_of_one_ticket_the_last_counts() -> None:
    columns = {"ticket": ["1", "2", "1"], "text": ["a", "b", "c"], "resolution": ["x", "y", "z"]}
    found = tickets_of(columns, fit(Spec(), tuple(columns), "t")).tickets
    assert [(each.name, each.resolution) for each in found] == [("2", "y"), ("1", "z")]


def test_rows_without_a_name_and_times_that_do_not_read_are_counted() -> None:
    columns = {"ticket": ["1", " "], "opened": ["yesterday", ""], "text": ["a", "b"], "resolution": ["x", "y"]}
    found = tickets_of(columns, fit(Spec(), tuple(columns), "t"))
    assert [each.opened_us for each in found.tickets] == [None]
    assert [each.code for each in found.problems] == ["ticket-without-name", "unreadable-time"]
    assert "yesterday" not in str(found.problems)


def test_a_column_that_the_table_lacks_is_told_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"no column 'shrt'.*did you mean 'short'"):
        fit(mapped("  columns: {text: shrt}\n"), ("ticket", "short", "resolution"), "t.csv")


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (("text", "resolution"), "no-such-column"),
        (("ticket", "text"), "no-resolutions"),
        (("ticket", "resolution"), "no-symptoms"),
    ],
)
def test_a_table_without_the_least_is_refused(header: tuple[str, ...], code: str) -> None:
    with pytest.raises(UsageError) as caught:
        fit(Spec(), header, "t.csv")
    assert caught.value.diagnostics[0].code == code


def test_a_wrong_mapping_is_told_with_file_line_and_column() -> None:
    assert "desk.yaml:5:13: error" in refusal("  columns: {txt: short}\n")
    assert "did you mean 'text'" in refusal("  columns: {txt: short}\n")
    assert "desk.yaml:5:3: error[invalid-ticket-mapping]: spec.times is 'german'" in refusal("  times: german\n")


def test_a_mapping_of_another_kind_is_told() -> None:
    with pytest.raises(UsageError, match="kind"):
        load_ticket_mapping(HEAD.replace("TicketMapping", "TelemetryMapping") + "  times: iso\n", "desk.yaml")


def test_the_example_reads_an_export_of_service_tickets() -> None:
    spec = load_ticket_mapping(EXAMPLE.read_text(encoding="utf-8"), EXAMPLE.name).spec
    row = {
        "number": "INC0000045",
        "opened_at": "01/03/2026 10:00",
        "closed_at": "?",
        "short_description": "no light",
        "description": "N/A",
        "close_notes": "Cable cut, spliced",
        "close_code": "",
        "category": "Category 55",
        "subcategory": "?",
        "u_symptom": "Symptom 72",
        "cmdb_ci": "rtr-1",
        "priority": "3 - Moderate",
    }
    columns = {name: [value] for name, value in row.items()}
    (found,) = tickets_of(columns, fit(spec, tuple(columns), "t")).tickets
    assert found.symptoms == Symptoms("no light", (), ("Category 55", "Symptom 72"), ("rtr-1",), "3 - MODERATE")
    assert (found.opened_us, found.closed_us, found.code) == (DAY_US, None, "FIBRE-SPLICED")
