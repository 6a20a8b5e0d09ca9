"""What identifiers look like in text: one pattern, and a cheap necessary condition for it.

Sources: TS 23.003 clauses 2.2 (IMSI), 2.2A and 2.2B (SUPI, SUCI), 2.4 and 2.10 (TMSI, GUTI), 3.3 (MSISDN),
6.2 (IMEI, IMEISV), 13, 14, 19 and 28.7 (network access identifiers in 3gppnetwork.org), 28.8 (GPSI), 28.15 and 28.16
(GCI, GLI); TS 29.571 clause 5.3.2 for the written prefixes (`imsi-`, `nai-`, `suci-`, `msisdn-`, `imei-`, `mac-`);
RFC 4291 clause 2.2 for IPv6 text. All patterns are matched against lower-cased text and err towards matching.
What is packed, encrypted or in base64 is not looked into.
"""

from __future__ import annotations

import functools
import re
from typing import Final

PSEUDONYM_LETTERS: Final = "ghjkmnpqrstvwxyz"
"""Sixteen letters that are no hexadecimal digits: a pseudonym can never look like an identifier."""
PSEUDONYM_LENGTH: Final = 20

_GAP: Final = r"[ \t\u00a0\u2009._/()-]"  # what people put between the digits of one number
_TO_VALUE: Final = r"(?:%[0-9a-f]{2}|[^\w\n]){0,8}(?:(?:is|was|value|id|no|nr|num|number|for)[^\w\n]{1,6}){0,2}"
_END: Final = r"\s\"'<>,;|\\)\]}&"  # ends a token in logs, JSON, XML and URLs

_OCTET: Final = r"(?:25[0-5]|2[0-4]\d|1\d\d|0?\d?\d)"
_V4: Final = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_H: Final = r"[0-9a-f]{1,4}"
_ZONE: Final = r"(?:%[0-9a-z][0-9a-z._-]{0,31})?"
_V6_LONG: Final = rf"(?:{_H}:){{6}}(?:{_V4}|{_H}:{_H})"
_V6_RIGHT: Final = rf"(?:(?:{_H}:){{0,5}}{_V4}|{_H}(?::{_H}){{0,6}})"
_V6_SHORT: Final = rf"(?:{_H}(?::{_H}){{0,6}}::{_V6_RIGHT}?|::{_V6_RIGHT})"

# A label that only says what is counted, as `imsiAttachCount`, is none.
_COUNTED: Final = r"(?![a-z_]{0,24}(?:counts?|counters?|totals?|rate|ratio|attempts?|failures?|capacity)(?![a-z]))"
# A label is not followed by these: a date, an address.
_NO_NUMBER: Final = rf"(?!\d{{4}}-\d\d-\d\d(?!\d)|{_V4}(?!\d))"


def _labelled(labels: str, group: str, least: int, most: int) -> str:
    """Return the pattern of a number of `least` to `most` digits, or a longer run, after one of `labels`."""
    number = rf"(?:\d{{9,}}|\d(?:{_GAP}{{0,2}}\d){{{least - 1},{most - 1}}})"
    return rf"(?:{labels}){_COUNTED}[a-z_]{{0,12}}{_TO_VALUE}{_NO_NUMBER}(?P<{group}>{number})"


_PARTIES: Final = (
    r"call(?:ing|ed|er|ee)|diall?ed|phone|mobile|subscriber(?!s)|(?<![a-z])tel(?![a-z])|(?<![a-z])[ab][-_]?number"
)
_LABELS: Final = {
    "imsi_labelled": ("imsi|supi|msin", 5, 15),
    "msisdn_labelled": (r"msisdn|gpsi|e\.?164", 5, 15),
    "imei_labelled": (r"imei|(?<![a-z])pei", 5, 16),
    "party_labelled": (_PARTIES, 7, 15),
}
LABEL: Final = re.compile(rf"(?:{'|'.join(labels for labels, _, _ in _LABELS.values())}){_COUNTED}")
"""Words that make the number after them an identifier, in a key as in text."""

