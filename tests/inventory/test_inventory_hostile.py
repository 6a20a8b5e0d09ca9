"""Inputs that are broken, huge or meant to harm: each ends in sentences with a place, never in a traceback."""

from __future__ import annotations

import re
import tracemalloc

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from cellwright.errors import UsageError
from cellwright.estate.model import Location
from cellwright.estate.yaml_nodes import read_yaml
from cellwright.inventory import rows
from cellwright.inventory.documents import to_yaml
from cellwright.inventory.model import Imported, Options, Role, Source
from cellwright.inventory.names import Names, plain, slug
from cellwright.wiring.inventories import inventories

FORMS = {"graphml": Role.INVENTORY, "kubernetes": Role.INVENTORY, "netbox": Role.INVENTORY, "csv": Role.SITES}
OPTIONS = Options(jurisdiction="IT", location=Location(45.0, 9.0))


def imported(form: str, text: str | bytes, options: Options = OPTIONS) -> Imported:
    data = text.encode() if isinstance(text, str) else text
    return inventories().get(form).documents([Source("in", data, FORMS[form])], options)


BROKEN = {
    "empty": ("graphml", b"", "empty-file", 1),
    "blank": ("csv", b"\xef\xbb\xbf \r\n", "empty-file", 1),
    "gml cut off": ("graphml", "graph [\n node [\n  id 0", "truncated", 2),
    "gml without end of text": ("graphml", 'graph [\n label "x\n', "gml-syntax", 2),
    "gml of other words": ("graphml", "graph [\n id zero ]", "gml-syntax", 2),
    "gml nested deeply": ("graphml", "graph [\n" + "a [ " * 10_000, "too-large", 2),
    "prose": ("graphml", "this is no topology", "not-a-topology", 1),
    "gml in latin-1": ("graphml", b'graph [\n label "\xe9" ]', "wrong-encoding", 2),
    "picture": ("graphml", b"\x89PNG\r\n\x1a\n\0\0", "wrong-encoding", 1),
    "billion laughs": (
        "graphml",
        '<?xml version="1.0"?>\n<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>\n<graphml>&b;</graphml>',
        "entity-declaration",
        2,
    ),
    "outside entity": (
        "graphml",
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>\n<graphml>&a;</graphml>',
        "entity-declaration",
        1,
    ),
    "xml cut off": ("graphml", "<graphml>\n<graph>", "xml-syntax", 2),
    "xml nested deeply": ("graphml", "<graphml>\n" + "<a>" * 10_000, "too-large", 2),
    "xml of another kind": ("graphml", "<svg/>", "not-a-topology", 1),
    "xml in an unknown encoding": ("graphml", b'<?xml version="1.0" encoding="klingon"?><graphml/>', "", 1),
    "json cut off": ("kubernetes", '{"items": [\n{"metadata": ', "json-syntax", 2),
    "json nested deeply": ("kubernetes", "[" * 100_000, "too-large", 1),
    "json of another kind": ("kubernetes", '{"kind": "Status"}', "wrong-json", 1),
    "json node of another type": ("kubernetes", '{"items": [\n\n{"metadata": {"name": 7}}]}', "wrong-type", 3),
    "netbox without kind": ("netbox", '{"results": [\n{"id": 1}]}', "unknown-object", 2),
    "netbox of numbers": ("netbox", '{"results": [\n1]}', "wrong-type", 2),
    "csv without columns": ("csv", "a,b\n1,2\n", "missing-column", 1),
    "csv without end of text": ("csv", 'name,lat,lon\nA,1,2\n"B,1,2\n', "broken-table", 3),
    "csv with zeros": ("csv", b"name,lat,lon\nA\0,1,2\n", "not-text", 2),
    "csv with a long row": ("csv", "name,lat,lon\nA,1,2,3\n", "ragged-row", 2),
    "csv south of the pole": ("csv", "name,lat,lon\nA,-91,2\n", "bad-cell", 2),
    "csv with no number": ("csv", "name,lat,lon\nA,nan,2\n", "bad-cell", 2),
    "csv with infinity": ("csv", "name,lat,lon\nA,1,inf\n", "bad-cell", 2),
    "csv with one site twice": ("csv", "name,lat,lon\r\nA,1,2\r\n\r\nA,1,2\r\n", "duplicate-site", 4),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_input_is_told_with_its_line(name: str) -> None:
    form, text, code, line = BROKEN[name]
    told = imported(form, text)
    assert told.documents == ()
    (problem, *_) = told.diagnostics
    assert code in {problem.code, ""}
    assert problem.mark is not None
    assert (problem.mark.file, problem.mark.line) == ("in", line)


FRAGMENTS = st.sampled_from(
    [
        "graph",
        "[",
        "]",
        "node [ id 1 ]",
        '"',
        "#",
        "<",
        ">",
        "<graphml>",
        "<node id='1'>",
        "{",
        "}",
        '"items"',
        ":",
        ",",
        "name,lat,lon",
        "\n",
        "A,1,2",
        "é",
        "\x00",
        "1e999",
        "NaN",
        "[[",
        "\ufeff",
        "edge [ source 1 target 1 ]",
        "\\u00",
    ]
)


@given(st.sampled_from(sorted(FORMS)), st.one_of(st.binary(max_size=60), st.lists(FRAGMENTS).map(" ".join)))
def test_whatever_the_input_the_answer_is_documents_or_problems(form: str, text: str | bytes) -> None:
    told = imported(form, text)
    assert bool(told.documents) != any(item.severity == "error" for item in told.diagnostics)


@given(st.text(max_size=80))
@example("ß" * 70)
@example("İstanbul")
@example("-" * 80)
def test_every_slug_is_a_valid_name_or_nothing(text: str) -> None:
    assert slug(text) == "" or re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", slug(text))
    assert plain(text).isprintable()


@given(st.lists(st.sampled_from(["a", "A", "a-2", "ä", "a" * 70, "a" * 63, "東京", "", "site-1"]), max_size=30))
def test_every_name_given_is_valid_and_given_once(texts: list[str]) -> None:
    names = Names("site")
    given_names = [names.give(text) for text in texts]
    assert len(set(given_names)) == len(texts)
    assert all(re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name) for name in given_names)


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=40), max_size=5))
@example(
    {"version": "12e5", "a": "1_000", "no": "NO", "t": "true", "n": "~", "d": "2024-01-01", "x": "0x1F", "o": "0o7"}
)
def test_any_label_reads_back_as_the_same_text(labels: dict[str, str]) -> None:
    labels = {plain(key): plain(value) for key, value in labels.items()}
    text = to_yaml([{"labels": labels}], "heading")
    content = read_yaml("x", text)
    assert content.problems == ()
    assert content.documents[0].value == {"labels": labels}
    assert yaml.safe_load(text) == {"labels": labels}


