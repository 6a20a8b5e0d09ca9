"""What the egress guard cannot read stays on the premises, unless a backend is set up to be sent it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from gateway_kit import Upstream, bench, config, document, remote, spec
from hypothesis import example, given
from hypothesis import strategies as st
from upstream_kit import ANSWER, asked, inside, says

from cellwright.errors import DeniedError
from cellwright.gateway.config import load_config
from cellwright.gateway.egress import UnreadableError, leaves, let_pass

if TYPE_CHECKING:
    from pathlib import Path

    from gateway_kit import Response

PICTURE = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01"
UNREADABLE = {
    "picture": PICTURE,
    "late": b"caf\xe9 " * 400 + PICTURE,
    "pdf": b"\n%PDF-1.7\n1 0 obj <</Filter /ASCIIHexDecode>> stream\n3236323031 >\nendstream",
    "archive": zlib.compress(b"one two three"),
    "unmarked": "wide".encode("utf-16-le"),
}


def encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def forms(raw: bytes) -> dict[str, Any]:
    """Return the ways in which clients send a document, by path."""
    data = encoded(raw)
    escaped = "".join(f"%{byte:02x}" for byte in raw)
    return {
        "image_url": {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}},
        "escaped": {"type": "image_url", "image_url": {"url": f"data:image/png,{escaped}"}},
        "broken": {"type": "image_url", "image_url": {"url": f"Data:image/png ; BASE64,{data[:9]}%0A{data[9:]}"}},
        "sound": {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}},
        "file": {"type": "file", "file": {"filename": "a.txt", "file_data": data}},
        "file as URL": {"type": "file", "file": {"filename": "a.txt", "file_data": f"data:text/plain;base64,{data}"}},
        "bare": {"type": "image_url", "image_url": {"url": data}},
        "barer": {"type": "image_url", "image_url": data},
        "unknown": {"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{data}"}},
    }


def question(part: object, text: str = "What is this?") -> dict[str, Any]:
    return {"model": "auto", "messages": [{"role": "user", "content": [{"type": "text", "text": text}, part]}]}


def deny(text: str) -> None:
    if "PLANTED" in text:
        raise DeniedError.of("identifier-in-egress", "the text was not sent")


@pytest.mark.integration
@pytest.mark.parametrize("form", forms(b""))
@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_the_guard_cannot_read_is_sent_to_no_backend_off_the_premises(
    tmp_path: Path, kind: str, form: str
) -> None:
    body = question(forms(UNREADABLE[kind])[form])
    response, row, upstream = asked(tmp_path, says(ANSWER), body, guard=deny)
    assert (response.status, response.error, row.error) == (403, "egress_unreadable", "egress_unreadable")
    assert "takesUnread" in response.json["error"]["message"]
    assert upstream.bodies == []


@pytest.mark.integration
@pytest.mark.parametrize("form", forms(b""))
@pytest.mark.parametrize("text", ["plain", "caf\u00e9", ""])
def test_documents_that_read_leave(tmp_path: Path, form: str, text: str) -> None:
    for encoding in ("utf-8", "utf-16", "latin-1"):
        body = question(forms(text.encode(encoding))[form])
        response, _, upstream = asked(tmp_path, says(ANSWER), body, guard=deny)
        assert (response.status, len(upstream.bodies)) == (200, 1)


@pytest.mark.integration
def test_a_picture_by_its_address_is_a_text(tmp_path: Path) -> None:
    for address, status in (("https://pictures.example/a.png", 200), ("https://pictures.example/PLANTED", 403)):
        body = question({"type": "image_url", "image_url": {"url": address}})
        assert asked(tmp_path, says(ANSWER), body, guard=deny)[0].status == status


@pytest.mark.integration
def test_the_message_of_another_protocol_is_held_to_it_too(tmp_path: Path) -> None:
    source = {"type": "base64", "media_type": "application/pdf", "data": encoded(UNREADABLE["pdf"])}
    body = question({"type": "document", "source": source}) | {"max_tokens": 9}
    response, _, upstream = asked(tmp_path, says(ANSWER), body, guard=deny, path="/v1/messages")
    assert (response.status, response.json["error"]["type"]) == (403, "permission_error")
    assert upstream.bodies == []


@pytest.mark.integration
@pytest.mark.parametrize("kind", ["anthropic", "bedrock"])
def test_backends_of_every_protocol_are_held_to_it(tmp_path: Path, kind: str) -> None:
    body = question(forms(PICTURE)["image_url"])
    response, _, upstream = asked(tmp_path, says({}), body, guard=deny, type=kind)
    assert (response.error, upstream.bodies) == ("egress_unreadable", [])


@pytest.mark.integration
def test_a_backend_that_takes_unread_is_sent_it_and_its_texts_are_read_all_the_same(tmp_path: Path) -> None:
    part = forms(PICTURE)["image_url"]
    response, _, upstream = asked(tmp_path, says(ANSWER), question(part), guard=deny, takes_unread=True)
    assert (response.status, upstream.bodies[0]["messages"][0]["content"][1]) == (200, part)
    response, _, upstream = asked(tmp_path, says(ANSWER), question(part, "PLANTED"), guard=deny, takes_unread=True)
    assert (response.error, upstream.bodies) == ("egress_denied", [])


def test_the_guard_is_shown_the_begin_of_a_document_and_all_of_what_is_none() -> None:
    seen: list[str] = []
    url = f"data:image/png;base64,{encoded(PICTURE * 9_000)}"
    let_pass(seen.append, question({"type": "image_url", "image_url": {"url": url}}))
    let_pass(seen.append, question({"type": "document", "data": "words in place of base64 " * 9_000}))
    with pytest.raises(UnreadableError):
        let_pass(seen.append, question({"type": "image_url", "image_url": {"url": url}}), takes_unread=False)
    assert [len(text) > 9_000 for text in seen] == [False, True]
    assert url[:1_000] in seen[0]


@pytest.mark.integration
def test_a_backend_on_the_premises_answers_in_place_of_one_that_may_not_be_sent_it(tmp_path: Path) -> None:
    far, near = Upstream(says(ANSWER)), Upstream(says(ANSWER))

    async def main() -> Response:
        async with far.open(), near.open():
            cloud = remote(type="openai", base_url=far.url)
            setup = config(cloud, spec(type="openai", base_url=near.url))
            with bench(tmp_path, setup, guard=deny) as gateway:
                return await inside(gateway, question(forms(PICTURE)["image_url"]))

    response = asyncio.run(main())
    assert (response.status, response.headers["x-cellwright-backend"]) == (200, "edge")
    assert response.headers["x-cellwright-degraded"] == "edge for cloud (egress_unreadable)"
    assert (len(far.bodies), len(near.bodies)) == (0, 1)


@given(st.one_of(st.binary(min_size=1), st.text(min_size=1).map(str.encode)))
@example(b"\xff\xfea")
def test_whatever_a_document_holds_is_among_the_texts_or_said_to_be_unread(raw: bytes) -> None:
    texts = set()
    for encoding in ("utf-8-sig", "utf-16", "latin-1"):
        with contextlib.suppress(UnicodeDecodeError):
            texts.add(raw.decode(encoding))
    for form in forms(raw).values():
        found = leaves(question(form))
        assert found.unread or any(each.endswith(f": {text}") for each in found for text in texts)


def test_arguments_of_calls_are_texts() -> None:
    block = {"type": "tool_use", "id": "c1", "name": "write", "input": {"data": encoded(PICTURE), "bytes": "x"}}
    assert not leaves({"messages": [{"role": "assistant", "content": [block]}]}).unread


def test_the_document_says_which_backends_take_it() -> None:
    text = document("""
  backends:
    - {name: cloud, type: openai, model: m, tier: region, boundary: none, baseUrl: 'http://x', takesUnread: true}
    - {name: edge, type: reasoner, model: r, tier: onprem, boundary: premises}
  routes: [{name: auto, backends: [cloud, edge]}]
""")
    assert [each.takes_unread for each in load_config(text, "g.yaml").backends] == [True, False]