# As printed (TS 23.003 clause 6.2.1: TAC, serial number, check digit) and as labelled before 2003; not a date and time.
_IMEI_TAC: Final = r"(?:\d{2}[ /-]\d{6}|\d{6}[ /-]\d{2}|(?!(?:19|20)\d\d[01]\d[0-3])\d{8})"
_IMEI_SPLIT: Final = rf"{_IMEI_TAC}[ /-]\d{{6}}(?:[ /-]?\d\d?)?"
_KINDS: Final = "imsi|supi|suci|gpsi|msisdn|imei|tmsi|ip|mac|number"
_PSEUDONYM: Final = (rf"(?P<pseudonym>(?:{_KINDS})~(?:[{PSEUDONYM_LETTERS}]{{{PSEUDONYM_LENGTH}}}|masked))",)
_WITH_AT: Final = (
    rf"(?:supi|gpsi|nai|impi|impu){_TO_VALUE}(?P<nai_labelled>[^{_END}=:@~]{{1,64}}@[a-z0-9.-]{{1,128}})",
    rf"(?P<nai_realm>[^{_END}=:@~]{{1,64}}@[a-z0-9.-]{{0,128}}3gppnetwork\.org)",
)
_TMSI_PARTS: Final = r"(?:[0-9a-f]{1,6}[-_.:/ ](?:0x)?){0,6}[0-9a-f]{8}"
_WITH_WORDS: Final = (
    rf"(?P<suci>suci-[^{_END}]{{1,600}})",
    rf"suci[a-z_]{{0,12}}{_TO_VALUE}(?P<suci_labelled>[0-7]-[^{_END}]{{5,600}})",
    rf"(?<![0-9a-z])(?P<nai>(?:nai|gci|gli)-[^{_END}]{{1,256}})",
    rf"(?<![0-9a-z])(?P<extid>extid-[^{_END}]{{1,256}})",
    rf"(?P<imsi>imsi-(?:\d{{14,}}|\d{{5,13}}(?!{_GAP}?\d)))",
    rf"(?P<msisdn>msisdn-(?:\d{{11,}}|\d{{5,10}}(?!{_GAP}?\d)))",
    r"(?P<imei>imei(?:sv)?-\d{14,})",
    r"(?:tmsi|guti)[a-z_]{0,12}[^\w\n]{0,8}(?:0x)?(?P<tmsi_labelled>(?=[a-f]{0,21}\d)[0-9a-f]{6,22})(?![0-9a-z])",
    # In parts, as 001-01-80-0040-0-deadbeef (clauses 2.8.1 and 2.10.1), and of eight letters.
    rf"(?:tmsi|guti)[a-z_]{{0,12}}[^\w\n]{{0,8}}(?:0x)?(?P<tmsi_split>{_TMSI_PARTS})(?![0-9a-z])",
    r"(?<![a-z])mac[a-z_]{0,12}[^\w\n]{1,8}(?P<mac_labelled>(?=\d{0,11}[a-f])[0-9a-f]{12})(?![0-9a-z])",
    *(_labelled(labels, group, least, most) for group, (labels, least, most) in _LABELS.items()),
)
_WITH_COLONS: Final = (
    rf"(?P<v6_long>{_V6_LONG}{_ZONE})",
    rf"(?=[0-9a-f]{{0,4}}:)(?=[0-9a-f:]{{0,60}}\d)(?P<v6_short>{_V6_SHORT}{_ZONE})",
    rf"(?<![0-9a-z_:])(?P<v6_letters>{_V6_SHORT}{_ZONE})(?![0-9a-z_:])",
    r"(?P<mac_colons>(?:[0-9a-f]{2}:){5}[0-9a-f]{2})",
)
_MACS: Final = (
    r"(?<![0-9a-f])(?P<mac_dashes>(?:mac-|eui-)?(?:[0-9a-f]{2}-){5,7}[0-9a-f]{2})(?![0-9a-f])",
    r"(?<![0-9a-z.])(?P<mac_dots>[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4})(?![0-9a-z.])",
)
_UUIDS: Final = (r"(?<![0-9a-z-])(?P<uuid>[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})(?![0-9a-z-])",)
# A run of digits stands beside letters too, as in `ue4917...` and `c4917...`, but not within a hexadecimal number.
_BEFORE: Final = r"(?:(?<![0-9a-f])|(?<=[^0-9a-f][a-f])|(?<=^[a-f]))"
_AFTER: Final = r"(?![0-9]|[a-f](?![g-z]))"
# A date and time without separators, which no IMEI looks like: no body reports type allocation codes from 19 or 20 on.
_COMPACT_TIME: Final = r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[01]\d|2[0-3])[0-5]\d[0-5]\d"
_OIDS: Final = (r"(?<![\d.])(?P<oid>\.?1\.3\.6\.1\.(?:4\.1|6\.3)(?:\.\d{1,10})*)(?!\d)",)
_QUADS: Final = (rf"(?P<v4>{_V4})",)
_SPLIT_NUMBERS: Final = (
    # A host name made of its address, as `ip-10-0-0-7` and `ec2_10_0_0_7`.
    rf"(?:(?<=ip[_-])|(?<=ue[_-])|(?<=ec2[_-]))(?P<v4_dashed>{_OCTET}(?:-{_OCTET}){{3}}|{_OCTET}(?:_{_OCTET}){{3}})(?!\d)",
    # An offset and an end time of a TS 32.432 file name, `+1000-0715`, is no telephone number.
    rf"(?P<e164>\+(?!1[0-4][0-5]\d-\d{{4}}(?!\d))[1-9](?:{_GAP}{{0,2}}\d){{6,14}})(?!\d)",
    r"(?<!\d)(?P<imsi_split>\d{3}[ \t._:/-]\d{2,3}[ \t._:/-]\d{9,10})(?!\d)",
    rf"(?<!\d)(?P<imei_split>{_IMEI_SPLIT})(?!\d)",
    r"(?<!\d)(?P<e164_split>00[1-9]\d?\d?[ /-]\d{2,5}[ /-]?\d{4,8})(?!\d)",
)
_RUNS: Final = (
    rf"(?P<long_run>(?!{_COMPACT_TIME}(?!\d))\d{{14,}})",
    # 13 digits from 1 on are milliseconds since 1970: no E.164 number of country code 1 has more than 11 digits.
    # Digits behind a point are the decimals of a number, unless a suffix follows as in a file's name.
    rf"{_BEFORE}(?:(?<!\d\.)|(?=\d{{11,13}}\.[a-z]))(?P<short_run>(?!1\d{{12}}(?!\d))\d{{11,13}}){_AFTER}(?!\.\d)",
)

