"""How a link is named and proved, and what is told where the client for it is not installed."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import pytest

from cellwright.errors import DeniedError, UsageError
from cellwright.telemetry.forward_nats import Access, open_outlet
from cellwright.wiring.forwarding import TOKEN, Proofs, is_loopback, read_access

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("kafka://broker:9092", "unsupported-link"),
        ("nats://user:secret@host:4222", "secret-in-address"),
        ("nats://", "wrong-address"),
        ("host:4222", "unsupported-link"),
        ("nats://host:port", "wrong-address"),
        ("nats://host/path", "wrong-address"),
    ],
)
def test_an_address_that_cannot_be_is_refused_with_what_can(address: str, code: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_access(address, Proofs(), {})
    assert caught.value.diagnostics[0].code == code
    assert "NATS" in str(caught.value) or "nats" in str(caught.value)
    assert "secret@" not in str(caught.value)


def test_a_token_is_not_sent_in_the_clear_and_files_have_to_be_there(tmp_path: Path) -> None:
    environ = {TOKEN: "open-sesame"}
    with pytest.raises(UsageError, match="token-in-the-clear") as caught:
        read_access("nats://192.0.2.1:4222", Proofs(), environ)
    assert "open-sesame" not in str(caught.value)
    access = read_access("tls://[2001:db8::1]", Proofs(), environ)
    assert (access.url, access.token) == ("tls://[2001:db8::1]:4222", "open-sesame")
    assert "open-sesame" not in repr(access)
    assert is_loopback(read_access("nats://localhost", Proofs(), environ).url)
    with pytest.raises(UsageError, match="no-file"):
        read_access("tls://host", Proofs(credentials=tmp_path / "none"), {})
    (tmp_path / "cert").touch()
    with pytest.raises(UsageError, match="half-a-certificate"):
        read_access("tls://host", Proofs(certificate=tmp_path / "cert"), {})


def test_an_absent_client_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nats", None)

    async def play() -> None:
        async with open_outlet(Access("nats://127.0.0.1:4222"), "cellwright"):
            raise AssertionError

    with pytest.raises(UsageError, match=r"cellwright\[nats\]"):
        asyncio.run(play())


INFO = (
    b'INFO {"server_id":"X","version":"2.9.10","proto":1,"headers":true,"max_payload":1048576,"auth_required":true}\r\n'
)


@pytest.mark.integration
@pytest.mark.parametrize("answer", [b"PONG\r\n", b"-ERR 'Authorization Violation'\r\n"])
def test_a_server_without_tls_gets_neither_token_nor_file_where_tls_is_wanted(answer: bytes) -> None:
    pytest.importorskip("nats", reason="SKIPPED LOUDLY: nats-py, the extra `nats`, is not installed")
    heard = list[bytes]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(INFO)
        while line := await reader.readline():
            heard.append(line)
            if line.startswith(b"PING"):
                writer.write(answer)
        writer.close()
        await writer.wait_closed()

    async def play() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            async with open_outlet(Access(f"tls://127.0.0.1:{port}", token="open-sesame"), "cellwright"):
                raise AssertionError

    with pytest.raises(DeniedError, match="offers no TLS"):
        asyncio.run(play())
    said = b"".join(heard)
    assert b"CONNECT" in said
    assert b"open-sesame" not in said
    assert b"PUB" not in said
