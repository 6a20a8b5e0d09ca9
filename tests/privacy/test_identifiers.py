from __future__ import annotations

import re
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwright.errors import DeniedError, ExitCode
from cellwright.privacy import columns
from cellwright.privacy.columns import scan_column
from cellwright.privacy.egress import guard_egress
from cellwright.privacy.hints import HINTS, SLOW, any_hint
from cellwright.privacy.identifiers import Kind, find, scan
from cellwright.privacy.patterns import FAMILIES, HINT, pattern_for, pattern_of
from cellwright.privacy.reading import lowered

FOUND = [
    ("imsi-262011234567890", Kind.IMSI),
    ("262011234567890", Kind.IMSI),
    ("IMSI=262011234567890", Kind.IMSI),
    ("imsi: 262 01 1234567890", Kind.IMSI),
    ("262-01-1234567890", Kind.IMSI),
    ("imsi-26201-1234567890", Kind.IMSI),
    ("msin=1234567890", Kind.IMSI),
    ('{\\"supi\\":\\"262011234567890\\"}', Kind.IMSI),
    ("0262011234567890@nai.epc.mnc001.mcc262.3gppnetwork.org", Kind.IMSI),
    ("nai-alice@home.example.com", Kind.SUPI),
    ("supi=alice@operator.example", Kind.SUPI),
    ("suci-0-262-01-0000-1-27-abcdef0123", Kind.SUCI),
    ("SUCI=0-262-01-0000-0-0-1234567890", Kind.SUCI),
    ("extid-meter17@utility.example", Kind.GPSI),
    ("msisdn-491711234567", Kind.MSISDN),
    ("msisdn=4712345678", Kind.MSISDN),
    ("<msisdn>4712345678</msisdn>", Kind.MSISDN),
    ('"name":"msisdn","value":"4712345678"', Kind.MSISDN),
    ("+491711234567", Kind.MSISDN),
    ("+49 (171) 123-4567", Kind.MSISDN),
    ("%2B491711234567", Kind.MSISDN),
    ("\\u002B491711234567", Kind.MSISDN),
    ("00491711234567", Kind.MSISDN),
    ("caller 4917112345678 gone", Kind.MSISDN),
    ("to 4917112345678.", Kind.MSISDN),
    ("imei-490154203237518", Kind.IMEI),
    ("imeisv-4901542032375101", Kind.IMEI),
    ("PEI: 490154203237518", Kind.IMEI),
    ("49-015420-323751-8", Kind.IMEI),
    ("5g-tmsi=0xdeadbe12", Kind.TMSI),
    ("5g-guti-26201800040deadbe12", Kind.TMSI),
    ("GUTI: 262-01-80-0040-0-deadbeef", Kind.TMSI),
    ("5G-S-TMSI 0040-0x0badcafe", Kind.TMSI),
    ("m-tmsi=deadbeef", Kind.TMSI),
    ("mac=00AA22bbccdd", Kind.MAC),
    ("trace_imsi_262011234567890_amf.pcap", Kind.IMSI),
    ("supi-262011234567890.log", Kind.IMSI),
    ("10.45.0.7", Kind.IP),
    ("[10.45.0.7]:2152", Kind.IP),
    ("ue=2001:db8::1,", Kind.IP),
    ("2001:DB8:0:0:0:0:0:1", Kind.IP),
    ("2001%3Adb8%3A%3A1", Kind.IP),
    ("fe80::1%eth0", Kind.IP),
    ("::ffff:10.0.0.1", Kind.IP),
    ("2001:db8::/64", Kind.IP),
    ("dead:beef::cafe", Kind.IP),
    ("00:11:22:aa:bb:cc", Kind.MAC),
    ("mac-00-11-22-AA-BB-CC", Kind.MAC),
    ("0011.22aa.bbcc", Kind.MAC),
    ("ue4917112345678", Kind.MSISDN),
    ("C4917112345678", Kind.MSISDN),
    ("UE4917112345678UE", Kind.MSISDN),
    ("2026-03-01T12:00:00Z4917112345678", Kind.MSISDN),
    ("trace.2026.4917112345678.pcap", Kind.MSISDN),
    ("\\u0034\\u0039\\u00317112345678", Kind.MSISDN),
    ("%34%39%31%37112345678", Kind.MSISDN),
    ("%252B491711234567", Kind.MSISDN),
    ("&#52;&#x39;17112345678", Kind.MSISDN),
    ("26201\u200b1234567890", Kind.IMSI),
    ("262\u00ad01\u00ad1234567890", Kind.IMSI),
    ("262\u201101\u20111234567890", Kind.IMSI),
    ("\u2461\u2465\u2461\u24ea\u2460\u2460\u2461\u2462\u2463\u2464\u2465\u2466\u2467\u2468\u24ea", Kind.IMSI),
    ("10\uff0e45\uff0e0\uff0e7", Kind.IP),
    ("10%2E45%2e0%2E7", Kind.IP),
    ("2001\uff1adb8\uff1a\uff1a1", Kind.IP),
    ("ip-10-45-0-7.internal", Kind.IP),
    ("ue_10_45_0_7", Kind.IP),
    ("imsiCount=262011234567890", Kind.IMSI),
    ("1413378172000000", Kind.NUMBER),
    ("\u0662\u0666\u0662\u0660\u0661\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0669\u0660", Kind.IMSI),
]
LEFT = [
    "2017-05-16 13:53:08.123",
    "2022-04-18T19:00:00+00:00",
    "1677577599",
    "1677577599000",
    "A20230515.0700+1000-0715+1000_GNODEB-0.xml",
    "SubNetwork=G3,ManagedElement=seliitdus00487,NRCellCU=12345678901",
    "nci=68719476735",
    "cc305d54-75b4-431b-adb2-eb6b9e541234",
    "std::vector foo::bar",
    "550e8400-e29b-41d4-a716-446655440000",
    "12345678-1234-1234-1234-123456789012",
    "20260301120000",
    "NCGI 001-01-000000001",
    "gnb12345678901",
    "imsiAttachCount=123456, SubscriberCount: 12345678, maxSupiCount 100000",
    "sha256:a12345678901f",
    "0.12345678901 of 1234.12345678901",
    "CXP2010174_1 R44B17",
    "load 45%, 100%20",
    "1.3.6.1.4.1.193.183.4",
    "function called 2017-05-16 13:53:08",
    "1 0 3 5 2 6 6 7 8 9 10 11 100 2345",
    "shelf 1-2-3-4",
    "32.435 V10.0",
    "hmac=00aa22bbccddeeff",
    "tmsi reallocation failed 17 times",
    "imsi~masked",
    "ŧıšİ no digits",
    "",
]


