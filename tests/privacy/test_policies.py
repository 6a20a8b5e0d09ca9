from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwright.errors import UsageError
from cellwright.estate.model import SensitivityClass
from cellwright.privacy import columns
from cellwright.privacy.geography import WORDS, scan_places
from cellwright.privacy.identifiers import Kind, find
from cellwright.privacy.keys import scoped_key
from cellwright.privacy.policy import PLACES, Action, Epoch, Policy
from cellwright.privacy.policy_document import load_policy
from cellwright.privacy.pseudonymise import Pseudonymiser

KEY = bytes(range(32))
DEFAULT = Pseudonymiser(KEY)


def pseudonymiser(action: Action, *kinds: Kind, **options: object) -> Pseudonymiser:
    return Pseudonymiser(KEY, Policy(actions=dict.fromkeys(kinds, action), **options))


PLACE_FORMS = [
    ("NCGI=262-01-000012345", Kind.CELL, "NCGI=gnb~262-01-x12"),
    ("ncgi: 26201000abcdef", Kind.CELL, "ncgi: gnb~262-01-xabc"),
    ('"nrCellId":"00001f345"', Kind.CELL, '"nrCellId":"gnb~x1f"'),
    ("nci=68719476735", Kind.CELL, "nci=gnb~xffffff"),
    ("ecgi 262.01.0a1b2c3", Kind.CELL, "ecgi enb~262-01-x0a1b2"),
    ("eutraCellId=0x0A1B2C3", Kind.CELL, "eutraCellId=enb~x0a1b2"),
    ("cgi_262-01-1234-5678.csv", Kind.CELL, "cgi_lac~262-01-1234.csv"),
    ("lat=45.46427", Kind.POSITION, "lat=45.5"),
    ("site_lon: -9.18951", Kind.POSITION, "site_lon: -9.2"),
    ('"latitude": 45.46', Kind.POSITION, '"latitude": 45.5'),
    ("geo:45.4642,9.1900;u=10", Kind.POSITION, "geo:45.5,9.2;u=10"),
    ("<gml:pos>45.4642 9.1900</gml:pos>", Kind.POSITION, "<gml:pos>45.5 9.2</gml:pos>"),
    ('<gml:posList srsDimension="2">45.46 9.19 45.47 9.21</gml:posList>', Kind.POSITION, None),
    ('"coordinates":[9.1900,45.4642]', Kind.POSITION, '"coordinates":[9.2,45.5]'),
    ("POINT(9.1900 45.4642)", Kind.POSITION, "POINT(9.2 45.5)"),
    ("WGS84 45.4642 9.1900", Kind.POSITION, "WGS84 45.5 9.2"),
    ("at 45.4642N, 9.1900E", Kind.POSITION, "at 45.5N, 9.2E"),
    ("at N45.4642 E9.1900", Kind.POSITION, "at N45.5 E9.2"),
    ("45°27'51\"N 9°11'24\"E", Kind.POSITION, "45.5N 9.2E"),
]
NO_PLACES = [
    "latency 12.345",
    "lat=12.5 ms",
    "2026-03-01T12:00:00Z",
    "point 3.14",
    "flat 45.46427",
    "geo 45",
    "sci 1",
    "",
]


@pytest.mark.parametrize(("text", "kind", "general"), PLACE_FORMS, ids=[text for text, _, _ in PLACE_FORMS])
def test_places_are_found_and_made_general(text: str, kind: Kind, general: str | None) -> None:
    assert [found.match.kind for found in scan_places(text)] == [kind]
    clean = pseudonymiser(Action.GENERALISE, *PLACES).text(text)
    assert general in (None, clean)
    assert clean != text


@pytest.mark.parametrize("text", NO_PLACES)
def test_what_only_looks_like_a_place_stays(text: str) -> None:
    assert list(scan_places(text)) == []


@pytest.mark.parametrize("text", [text for text, _, _ in PLACE_FORMS])
def test_places_stay_by_default_and_are_no_identifiers_of_subscribers(text: str) -> None:
    assert [match.kind for match in find(text)] in ([], [Kind.IMSI])
    if not find(text):
        assert DEFAULT.text(text) == text


