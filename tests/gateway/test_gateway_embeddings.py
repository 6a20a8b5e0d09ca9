"""Embeddings: what clients may send, which backends are asked, and the encoding they come back in."""

from __future__ import annotations

import base64
import struct
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from gateway_kit import Scripted, bench, config, opener, remote, spec, whole
from hypothesis import given
from hypothesis import strategies as st
from upstream_kit import asked, says

from cellwright.estate.model import Boundary
from cellwright.gateway.backend import Chunk
from cellwright.gateway.forms.vectors import fit_vectors
from cellwright.gateway.wire import ModelRequest, Operation, Usage

if TYPE_CHECKING:
    from pathlib import Path

    from gateway_kit import Response

PATH = "/v1/embeddings"
TEXTS = {"model": "auto", "input": ["one two", "three"]}
BOTH = frozenset(Operation)


def vectors(*found: object, usage: object = None) -> dict[str, Any]:
    data = [{"object": "embedding", "index": index, "embedding": item} for index, item in enumerate(found)]
    return {"object": "list", "model": "m", "data": data} | ({"usage": usage} if usage else {})


def packed(*numbers: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


@pytest.mark.integration
def test_texts_go_to_the_embeddings_of_the_upstream_and_its_answer_passes_as_it_is(tmp_path: Path) -> None:
    answer = vectors([0.5, -1.0], [2.0, 0.1], usage={"prompt_tokens": 7, "total_tokens": 7})
    body = TEXTS | {"user": "u", "dimensions": 2}
    response, row, upstream = asked(tmp_path, says(answer), body, path=PATH)
    assert response.json == answer
    assert upstream.bodies == [body | {"model": "model-cloud"}]
    assert upstream.paths == ["/v1/embeddings"]
    assert (row.tokens_in, row.tokens_out, row.estimated, row.cost_out_nano) == (7, 0, False, 0)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("wanted", "expected"), [("base64", packed(0.5, 0.1)), ("float", [0.5, 0.1]), (None, [0.5, 0.1])]
)
@pytest.mark.parametrize("found", [[0.5, 0.1], packed(0.5, 0.1)])
def test_vectors_come_in_the_encoding_that_was_asked_for(
    tmp_path: Path, wanted: str | None, expected: object, found: object
) -> None:
    body = {"model": "auto", "input": "one"} | ({"encoding_format": wanted} if wanted else {})
    response, _, _ = asked(tmp_path, says(vectors(found)), body, path=PATH)
    assert response.json["data"][0]["embedding"] == expected


@pytest.mark.integration
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (vectors([1.0]), "they are not 2"),
        (vectors([1.0, 2.0], [1.0]), "one has 1 dimensions, not 2"),
        (vectors([1.0, 2.0], "!!"), "none"),
        (vectors([1.0, 2.0], None), "one is no vector"),
        (vectors([1.0, 2.0], "AAAA"), "one is cut short"),
        ({"data": [1, 2]}, "they are not 2"),
        ({}, "they are not 2"),
    ],
)
def test_an_answer_that_holds_no_vector_for_each_input_is_told(tmp_path: Path, answer: object, words: str) -> None:
    response, row, _ = asked(tmp_path, says(answer), TEXTS | {"dimensions": 2}, path=PATH)
    assert (response.status, response.error) == (502, "upstream_garbled")
    assert words in response.json["error"]["message"]
    assert (row.tokens_in, row.estimated) == (3, True)


@pytest.mark.integration
@pytest.mark.parametrize("number", ["1.0", None, 1e39])
def test_what_no_32_bits_hold_is_told(tmp_path: Path, number: object) -> None:
    body = {"model": "auto", "input": "one", "encoding_format": "base64"}
    response, _, _ = asked(tmp_path, says(vectors([1.0, number])), body, path=PATH)
    assert (response.status, response.error) == (502, "upstream_garbled")
    assert "one holds what is no number of 32 bits" in response.json["error"]["message"]


@pytest.mark.integration
@pytest.mark.parametrize("given", [[1, 2, 3], [[1, 2], [3]]])
def test_tokens_go_nowhere_that_the_guard_would_have_to_read_them(tmp_path: Path, given: list[Any]) -> None:
    body = {"model": "auto", "input": given}
    response, row, upstream = asked(tmp_path, says(vectors([1.0], [1.0])), body, path=PATH)
    assert (response.status, response.error) == (400, "tokens_unguarded")
    assert upstream.bodies == []
    assert row.tokens_in == 0
    inputs = [given] if isinstance(given[0], int) else given
    answer = vectors(*([1.0] for _ in inputs))
    response, _, upstream = asked(tmp_path, says(answer), body, path=PATH, takes_unread=True)
    assert (response.status, upstream.bodies[0]["input"]) == (200, given)


