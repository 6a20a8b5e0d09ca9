"""What fields reveal is told from shapes: people are found, and counters, times, hashes and invoices are no people."""

from __future__ import annotations

import csv
import os
import random
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright.estate.model import SensitivityClass
from cellwright.privacy.identifiers import find
from cellwright.telemetry.classify import classify, strictest_of
from cellwright.telemetry.classify_rows import Profiler
from cellwright.telemetry.classify_values import Profile, shape

if TYPE_CHECKING:
    from collections.abc import Callable

    Column = Callable[[random.Random, int], str]

    from cellwright.telemetry.classify import FieldProposal, TableProposal

PII = SensitivityClass.SUBSCRIBER_PII
KPI = SensitivityClass.AGGREGATED_KPI
NETWORK = SensitivityClass.NETWORK_CONFIGURATION
DATA = Path(os.environ.get("CELLWRIGHT_DATA", Path(__file__).parents[2] / "../shared/data"))
ROWS = 300


def digits(chance: random.Random, count: int) -> str:
    return "".join(chance.choices("0123456789", k=count))


def checked(body: str) -> str:
    """Return digits with their check digit (ISO/IEC 7812-1)."""
    for last in "0123456789":
        doubled = (int(digit) * (1 + index % 2) for index, digit in enumerate(reversed(body + last)))
        if sum(value // 10 + value % 10 for value in doubled) % 10 == 0:
            return body + last
    raise AssertionError


def iban(chance: random.Random, _row: int) -> str:
    body = f"37040044{digits(chance, 10)}"
    check = 98 - int(f"{body}131400") % 97  # DE is 13 14
    return f"DE{check:02d}{body}"


def imsi(chance: random.Random, _row: int) -> str:
    return ("26201" if chance.random() < 0.8 else f"2{chance.randint(10, 89)}0{chance.randint(1, 9)}") + digits(
        chance, 10
    )


PEOPLE: Final[dict[str, Column]] = {
    "imsi": imsi,
    "a": imsi,
    "col_3": lambda chance, _: checked(f"35{digits(chance, 12)}"),
    "device": lambda chance, _: f"imei-{checked(f'35{digits(chance, 12)}')}",
    "msisdn": lambda chance, _: f"491{digits(chance, 9)}",
    "b": lambda chance, _: f"+4917{digits(chance, 8)}",
    "caller": lambda chance, _: f"017{digits(chance, 8)}",
    "contact": lambda chance, row: f"user{row}.{digits(chance, 2)}@mail.example",
    "sim": lambda chance, _: checked(f"8949{digits(chance, 14)}"),
    "account": iban,
    "supi": lambda chance, _: f"imsi-{imsi(chance, 0)}",
    "ue_ip": lambda chance, _: f"10.45.{chance.randint(0, 255)}.{chance.randint(1, 254)}",
    "customer_name": lambda chance, _: chance.choice(["Anna", "Ben", "Cem"]) + " " + chance.choice(["Roth", "Sand"]),
    "note": lambda chance, _: f"the phone imsi-{imsi(chance, 0)} could not attach again today",
    "concealed": lambda chance, _: f"suci-0-262-01-0000-1-27-{digits(chance, 8)}",
}
OTHERS: Final[dict[str, Column]] = {
    "timestamp": lambda chance, _: str(1_772_366_400 + chance.randint(0, 10**6)),
    "time_ms": lambda chance, _: str(1_772_366_400_000 + chance.randint(0, 10**9)),
    "col_5": lambda chance, _: str(1_772_366_400 + chance.randint(0, 10**6)),
    "col_6": lambda chance, _: str(1_772_366_400_000 + chance.randint(0, 10**9)),
    "col_7": lambda chance, _: str(1_772_366_400_000_000 + chance.randint(0, 10**12)),
    "t_us": lambda chance, _: str(1_772_366_400_000_000 + chance.randint(0, 10**12)),
    "t": lambda chance, row: f"2026-03-01T12:{row % 60:02d}:{chance.randint(0, 59):02d}Z",
    "seen": lambda chance, row: f"202603{1 + row % 28:02d}12{chance.randint(10, 59)}00",
    "octets_total": lambda _, row: str(262_010_000_000_000 + row * 7919),
    "downlink_bytes": lambda chance, _: str(chance.randint(10**14, 10**15 - 1)),
    "trace_id": lambda chance, _: f"{chance.getrandbits(128):032x}",
    "key": lambda chance, _: str(uuid.UUID(int=chance.getrandbits(128), version=4)),
    "sha256": lambda chance, _: f"{chance.getrandbits(256):064x}",
    "invoice": lambda chance, row: f"INV-2026-{row:06d}{chance.randint(0, 9)}",
    "invoice_no": lambda chance, _: f"2026{digits(chance, 11)}",
    "order_id": lambda chance, _: digits(chance, 12),
    "subscriber_count": lambda chance, _: str(chance.randint(10**5, 10**7)),
    "imsi_attach_rate": lambda chance, _: f"{chance.random():.12f}",
    "ratio": lambda chance, _: repr(chance.random() * 100),
    "router_ip": lambda _, row: f"192.0.2.{row % 12}",
    "serial_number": lambda _, row: str(4_910_000_000_000 + row),
    "severity": lambda chance, _: chance.choice(["MAJOR", "MINOR", "CLEARED"]),
    "object_dn": lambda _, row: f"SubNetwork=1,ManagedElement={row % 9},GNBDUFunction=1",
    "version": lambda _, row: f"R{row % 5}B17_CXP2010174",
    "phase": lambda chance, _: chance.choice(["Running", "Failed"]),
    "nci": lambda chance, _: str(chance.randint(0, 2**36)),
    "flag": lambda chance, _: chance.choice("01"),
    "pdu_sessions_max": lambda chance, _: str(chance.randint(0, 4000)),
}


def judged(columns: dict[str, Column], seed: int) -> TableProposal:
    chance = random.Random(seed)  # noqa: S311 - the same tables each time
    profiles = []
    for name, make in columns.items():
        profile = Profile(name)
        for row in range(ROWS):
            profile.add(make(chance, row))
        profiles.append(profile)
    return classify(profiles)


def one(name: str, make: Column, seed: int = 1) -> FieldProposal:
    return judged({name: make}, seed).fields[0]


def test_people_are_told_from_traps(record_property: Callable[[str, object], None]) -> None:
    """Precision and recall of subscriber data over fields that stand alone, for ten seeds of each."""
    right, wrong, missed = 0, [], []
    for seed in range(10):
        for name, make in PEOPLE.items():
            hit = one(name, make, seed).sensitivity is PII
            right += hit
            missed += [] if hit else [name]
        for name, make in OTHERS.items():
            wrong += [name] if one(name, make, seed).sensitivity is PII else []
    precision, recall = right / (right + len(wrong)), right / (right + len(missed))
    record_property("precision", precision)
    record_property("recall", recall)
    assert (precision, recall) == (1, 1), f"called people: {sorted(set(wrong))}; missed: {sorted(set(missed))}"


@pytest.mark.parametrize("name", ["col_3", "b", "imsi", "contact", "supi", "sim"])
def test_what_has_a_check_digit_a_prefix_or_a_name_is_sure(name: str) -> None:
    found = one(name, PEOPLE[name])
    assert not found.needs_review
    assert found.confidence >= 0.9


def test_what_could_be_either_is_given_the_strict_class_and_a_review() -> None:
    sorted_numbers = one("x", lambda _, row: str(262_010_000_000_000 + row * 7919))
    addresses = one("x", lambda chance, _: f"10.{chance.randint(0, 255)}.{chance.randint(0, 255)}.9")
    phones = one("x", lambda chance, _: f"491{digits(chance, 9)}")
    for found in (sorted_numbers, addresses, phones):
        assert found.sensitivity is PII
        assert found.needs_review


def test_a_pseudonym_stays_personal_data_for_review() -> None:
    found = one("imsi", lambda chance, _: "imsi~" + "".join(chance.choices("ghjkmnpqrstvwxyz", k=20)))
    assert found.sensitivity is SensitivityClass.SIGNALLING
    assert found.needs_review


def test_a_cell_is_a_place_only_beside_somebody() -> None:
    cell = OTHERS["nci"]
    beside = judged({"serving_cell": cell, "imsi": imsi, "cause": lambda _, row: str(row % 7)}, 1)
    assert [each.sensitivity for each in beside.fields] == [
        SensitivityClass.LOCATION,
        PII,
        SensitivityClass.SIGNALLING,
    ]
    assert one("serving_cell", cell).sensitivity is NETWORK


def test_counters_of_objects_over_time_are_aggregates() -> None:
    table = judged({each: OTHERS[each] for each in ("t", "object_dn", "octets_total", "ratio")}, 1)
    assert table.sensitivity is KPI
    assert not table.needs_review


def test_evidence_holds_no_value() -> None:
    chance = random.Random(3)  # noqa: S311 - the same values each time
    for name, make in {**PEOPLE, **OTHERS}.items():
        values = [make(chance, row) for row in range(ROWS)]
        profile = Profile(name)
        for value in values:
            profile.add(value)
        told = " ".join(classify([profile]).fields[0].evidence)
        assert [value for value in values if len(value) > 3 and value in told] == []
        assert find(told) == ()


def test_the_strictest_class_is_the_tables() -> None:
    assert strictest_of([KPI, PII, NETWORK]) is PII
    assert strictest_of([]) is PII


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("262011234567890", "15 digits"),
        ("A-1 bc", "1 letter - 1 digit 2 letters"),
        ("a.b.c.d.e", "1 letter . 1 letter . 1 letter . 1 letter ..."),
        ("\x07", "?"),
    ],
)
def test_a_shape_counts_and_quotes_only_punctuation(value: str, told: str) -> None:
    assert shape(value) == told