def test_a_cell_becomes_the_tracking_area_that_a_table_names() -> None:
    policy = Policy(actions={Kind.CELL: Action.GENERALISE}, areas={"262-01-000012345": "0017"})
    assert Pseudonymiser(KEY, policy).text("ncgi=26201000012345") == "ncgi=tac~0017"


@pytest.mark.parametrize(
    ("address", "general"),
    [
        ("10.45.0.7", "ip~10.45.0.x"),
        ("2001:db8:7:9::1", "ip~2001:db8:7:x"),
        ("2001:db8::1", "ip~2001:db8:0:x"),
        ("::1", "ip~0:0:0:x"),
        ("::ffff:10.45.0.7", "ip~10.45.0.x"),
        ("64:ff9b::10.45.0.7", "ip~64:ff9b:0:x"),
    ],
)
def test_an_address_becomes_its_network(address: str, general: str) -> None:
    mask = pseudonymiser(Action.GENERALISE, Kind.IP)
    assert mask.text(f"from {address} at 12:00:01") == f"from {general} at 12:00:01"
    assert find(general) == ()


def test_dropped_and_masked_identifiers_leave_nothing_of_themselves() -> None:
    text = "ue 10.0.0.1 imsi-262011234567890, ok"
    assert pseudonymiser(Action.DROP, Kind.IP, Kind.IMSI).text(text) == "ue  , ok"
    assert pseudonymiser(Action.MASK, Kind.IP).text(text).startswith("ue ip~masked imsi~")


def test_the_grid_is_what_the_policy_says() -> None:
    policy = {"grid": Decimal("0.01")}
    assert pseudonymiser(Action.GENERALISE, Kind.POSITION, **policy).text("lat=45.46427") == "lat=45.46"
    assert pseudonymiser(Action.GENERALISE, Kind.POSITION).text("lat=-0.00427") == "lat=0.0"


ACTIONS = st.dictionaries(st.sampled_from(list(Kind)), st.sampled_from(list(Action)), max_size=6).map(
    lambda chosen: {
        kind: action
        for kind, action in chosen.items()
        if (action is not Action.KEEP or kind in PLACES)
        and (action is not Action.GENERALISE or kind in {*PLACES, Kind.IP})
    }
)
PIECES = st.sampled_from(
    [text for text, _, _ in PLACE_FORMS]
    + ["10.0.0.1", "2001:db8::1", "262011234567890", "+491711234567", "msisdn=4712345678", "supi=a@b", "nc", "gi", "la"]
    + ["00:11:22:aa:bb:cc", "5g-tmsi=0xdeadbe12", "lat", "=", "-", " ", "\n", ".", "9", "N", "\u00e9", "imsi~masked"]
)
MIXED = st.lists(PIECES, max_size=8).map("".join)


@settings(max_examples=400, deadline=None)
@given(ACTIONS, MIXED)
def test_under_any_policy_no_identifier_is_left_and_applying_it_twice_changes_nothing(
    actions: dict[Kind, Action], text: str
) -> None:
    mask = Pseudonymiser(KEY, Policy(actions=actions))
    clean = mask.text(text)
    assert find(clean) == ()
    assert mask.text(clean) == clean
    acted = {kind for kind in PLACES if actions.get(kind) not in (None, Action.KEEP, Action.GENERALISE)}
    assert not acted & {found.match.kind for found in scan_places(clean)}


@settings(max_examples=400, deadline=None)
@given(ACTIONS, st.lists(st.none() | MIXED, max_size=5))
def test_under_any_policy_an_array_becomes_what_its_texts_become(
    actions: dict[Kind, Action], texts: list[str | None]
) -> None:
    mask = Pseudonymiser(KEY, Policy(actions=actions))
    expected = [None if text is None else mask.text(text) for text in texts]
    for small in (-1, 100):  # joined, and one by one
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(columns, "_SMALL", small)
            assert mask.array(pa.array(texts, pa.string())).to_pylist() == expected


def test_a_place_that_dropping_an_identifier_uncovers_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "_SMALL", -1)
    mask = Pseudonymiser(KEY, Policy(actions={Kind.IP: Action.DROP, Kind.POSITION: Action.MASK}))
    text = "la10.0.0.1t=45.46427"
    assert mask.array(pa.array([text])).to_pylist() == [mask.text(text)] == ["lat=position~masked"]


