from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from format_kit import ROOT, check_conservation, public_data

from cellwright.errors import UsageError
from cellwright.telemetry.formats.delimited import Delimited
from cellwright.telemetry.formats.delimited_mapping import load_mapping

ALARM_LIST = ROOT / "examples" / "mappings" / "alarm-list.yaml"
CASE = Path(__file__).parent.parent / "cases" / "telemetry" / "delimited" / "mapping.yaml"


def _alarm_list() -> Delimited:
    return Delimited(load_mapping(ALARM_LIST.read_text(encoding="utf-8"), ALARM_LIST.name))


def _problems(before: str, after: str) -> list[str]:
    text = CASE.read_text(encoding="utf-8")
    assert before in text
    with pytest.raises(UsageError) as caught:
        load_mapping(text.replace(before, after), "m.yaml")
    return [str(diagnostic) for diagnostic in caught.value.diagnostics]


@pytest.mark.parametrize(
    ("before", "after", "place", "message"),
    [
        ("ordinal: true", "ordnal: true", "19:21", "template, map, unit, epoch; hint: did you mean 'ordinal'?"),
        ("pm_counters", "pm_counter", "5:3", "no table 'pm_counter'; hint: did you mean 'pm_counters'?"),
        ("column: note", "column: notes", "18:5", "no column 'notes'; hint: did you mean 'note'?"),
        ("value_i64:", "value_i65:", "13:5", "no such column; hint: did you mean 'value_i64'?"),
        ("ignore: [hidden]", "ignore: []", "8:3", "column 'hidden' is neither used nor in spec.ignore"),
        ("const: 60", "const: 60, column: rate", "20:5", "give exactly one of column, columns, const and ordinal"),
        ("suspect:", "unit:", "18:5", "key 'unit' occurs twice; hint: first at m.yaml:17:5"),
        ("unit: ms", "unit: hours", "15:38", "unit is 'hours'; expected 's', 'ms', 'us' or 'iso'"),
        ("+01:00", "", "15:5", "an epoch needs an offset, such as 1970-01-01T00:00:00Z"),
        ("const: 60", "const: [60]", "20:22", "const is a list; expected text, a number, true or false"),
        ("apiVersion: cellwright.io/v1alpha1", "x: [", "3:9", "did not find expected ',' or ']'"),
    ],
)
def test_a_mapping_with_a_mistake_says_where_and_what(before: str, after: str, place: str, message: str) -> None:
    starts = [problem for problem in _problems(before, after) if problem.startswith(f"m.yaml:{place}: error[")]
    assert any(problem.endswith(message) for problem in starts)


def test_a_required_column_must_be_mapped() -> None:
    problems = _problems("    counter: { column: counter, map: { A: RRC.ConnEstabAtt, B: DRB.UEThpDl } }\n", "")
    assert [problem.partition("]: ")[2] for problem in problems] == [
        "spec.header: column 'counter' is neither used nor in spec.ignore",
        "spec.columns: counter is required by pm_counters",
    ]


@pytest.mark.parametrize("text", ["", "[]", "- a", "3", "a: b: c"])
def test_a_document_of_another_kind_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        load_mapping(text, "m.yaml")


def test_alarms_of_an_alarm_list_are_told_apart_by_their_place() -> None:
    data = b"alarm_id,device_id,start_timestamp,end_timestamp\r\n11,28,30685,30835\r\n11,28,30685,30836\r\n"
    rows = check_conservation(_alarm_list(), data).only("alarm_events")
    assert [row["alarm_id"] for row in rows] == ["0", "1"]
    assert {(row["specific_problem"], row["object_dn"]) for row in rows} == {("AlarmType=11", "Device=28")}
    assert {tuple(row["dq_flags"]) for row in rows} == {("relative-time",)}
    assert [row["cleared_ts"].timestamp() for row in rows] == [30_835, 30_836]


def test_the_count_does_not_come_from_the_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    data = b'alarm_id,device_id,start_timestamp,end_timestamp\n1,"2\n\n3",3,4\n\n5,6,7,8\n9,"' + b"\n1,2,3,4" * 70
    assert check_conservation(_alarm_list(), data).facts == 73
    monkeypatch.setattr("cellwright.telemetry.formats.delimited._records", lambda _: iter([]))
    assert _alarm_list().count_facts(io.BytesIO(data)) == 73


def test_separators_of_other_alphabets_do_not_end_a_record() -> None:
    rows = check_conservation(
        Delimited(load_mapping(CASE.read_text(encoding="utf-8"), "m.yaml")),
        "cell;counter;value;rate;start;iso;good;note;hidden\n1;A;1;;;;;a\u2028b;x\n".encode(),
    ).only("pm_counters")
    assert rows[0]["unit"] == "a\u2028b"


@pytest.mark.data
@pytest.mark.parametrize("name", ["18V_55N_Wireless", "25V_474N_Microwave"])
def test_real_alarm_lists_are_read_to_the_last_line(name: str) -> None:
    with tarfile.open(public_data(f"alarms/{name}.tar.gz")) as archive:
        member = archive.extractfile(f"{name}/Alarm.csv")
        assert member is not None
        data = member.read()
    lines = data.splitlines()
    outcome = check_conservation(_alarm_list(), data)
    rows = outcome.only("alarm_events")
    assert len(rows) == outcome.facts == len(lines) - 1
    alarm, device, start, end = lines[-1].decode().split(",")
    last = rows[-1]
    assert (last["probable_cause"], last["object_dn"]) == (f"AlarmType={alarm}", f"Device={device}")
    assert (last["raised_ts"].timestamp(), last["cleared_ts"].timestamp()) == (int(start), int(end))
