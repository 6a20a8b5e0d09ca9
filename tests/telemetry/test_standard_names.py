"""Counters of the standard's names get its spelling and unit; all others stay as they came."""

from __future__ import annotations

import pyarrow as pa

from cellwright.lake.schema import ENCODED, FACTS
from cellwright.telemetry.standard_names import MEASUREMENTS, named


def rows(*counters: tuple[str, str | None]) -> pa.RecordBatch:
    values = [{"counter": name, "unit": unit, "ordinal": 0, "dq_flags": []} for name, unit in counters]
    return pa.RecordBatch.from_pylist(values, schema=FACTS["pm_counters"])


def test_a_standard_counter_is_named_in_whatever_case_and_keeps_its_own_name_and_unit() -> None:
    found = named(rows(("DRB.PdcpSduVolumeDl", None), ("RRU.PrbTotDl", "1"), ("pmRrcConnEstabAtt", None)))
    assert found.schema == FACTS["pm_counters"]
    assert found["counter"].to_pylist() == ["DRB.PdcpSduVolumeDl", "RRU.PrbTotDl", "pmRrcConnEstabAtt"]
    assert found["std_name"].to_pylist() == ["DRB.PdcpSduVolumeDL", "RRU.PrbTotDl", None]
    assert found["unit"].to_pylist() == [None, "1", None]


def test_units_are_the_standards_where_its_releases_agree() -> None:
    found = named(rows(("RRC.ConnMean", None), ("drb.uethpdl", None), ("RRU.PrbTotUl", None), ("DRB.RlcDelayUl", None)))
    assert found["std_name"].to_pylist() == ["RRC.ConnMean", "DRB.UEThpDl", "RRU.PrbTotUl", "DRB.RlcDelayUl"]
    assert found["unit"].to_pylist() == ["1", "kbit/s", "%", None]


def test_columns_that_hold_each_string_once_are_filled_alike() -> None:
    fields = [field.with_type(ENCODED) if field.type == pa.string() else field for field in FACTS["pm_counters"]]
    for unit in (None, "1"):
        plain = rows(("DRB.PdcpSduVolumeDl", None), ("RRU.PrbTotDl", unit), ("pmRrcConnEstabAtt", None))
        encoded = plain.cast(pa.schema(fields))
        assert named(encoded).schema == encoded.schema
        assert named(encoded).cast(plain.schema) == named(plain)


def test_rows_of_none_of_its_names_pass_as_they_are() -> None:
    batch = rows(("pmRrcConnEstabAtt", None))
    assert named(batch) is batch


def test_every_name_is_a_family_and_a_measurement_once() -> None:
    assert all(name.count(".") == 1 for name in MEASUREMENTS)
    assert len({name.lower() for name in MEASUREMENTS}) == len(MEASUREMENTS)