def test_columns_maps_and_lists_become_fields() -> None:
    profiler = Profiler()
    profiler.batch(
        pa.RecordBatch.from_pydict(
            {
                "n": pa.array([1.0, None]),
                "m": pa.array([[("imsi", "262011234567890")], None], pa.map_(pa.string(), pa.string())),
                "l": pa.array([[{"a": 1}], []]),
                "d": pa.array(["x", "y"]).dictionary_encode(),
                "b": pa.array([b"\xff", None]),
                "t": pa.array([0, 1], pa.timestamp("us", tz="UTC")),
            }
        )
    )
    found = {each.name: (each.filled, each.empty) for each in profiler.profiles()}
    assert found == {"n": (1, 1), "m.imsi": (1, 0), "m": (0, 1), "l.a": (1, 0), "d": (2, 0), "b": (1, 1), "t": (2, 0)}


@given(st.lists(st.none() | st.text(max_size=60), max_size=30), st.text(max_size=20))
def test_any_values_can_be_classified(values: list[str | None], name: str) -> None:
    profile = Profile(name)
    for value in values:
        profile.add(value)
    (found,) = classify([profile]).fields
    assert 0 <= found.confidence <= 1
    assert profile.filled + profile.empty == len(values)


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason="no public data")
def test_nothing_in_real_tables_without_people_is_called_a_person() -> None:
    tables = sorted(DATA.glob("*/*.csv"))
    assert tables
    for path in tables:
        profiler = Profiler()
        with path.open(encoding="utf-8", newline="") as stream:
            for record in csv.DictReader(stream):
                profiler.record({key: value for key, value in record.items() if key})
        told = classify(profiler.profiles())
        assert [each.name for each in told.fields if each.sensitivity is PII] == []
        assert told.sensitivity in {KPI, NETWORK}