_WORDS: Final = re.compile(
    "imsi|supi|suci|msin|msisdn|gpsi|imei|pei|e164|e\\.164|nai|gci|gli|extid|tmsi|guti|call|dial|phone|mobile|subscriber"
    "|tel|number|mac"
)
_LEAST_COLONS: Final = 5  # of a MAC address; a time has two
_LEAST_DASHES: Final = 4  # of a UUID

FAMILIES: Final = ("at", "pseudonym", "words", "colons", "macs", "uuids", "oids", "quads", "splits", "runs")
"""Groups of alternatives, in the order of their precedence."""
_PARTS: Final = (
    _WITH_AT, _PSEUDONYM, _WITH_WORDS, _WITH_COLONS, _MACS, _UUIDS, _OIDS, _QUADS, _SPLIT_NUMBERS, _RUNS
)  # fmt: skip
_OF_DIGITS: Final = FAMILIES.index("oids")
_ALL_DIGITS: Final = (True,) * (len(FAMILIES) - _OF_DIGITS)


def pattern_for(lowered: str) -> re.Pattern[str]:
    """Return the pattern with only those alternatives that the text can match; each costs time at every character."""
    colons = "::" in lowered or lowered.count(":") >= _LEAST_COLONS
    dashes = lowered.count("-")
    macs = dashes >= _LEAST_COLONS or lowered.count(".") > 1
    uuids = dashes >= _LEAST_DASHES
    words = _WORDS.search(lowered) is not None
    return pattern_of("@" in lowered, "~" in lowered, words, colons, macs, uuids, *_ALL_DIGITS)


@functools.cache
def pattern_of(*held: bool) -> re.Pattern[str]:
    """Return the pattern of those of `FAMILIES` that are held; one that cannot match makes no difference."""
    chosen = [parts if has else () for parts, has in zip(_PARTS, held, strict=True)]
    lettered = [part for parts in chosen[:_OF_DIGITS] for part in parts]
    digits = "|".join(part for parts in chosen[_OF_DIGITS:] for part in parts)
    return re.compile("|".join((*lettered, *([rf"(?=[\d+.])(?:{digits})"] if digits else []))))


CELL_BEFORE: Final = re.compile(r"(?:cell[a-z]*|n?cgi|nci|eci|[eg]nb[a-z]*)[^\w\n]{0,6}$")
"""Before 11 digits, or MCC, MNC and the rest: a 36-bit NR cell identity (TS 38.413 clause 9.3.1.7), no subscriber."""

HINT: Final = (
    r"[0-9](?:[^A-Za-z0-9]{0,2}[0-9]){4}|[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]|:[0-9a-f]{0,4}:"
    r"|[0-9][_-][0-9]{1,3}[_-][0-9]{1,3}[_-][0-9]|\\u00|%[0-9a-f]{2}|&#"
    r"|(?:[0-9a-f]{2}-){5}|[0-9a-f]{4}\.[0-9a-f]{4}\.|@|suci|nai-|gci-|gli-|extid-|tmsi|guti|mac[^\n]{0,24}[0-9a-f]{12}"
    r"|[^\x00-\x7f]"
)
"""Necessary for any match, in the common syntax of `re` and RE2, case ignored: what lacks it needs no scan."""