@pytest.mark.parametrize(("text", "kind"), FOUND, ids=[text for text, _ in FOUND])
def test_identifiers_are_found_in_the_forms_logs_write_them(text: str, kind: Kind) -> None:
    assert [match.kind for match in find(text)] == [kind]


@pytest.mark.parametrize("text", LEFT)
def test_times_counters_and_names_are_no_identifiers(text: str) -> None:
    assert find(text) == ()


def test_a_match_spans_the_identifier_only() -> None:
    text = "İ imsi=262011234567890, ok"
    (match,) = find(text)
    assert text[match.start : match.end] == "262011234567890"


def test_the_guard_lets_clean_text_pass() -> None:
    guard_egress("cell NRCellDU=7 lost its backhaul at 2022-04-18T19:00:00Z")


def test_the_guard_counts_what_it_finds_and_quotes_none_of_it() -> None:
    with pytest.raises(DeniedError) as denied:
        guard_egress("imsi-262011234567890 moved from 10.0.0.1 to 10.0.0.2")
    assert "1 imsi, 2 ip" in str(denied.value)
    assert not any(part in str(denied.value) for part in ("262011234567890", "10.0.0."))
    assert denied.value.exit_code is ExitCode.DENIED


@given(st.text())
def test_any_text_can_be_searched(text: str) -> None:
    matches = find(text)
    assert all(match.start < match.end for match in matches)
    assert all(before.end <= after.start for before, after in pairwise(matches))


# Pieces that make, break and border what the alternatives look for; joined at random they meet in every order.
TRICKY = [
    "imsi 12345678 90123456789012345678901 gone",
    "1.2.3.420260301120000262011234567890",
    "1.2.3.42620112345678901234",
    "0049 171 1234567",
    "00491-7112 345678",
    "35209900 176148 1",
    "352099-00-176148-23",
    "ec2_10_0_0_7",
    "2026-03-01 00491711234567",
    "a-number 4712345678, b_number:4712345679",
    "extid-a@b c extid-d",
    "gci-0a1b2c3d gli-0a1b",
    "fe80:0:0:0:0:0:10.0.0.1",
    "eui-00-11-22-33-44-55-66-77 m.0011.2233.4455",
    "999.5.6.7 1234.5.6.7 1.2.3.4.5.6.7.8",
    "12345678-1234-1234-1234-491711234567 12345678-1234-1234-1234-4917112345678",
    "imsi~ghjkmnpqrstvwxyzghjk@home.example supi~masked@home.example",
    "1.3.6.1.4.1.262.01.1234567890 1.3.6.1.6.3.1.1.5.3",
    "::1 ::ffff:1.2.3.4 a::b std::dead::beef 1::",
    "tel:+49-171-1234567;ext=12345678901",
]