@given(MIXED)
def test_what_has_no_word_of_a_place_is_none(text: str) -> None:
    assert re.search(WORDS, text) or list(scan_places(text)) == []


def test_a_column_named_for_places_is_one() -> None:
    mask = pseudonymiser(Action.GENERALISE, *PLACES)
    rows = pa.RecordBatch.from_pydict(
        {"latitude": ["45.46427", None], "ncgi": ["262-01-000012345", ""], "load": ["1.234", "2"]}
    )
    assert mask.batch(rows).to_pydict() == {
        "latitude": ["45.5", None],
        "ncgi": ["gnb~262-01-x12", ""],
        "load": ["1.234", "2"],
    }


def test_tenants_and_epochs_have_pseudonyms_of_their_own_where_the_policy_says_so() -> None:
    alone = Policy(per_tenant=True)
    masks = [
        DEFAULT,
        Pseudonymiser(KEY, alone, tenant="a"),
        Pseudonymiser(KEY, alone, tenant="b"),
        Pseudonymiser(KEY, alone, tenant="a", epoch="2026-03"),
        Pseudonymiser(KEY, alone, tenant="a", epoch="2026-04"),
    ]
    assert len({mask.text("10.0.0.1") for mask in masks}) == len(masks)
    assert Pseudonymiser(KEY, tenant="a").text("10.0.0.1") == DEFAULT.text("10.0.0.1")
    assert len({mask.derive("quarantine") for mask in masks}) == 1
    assert scoped_key(KEY) == KEY
    assert scoped_key(KEY, tenant="a:b") != scoped_key(KEY, tenant="a", epoch="b")


def test_an_epoch_is_named_after_the_time_it_holds() -> None:
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    assert [epoch.at(moment) for epoch in Epoch] == ["", "2026-03-01", "2026-03", "2026"]


DOCUMENT = """
apiVersion: cellwright.io/v1alpha1
kind: PrivacyPolicy
metadata: {name: strict}
spec:
  actions: {imsi: drop, ip: generalise, cell: generalise}
  classes:
    aggregated_kpi: {cell: keep}
  general: {grid: '0.5', gnbIdBits: 28, areas: {262-01-000012345: '0017'}}
  keys: {epoch: month, perTenant: true}
"""


def test_a_document_says_what_becomes_of_each_kind_and_class() -> None:
    document = load_policy(DOCUMENT, "policy.yaml")
    policy = document.build()
    assert policy.action(Kind.IMSI) is Action.DROP
    assert policy.action(Kind.MSISDN) is Action.TOKENISE
    assert policy.action(Kind.POSITION) is Action.KEEP
    assert (policy.grid, policy.gnb_bits, policy.epoch, policy.per_tenant) == (Decimal("0.5"), 28, Epoch.MONTH, True)
    assert document.build(SensitivityClass.AGGREGATED_KPI).action(Kind.CELL) is Action.KEEP
    assert document.build(SensitivityClass.LOCATION).action(Kind.CELL) is Action.GENERALISE


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("imsi: keep", "identifiers are never kept"),
        ("imsi: generalise", "cannot be made coarser"),
        ("imsy: drop", "did you mean 'imsi'"),
        ("imsi: dropp", "did you mean 'drop'"),
        ("imsi: {}", "spec.actions.imsi"),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_place(wrong: str, told: str) -> None:
    with pytest.raises(UsageError) as refused:
        load_policy(DOCUMENT.replace("imsi: drop", wrong), "policy.yaml")
    assert told in str(refused.value)
    assert "policy.yaml:6:" in str(refused.value)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("aggregated_kpi", "aggregated_kpis"),
        ("262-01-000012345", "262-01-9"),
        ("'0017'", "'262011234567890'"),
        ("'0.5'", "'0'"),
        ("28", "40"),
        ("month", "week"),
        ("PrivacyPolicy", "Privacy"),
    ],
)
def test_a_document_with_one_wrong_value_is_refused(right: str, wrong: str) -> None:
    with pytest.raises(UsageError, match=r"policy\.yaml:\d"):
        load_policy(DOCUMENT.replace(right, wrong), "policy.yaml")


def test_no_document_or_two_are_refused() -> None:
    for text in ("", f"{DOCUMENT}---{DOCUMENT}"):
        with pytest.raises(UsageError, match="not-a-privacy-policy"):
            load_policy(text, "policy.yaml")
