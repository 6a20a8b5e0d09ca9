"""The quick look that spares most lines a scan: it never spares one that names somebody."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwright.errors import DeniedError
from cellwright.privacy.egress import guard_egress
from cellwright.privacy.glance import doubtful_lines, may_name_someone
from cellwright.privacy.identifiers import find

NAMING = (
    "imsi-262011234567890",
    "IMSI: 262 01 1234567890",
    "262011234567890",
    "262-01-1234567890",
    "+49 170 1234567",
    "0049 170 1234567",
    "msisdn 49170",
    "tel 1234567",
    "imei-35209900176148",
    "35-209900-176148-1",
    "10.0.0.1",
    "ip-10-0-0-7",
    "ue_10_0_0_7",
    "fe80::1",
    "::1",
    "2001:db8:0:0:0:0:0:1",
    "00:1a:2b:3c:4d:5e",
    "00-1a-2b-3c-4d-5e",
    "ab-cd-ef-ab-cd-ef",
    "001a.2b3c.4d5e",
    "MAC 001a2b3c4d5e",
    "suci-0-262-01-0-0-0-1234567890",
    "suci 0-262-01-0-0-0-12345",
    "nai-a@b.example",
    "supi: someone@home.example",
    "x@ims.mnc001.mcc262.3gppnetwork.org",
    "gci-0a1b",
    "extid-a@b.example",
    "5g-tmsi 0x1a2b3c4d",
    "guti 001-01-80-0040-0-deadbeef",
    "%32%36%32%30%31%31%32%33%34%35%36%37%38%39%30",
    "&#50;62011234567890",
    "\\u0032\\u0036\\u0032\\u0030\\u0031\\u0031\\u0032\\u0033\\u0034\\u0035\\u0036\\u0037\\u0038",
    "\uff12\uff16\uff12011234567890",
    "26201\u200b1234567890",
    "called 555 123 4567",
    "a-number: 4917012345",
)
NOISE = (
    "the alarm on cell seven",
    "2024-05-01",
    "10:30:00",
    "max_tokens: 200",
    "0.2",
    " ",
    ":",
    "-",
    ".",
    "%",
    "mac",
    "a",
    "7",
    "\n",
    "\n\n",
    "é",
    "imsi",
    "tel",
    "NRCellDU=7",
    "1,000",
    "\t",
    "(",
    ")",
    "_",
    "/",
    "cell ",
    "ab",
    "f0",
)
TEXTS = st.lists(st.sampled_from(NAMING) | st.sampled_from(NOISE) | st.text(max_size=4), max_size=12)


@pytest.mark.parametrize("text", NAMING)
def test_whatever_is_found_is_not_spared(text: str) -> None:
    assert find(text)
    assert may_name_someone(text)
    assert list(doubtful_lines(f"plain\n{text}\nplain")) == [text]


@given(TEXTS, st.sampled_from(["", " ", "\n"]))
@settings(deadline=None, max_examples=300)
def test_the_guard_denies_what_a_scan_of_the_whole_finds_and_counts_the_same(parts: list[str], joint: str) -> None:
    text = joint.join(parts)
    kinds = Counter(match.kind.value for match in find(text))
    if not kinds:
        guard_egress(text)
        return
    with pytest.raises(DeniedError) as caught:
        guard_egress(text)
    named = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    assert f"({named})" in caught.value.diagnostics[0].message


@pytest.mark.parametrize(
    "mark", ["@", "suci", "nai-", "gci-", "gli-", "extid-", "tmsi", "guti", "&#", "\\u00", "%7a", "GLI-", "\\U00"]
)
def test_each_mark_of_a_name_is_enough_wherever_it_stands(mark: str) -> None:
    assert may_name_someone(mark)
    assert may_name_someone(f"the-plain & words\\ {mark}x")
    assert not may_name_someone(f"the-plain & words\\ {mark[:-1]} {mark[-1]}x".replace("@", ""))


@pytest.mark.parametrize(
    "text", ["model: gpt-4o", "temperature: 0.2\nmax_tokens: 200", "since 2024 at 10:30", "3 of 12 cells", "a-b-c-d-e"]
)
def test_plain_words_and_short_numbers_are_spared(text: str) -> None:
    assert not may_name_someone(text)