PIECES = st.sampled_from(
    [text for text, _ in FOUND]
    + LEFT
    + TRICKY
    + list('0123456789abcdefimsxy.:-_/+ ~@=,%&\\\n"')
    + ["::", "1.2.3.", "10.", "25", "imsi", "msisdn=", "called ", "tel", "suci", "guti ", "mac-", "ip-", "ue_", "cell "]
    + ["cell\n", "a-number ", "imsi~ghjkmnpqrstvwxyzghjk", "1.3.6.1.4.1.", "1413378172000", "20260301120000", "0x"]
    + [
        "12:00:00",
        "2026-03-01T",
        "00:11:22:33:44:",
        "deadbeef-",
        "-1234-1234-",
        "\r",
        "\x00",
        "\u00e9",
        "3gppnetwork.org",
    ]
)
MIXED = st.lists(PIECES, max_size=12).map("".join)


def found_in(text: str) -> list[tuple[int, int, str, str]]:
    return [(each.match.start, each.match.end, each.match.kind, each.canonical) for each in scan(text)]


def found_in_column(texts: list[str | None]) -> list[tuple[int, int, int, str, str]]:
    """Return what is found where all texts are joined, and check that few are scanned alike."""
    alone = as_found(scan_column(pa.array(texts, pa.string())))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "_SMALL", -1)
        joined = as_found(scan_column(pa.array(texts, pa.string())))
    assert joined == alone
    return joined


def as_found(column: columns.Column) -> list[tuple[int, int, int, str, str]]:
    places = zip(column.rows.tolist(), column.starts.tolist(), column.ends.tolist(), strict=True)
    return [(*place, *name) for place, name in zip(places, column.names(), strict=True)]


def test_a_column_of_all_that_is_tried_elsewhere_holds_what_its_texts_hold() -> None:
    texts = [*(text for text, _ in FOUND), *LEFT, *TRICKY, *(f"{text} {text}" for text in TRICKY)]
    for chosen in (texts, texts[::-1], *([text] for text in texts)):
        assert found_in_column(chosen) == [(row, *each) for row, text in enumerate(chosen) for each in found_in(text)]


@settings(max_examples=600, deadline=None)
@given(st.lists(st.none() | MIXED, max_size=6))
def test_a_column_holds_what_its_texts_hold(texts: list[str | None]) -> None:
    assert found_in_column(texts) == [(row, *each) for row, text in enumerate(texts) for each in found_in(text or "")]


@settings(max_examples=600, deadline=None)
@given(MIXED)
def test_leaving_out_what_cannot_match_makes_no_difference(text: str) -> None:
    lower = lowered(text)
    whole = pattern_of(*[True] * len(FAMILIES))
    expected = [(found.lastgroup, found.span()) for found in whole.finditer(lower)]
    assert [(found.lastgroup, found.span()) for found in pattern_for(lower).finditer(lower)] == expected


@settings(max_examples=600, deadline=None)
@given(MIXED)
def test_what_shows_no_hint_holds_nothing(text: str) -> None:
    shown = re.search(f"(?i){HINT}", text), re.search(f"(?i){any_hint()}", text)
    assert all(shown) or not found_in(text)


def test_the_hints_are_in_the_syntax_of_the_engine_that_runs_them() -> None:
    for pattern in (any_hint(), SLOW, *(hint.text for hint in HINTS)):
        pc.match_substring_regex(pa.array(["text"]), pattern)


def test_a_joint_of_texts_joins_nothing() -> None:
    halves = [
        ("262011234", "567890"),
        ("10.0.", "0.1"),
        ("cell", "49171123456"),
        ("imsi", "262011"),
        ("2001:db8:", ":1"),
        ("10.0.0.1 cell", "49171123456"),
        ("10.0.0.1 c", "f49171123456"),
        ("10.0.0.1 ip", "-10-0-0-1"),
    ]
    for first, second in halves:
        expected = [(row, *each) for row, text in enumerate((first, second)) for each in found_in(text)]
        assert found_in_column([first, second]) == expected


def test_more_than_one_block_of_texts_is_scanned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "_BLOCK_BYTES", 64)
    monkeypatch.setattr(columns, "_SMALL", -1)
    texts = [f"ue 10.0.0.{number} imsi-26201{number:010} left" for number in range(99)]
    assert scan_column(pa.array(texts)).rows.tolist() == [number for number in range(99) for _ in range(2)]
