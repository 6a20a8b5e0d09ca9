"""However a measurement file is read, by the XML parser alone or past it, it becomes the same facts."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from format_kit import Outcome, Trickle, check_conservation, mutated, public_data, read
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwright.telemetry.formats.pm_kernel import KernelScanner
from cellwright.telemetry.formats.pm_patterns import PatternScanner
from cellwright.telemetry.formats.pm_xml import PmXml

if TYPE_CHECKING:
    from cellwright.telemetry.formats.pm_scan import Scan, Scanner, Tags

CASES = sorted((Path(__file__).parent.parent / "cases" / "telemetry" / "pm-xml").glob("*.xml"))
PUBLIC = [
    "A20220418.1900-1915_seliitdus00487.xml",
    "A20230515.0700_0100-0715_0100_GNODEB-0.xml",
    "D20241211.0934_keysight_not_well_formed.xml",
    "E_VES_bulkPM_IF_3GPP_3_example_1.xml.gz",
]
SCANNERS: list[type[Scanner]] = [PatternScanner, KernelScanner]
PLAIN = (
    *("0", "7", " 12 ", "-3", "+4", "00012", "9" * 18, "9" * 19, "-" + "9" * 19, "1" * 30, "1.5", "-2.75", ".5", "5."),
    *(
        "1.25e3",
        "0.1234567890123456789",
        "",
        " \n ",
        "NIL",
        "nan",
        "-",
        "1,2",
        "1,,-3",
        " , ",
        "-1,0,17,4,123456789",
        "5,",
    ),
)
TEXTS = (
    *("1e999", "+", ".", "1, x", "1,NIL", "1,2.5", "secret", "1 2", "4<b/>5", "6<!-- 7 -->", "<![CDATA[8]]>", "&#57;"),
    *("&amp;", "\u00e9", '"'),
)
BROKEN = ("]]>", ">", "&x;", "\0")
TYPES = ("RRC.ConnEstabAtt.mo-Data", "pmVector", " spaced ", "", "DRB.UEThpDl", "a&amp;b", "x\r\ny")
PERIOD = '<granPeriod duration="PT15M" endTime="2026-03-01T01:15:00+01:00"/>'
ITEMS = (
    *("<!-- note -->", '<granPeriod endTime="never" duration=""/>', '<repPeriod duration="PT1S"/>', "<job jobId='1'/>"),
    *('<r p="1">3</r>', "<job><x/></job>", '<job jobId="&lt;"/>', '<other a=">"/>', '<measType p="1">B</measType>'),
)
NAMES = ("Cell=1", "", "A=1,Cell=2", "a>b", "p=", "Z\u00fcrich=1", "a&gt;b", "  x ", "tab\t=1")
FRAGMENTS = (
    *(b"<r p='1'>", b"</r>", b"<r/>", b"<measResults>1 2 ", b"</measResults>", b"<!--", b"-->", b"<![CDATA[", b"]]>"),
    *(b"<?", b"?>", b"&#32;", b"&amp;", b"&x;", b"<!DOCTYPE a [", b"]>", b"<x:r>", b"<", b">", b"\xff", b"\r\n", b'"'),
    *(
        b"</measValue>",
        b"</measInfo>",
        b"</measData>",
        b"<measInfo>",
        b'<measValue measObjLdn="a">',
        b"<measData>",
        b"\0",
    ),
)


def mostly(plain: st.SearchStrategy[str], odd: st.SearchStrategy[str], times: int = 8) -> st.SearchStrategy[str]:
    return st.integers(0, times).flatmap(lambda number: odd if number == times else plain)


texts = mostly(mostly(st.sampled_from(PLAIN), st.sampled_from(TEXTS), 30), st.sampled_from(BROKEN), 300)
positions = mostly(st.sampled_from("123"), st.sampled_from(("4", "01", "9", "x", "999999999", "0")), 30)
doubts = mostly(
    st.sampled_from(("", "", "<suspect>true</suspect>", "<suspect>false</suspect>")),
    st.sampled_from(("<suspect>1</suspect>", "<suspect/>", "<suspect> true</suspect>")),
)
words = mostly(st.lists(st.sampled_from(PLAIN), min_size=3, max_size=3).map(" ".join), st.sampled_from(TEXTS))
lists = words.map(lambda text: f"<measResults>{text}</measResults>")
ones = st.lists(st.tuples(positions, texts), max_size=6).map(
    lambda pairs: "\n".join(f'<r p="{p}">{text}</r>' if text else f'<r p="{p}"/>' for p, text in pairs)
)
objects = st.tuples(
    mostly(st.sampled_from(NAMES[:5]), st.sampled_from(NAMES)), doubts, st.one_of(ones, ones, lists), doubts
).map(lambda parts: f'<measValue measObjLdn="{parts[0]}">{parts[1]} {parts[2]}\r\n{parts[3]}</measValue>')
named = st.lists(st.sampled_from(TYPES), max_size=5).map(
    lambda names: "".join(f'<measType p="{at}">{name}</measType>\n' for at, name in enumerate(names, start=1))
)
plain_types = st.just('<measType p="1">A</measType><measType p="2">B</measType> <measType p="3">DRB.B.QOS</measType>')
types = mostly(st.one_of(plain_types, st.just("<measTypes>A B C</measTypes>")), named)
items = mostly(st.sampled_from((PERIOD, PERIOD, '<job jobId="7"/>' + PERIOD, "")), st.sampled_from(ITEMS))
groups = st.tuples(
    items, types, st.lists(objects, max_size=4), mostly(st.sampled_from(("", " ")), st.just("<!-- x -->"))
).map(lambda parts: f'<measInfo measInfoId="g">{parts[0]}{parts[1]}{parts[3].join(parts[2])}</measInfo>\n')
elements = st.sampled_from(
    ('<managedElement localDn="M=1" swVersion="1"/>', '<measEntity localDn=""/>', "", "<managedElement/> <x/>")
)
sections = st.tuples(elements, st.lists(groups, max_size=3)).map(
    lambda parts: f"<measData>{parts[0]}{''.join(parts[1])}</measData>\r\n"
)
declarations = st.sampled_from(
    (
        "",
        "",
        "",
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<?xml version="1.0" encoding="ISO-8859-1"?>',
        '<?xml version="1.0" encoding="cp037"?>',
    )
)
documents = st.tuples(declarations, st.lists(sections, min_size=1, max_size=3)).map(
    lambda parts: (
        f'{parts[0]}<measCollecFile><fileHeader dnPrefix="S=1" vendorName="V"/>'
        f"{''.join(parts[1])}</measCollecFile>".encode()
    )
)
edits = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 40), st.sampled_from(FRAGMENTS)), max_size=2)


class Witness:
    """A scanner that remembers how many values it found."""

    def __init__(self, scanner: Scanner) -> None:
        self.values = 0
        self._scanner = scanner

    def scan(self, data: bytes, at: int, tags: Tags, *, is_open: bool, is_inside: bool) -> Scan:
        scan = self._scanner.scan(data, at, tags, is_open=is_open, is_inside=is_inside)
        self.values += len(scan.kinds)
        return scan


def by_parser(data: bytes) -> Outcome:
    return check_conservation(PmXml(parses_all=True), data)


@pytest.mark.parametrize("scanner", SCANNERS)
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_cases_become_the_same_facts(path: Path, scanner: type[Scanner]) -> None:
    data = path.read_bytes()
    expected = by_parser(data)
    for window in (1 << 19, 1000, 64, 7):
        assert read(PmXml(scanner(), window_bytes=window), data) == expected


@pytest.mark.data
@pytest.mark.parametrize("scanner", SCANNERS)
@pytest.mark.parametrize("name", PUBLIC)
def test_public_files_become_the_same_facts(name: str, scanner: type[Scanner]) -> None:
    data = public_data(f"pm/{name}").read_bytes()
    data = gzip.decompress(data) if name.endswith(".gz") else data
    expected = by_parser(data)
    for window in (1 << 19, 10_000, 3000):
        assert read(PmXml(scanner(), window_bytes=window), data) == expected


@pytest.mark.parametrize("scanner", SCANNERS)
@settings(deadline=None, max_examples=100)
@given(
    data=documents,
    changes=edits,
    window=st.sampled_from((1 << 19, 500, 90, 17)),
    prefix=st.sampled_from((b"", b"", b"m:")),
)
def test_any_file_becomes_the_same_facts(
    scanner: type[Scanner], data: bytes, changes: list[tuple[int, int, bytes]], window: int, prefix: bytes
) -> None:
    if prefix:
        data = data.replace(b"<", b"<m:").replace(b"<m:/", b"</m:").replace(b"<m:!", b"<!").replace(b"<m:?", b"<?")
    data = mutated(data, changes)
    expected = by_parser(data)
    assert check_conservation(PmXml(scanner(), window_bytes=window), data) == expected


@pytest.mark.parametrize("scanner", SCANNERS)
@settings(deadline=None, max_examples=100)
@given(
    texts=st.lists(
        st.one_of(st.text("0123456789+-., ", max_size=24), st.text("0123456789+-.,eE \t\r\nNILnil", max_size=9)),
        max_size=8,
    )
)
def test_any_value_is_read_the_same(scanner: type[Scanner], texts: list[str]) -> None:
    values = [f'<measValue measObjLdn="Cell=1"><r p="1">{text}</r><r p="1">-1</r></measValue>' for text in texts]
    data = _document("".join(values))
    assert check_conservation(PmXml(scanner()), data) == by_parser(data)


@pytest.mark.parametrize("scanner", SCANNERS)
def test_only_the_first_start_tag_of_a_plain_file_needs_the_parser(scanner: type[Scanner]) -> None:
    value = '<measValue measObjLdn="Cell=1"><r p="1">1</r><r p="1">2,3</r><suspect>true</suspect></measValue>'
    listed = '<measValue measObjLdn="Cell=2"><measResults>1</measResults></measValue>'
    head = '<measInfo measInfoId="a"><granPeriod duration="PT1S" endTime=""/><measType p="1">A</measType>'
    group = f"{head}{value}{listed}</measInfo>"
    section = f'<measData><managedElement localDn="M=1"/>{group * 3}</measData>'
    witness = Witness(scanner())
    outcome = check_conservation(PmXml(witness), f"<measCollecFile>{section * 4}</measCollecFile>".encode())
    assert len(outcome.only("pm_counters")) == witness.values == 4 * 3 * 3


@pytest.mark.parametrize("scanner", SCANNERS)
def test_what_a_document_type_or_an_odd_encoding_may_change_is_left_to_the_parser(scanner: type[Scanner]) -> None:
    body = _document(
        '<measValue measObjLdn="Cell=1"><r>4</r></measValue><measValue measObjLdn=" Cell=1"><r p="1">4</r></measValue>'
    )
    heads = (
        b'<!DOCTYPE measCollecFile [<!ATTLIST r p CDATA "1"><!ATTLIST measValue measObjLdn NMTOKENS #IMPLIED>]>',
        b'<?xml version="1.0" encoding="shift_jis"?>',
        b'<?xml version="1.0" encoding="cp1252"?>',
    )
    for head in heads:
        witness = Witness(scanner())
        assert check_conservation(PmXml(witness), head + body) == by_parser(head + body)
        assert witness.values == 0


@pytest.mark.parametrize("scanner", SCANNERS)
def test_what_stands_in_comments_and_cdata_is_no_object(scanner: type[Scanner]) -> None:
    hidden = '<measValue measObjLdn="Cell=1"><r p="1">1</r></measValue></measInfo><measInfo>'
    value = '<measValue measObjLdn="Cell=1"><r p="1">1</r></measValue>'
    for wrapped in (f"<!-- {hidden} -->", f"<![CDATA[{hidden}]]>", f"<?x {hidden} ?>", f"<job a='{hidden}'/>"):
        data = _document(f"{wrapped}{value}{wrapped}{value}")
        assert check_conservation(PmXml(scanner()), data) == by_parser(data)


def test_a_stream_that_cannot_be_read_again_is_counted_as_it_passes() -> None:
    class Once(Trickle):
        def seekable(self) -> bool:
            return False

    data = _document('<measValue measObjLdn="Cell=1"><r p="1">1</r></measValue><r p="1">') + b"<r/></oops>"
    assert read(PmXml(), data, Once) == by_parser(data)


@pytest.mark.parametrize("reader", [PmXml(parses_all=True), PmXml(PatternScanner()), PmXml(KernelScanner())])
def test_a_long_file_of_plain_and_odd_objects_is_handed_out_once_and_in_order(reader: PmXml) -> None:
    plain = '<measValue measObjLdn="Cell=1"><r p="1">1</r><r p="2">1,2</r></measValue>'
    odd = '<measValue measObjLdn="Cell=2"><r p="1">&#50;</r><r p="3">0</r></measValue>'
    outcome = check_conservation(reader, _document((plain * 30 + odd) * 1200))
    ordinals = [row["ordinal"] for row in outcome.only("pm_counters")]
    assert ordinals == sorted(set(ordinals))
    assert (len(ordinals), len(outcome.quarantined)) == (61 * 1200, 1200)


@pytest.mark.parametrize("scanner", SCANNERS)
@pytest.mark.parametrize("last", ['<r p="1">1</r>', '<r p="9">1</r>', '<r p="1">1, x</r>'])
def test_objects_keep_their_element_and_types_whatever_stands_in_groups_behind_them(
    last: str, scanner: type[Scanner]
) -> None:
    groups = "".join(
        f'<measData><managedElement localDn="N={name}"/><measInfo measInfoId="{name}">'
        f'<job jobId="{name}"/>{PERIOD}<measType p="1">{name}</measType><measType p="{name}">B</measType>'
        f'<measValue measObjLdn="C={name}"><r p="1">1</r><r p="{name}">2</r></measValue>'
        f'<measValue measObjLdn="C={name}{name}">{last if name == 4 else ""}</measValue></measInfo></measData>'
        for name in range(2, 6)
    )
    data = f"<measCollecFile>{groups}</measCollecFile>".encode()
    outcome = check_conservation(PmXml(scanner()), data)
    assert outcome == by_parser(data)
    rows = {(row["obj_ldn"], row["ne_dn"], row["meas_info_id"], row["counter"]) for row in outcome.only("pm_counters")}
    assert {(f"C={name}", f"N={name}", str(name), str(name)) for name in range(2, 6)} <= rows


def test_lines_are_counted_in_what_the_parser_does_not_see() -> None:
    value = '\r\n<measValue measObjLdn="Cell=1">\n<r p="1">1</r>\r</measValue>'
    data = _document(f'{value * 5}\n<measValue measObjLdn="Cell=2">\n<r p="1">?</r></measValue>{value}') + b"\n<oops>"
    for scanner in SCANNERS:
        outcome = check_conservation(PmXml(scanner()), data)
        assert outcome == by_parser(data)
        assert [line for _, _, line in outcome.codes()] == [18, 22]


def _document(objects: str) -> bytes:
    head = '<measData><measInfo measInfoId="g"><measType p="1">A</measType><measType p="2">B</measType>'
    return f"<measCollecFile>{head}{objects}</measInfo></measData></measCollecFile>".encode()