def test_twenty_megabytes_of_what_no_estate_holds_cost_a_few_times_that() -> None:
    images = '{"names": ["%s"], "sizeBytes": 1}' % ("r" * 1000)
    node = '{"metadata": {"name": "n%d"}, "status": {"allocatable": {"cpu": "8", "memory": "64Gi"}, "images": [%s]}}'
    text = '{"items": [' + ",\n".join(node % (n, ",".join([images] * 10)) for n in range(2000)) + "]}"
    data = text.replace('{"metadata": {', '{"metadata": {"labels": {"kubernetes.io/arch": "amd64"}, ').encode()
    tracemalloc.start()
    told = imported("kubernetes", data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [node.count for site in told.sites for node in site.nodes] == [2000]
    assert peak < 5 * len(data)


def test_more_problems_than_anybody_reads_are_counted() -> None:
    told = imported("csv", "name,lat,lon\n" + "".join(f"s{n},99,0\n" for n in range(3000)))
    assert len(told.diagnostics) == 1001
    assert told.diagnostics[-1].message == "and 2000 more problems"


def test_more_rows_than_an_import_may_have_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "ELEMENT_LIMIT", 100)
    told = imported("csv", "name,lat,lon\n" + "".join(f"{n},1,1\n" for n in range(101)))
    assert [item.code for item in told.diagnostics] == ["too-large"]


def test_an_encoding_that_does_not_exist_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="unknown-encoding"):
        imported("csv", b"name,lat,lon\n\xe9,1,2", Options(encoding="klingon"))


def test_a_column_that_does_not_exist_is_a_usage_error_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="latt"):
        imported("csv", "name,lat,lon\nA,1,2", Options(columns={"latt": "x"}))