@pytest.mark.integration
@pytest.mark.parametrize(("given", "answer"), [([1, 2, 3], vectors([1.0])), ([[1, 2], [3]], vectors([1.0], [1.0]))])
def test_tokens_are_embedded_on_the_premises_and_counted_as_what_they_are(
    tmp_path: Path, given: list[Any], answer: object
) -> None:
    body = {"model": "auto", "input": given}
    response, row, upstream = asked(tmp_path, says(answer), body, path=PATH, boundary=Boundary.PREMISES)
    assert upstream.bodies[0]["input"] == given
    assert (response.status, row.tokens_in, row.estimated) == (200, 3, True)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": "auto"}, "input"),
        ({"model": "auto", "input": ""}, "input"),
        ({"model": "auto", "input": []}, "input"),
        ({"model": "auto", "input": ["a", 1]}, "input"),
        ({"model": "auto", "input": [[]]}, "input"),
        ({"model": "auto", "input": [[1, "a"]]}, "input"),
        ({"model": "auto", "input": [True]}, "input"),
        ({"model": "auto", "input": {"a": 1}}, "input"),
        ({"input": "a"}, "model"),
        (TEXTS | {"encoding_format": "int8"}, "encoding_format"),
        (TEXTS | {"dimensions": 0}, "dimensions"),
        (TEXTS | {"dimensions": True}, "dimensions"),
        (TEXTS | {"stream": True}, "stream"),
    ],
)
def test_a_body_that_asks_for_no_embeddings_is_told_where(tmp_path: Path, body: object, param: str) -> None:
    with bench(tmp_path, config(), opener(Scripted((), operations=BOTH))) as gateway:
        response = gateway.ask(body, path=PATH)
    assert (response.status, response.json["error"]["param"]) == (400, param)


def test_backends_that_cannot_do_it_are_passed_over(tmp_path: Path) -> None:
    chat, both = Scripted((whole(),)), Scripted((Chunk(b'{"data":[]}', "", Usage(2, 0)),), operations=BOTH)
    with bench(tmp_path, config(spec(), spec("other")), opener(chat, both)) as gateway:
        response = gateway.ask(TEXTS, path=PATH)
    assert (response.status, response.headers["x-cellwright-backend"]) == (200, "other")
    assert chat.asked == []


@pytest.mark.parametrize("narrowed", [False, True])
def test_a_route_without_a_backend_that_can_do_it_is_told(tmp_path: Path, *, narrowed: bool) -> None:
    setup = config(spec(operations=frozenset({Operation.CHAT}) if narrowed else None))
    backend = Scripted((whole(),), operations=BOTH if narrowed else frozenset({Operation.CHAT}))
    with bench(tmp_path, setup, opener(backend)) as gateway:
        response = gateway.ask(TEXTS, path=PATH)
        (row,) = gateway.meter.rows()
    assert (response.status, response.error) == (400, "unsupported_operation")
    assert "edge cannot do it" in response.json["error"]["message"]
    assert (row.tokens_in, row.attempts) == (0, 0)


def test_a_rule_says_more_than_a_lack(tmp_path: Path) -> None:
    pii = {"x-cellwright-data-class": "subscriber_pii"}

    def ask(backend: Scripted) -> Response:
        with bench(tmp_path, config(remote()), opener(backend)) as gateway:
            return gateway.ask(TEXTS, path=PATH, headers=pii)

    assert ask(Scripted(())).error == "sovereignty"


def test_usage_is_counted_where_the_backend_says_none(tmp_path: Path) -> None:
    backend = Scripted((Chunk(b'{"data":[]}', ""),), operations=BOTH)
    with bench(tmp_path, config(), opener(backend)) as gateway:
        response = gateway.ask(TEXTS, path=PATH)
    assert response.json["usage"] == {"prompt_tokens": 3, "total_tokens": 3, "estimated": True}


@given(numbers=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1), packs=st.booleans())
def test_an_encoding_changes_no_number(numbers: list[float], *, packs: bool) -> None:
    there, back = ("base64", "float") if packs else ("float", "base64")
    answer = vectors(packed(*numbers) if packs else numbers)

    def request(form: str) -> ModelRequest:
        body = {"input": "x", "encoding_format": form}
        return ModelRequest("r", 0, "m", body, stream=False, wants_usage=False, operation=Operation.EMBEDDINGS)

    assert not fit_vectors(answer, request(there))
    assert fit_vectors(answer, request(back))
    assert fit_vectors(orjson.loads(orjson.dumps(answer)), request(there))
    assert fit_vectors(answer, request(there))
    found = answer["data"][0]["embedding"]
    assert (
        (found == packed(*numbers))
        if packs
        else ([struct.pack("<f", x) for x in found] == [struct.pack("<f", x) for x in numbers])
    )
