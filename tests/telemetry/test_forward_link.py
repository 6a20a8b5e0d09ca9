"""How a link is named and proved, and what is told where the client for it is not installed."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import pytest
from forward_ends import access_to

from cellwright.errors import DeniedError, UsageError
from cellwright.telemetry.forward_kafka import KafkaAccess
from cellwright.telemetry.forward_kafka_properties import PASSWORD, USERNAME
from cellwright.telemetry.forward_link import Proofs
from cellwright.telemetry.forward_nats import TOKEN, NatsAccess

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("amqp://broker:5672", "unsupported-link"),
        ("nats://user:secret@host:4222", "secret-in-address"),
        ("kafka://user:secret@host", "secret-in-address"),
        ("nats://", "wrong-address"),
        ("host:4222", "unsupported-link"),
        ("nats://host:port", "wrong-address"),
        ("nats://host/path", "wrong-address"),
        ("kafka://one:9092,", "wrong-address"),
    ],
)
def test_an_address_that_cannot_be_is_refused_with_what_can(address: str, code: str) -> None:
    with pytest.raises(UsageError) as caught:
        access_to(address)
    assert caught.value.diagnostics[0].code == code
    assert caught.value.diagnostics[0].expected
    assert "secret@" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "read", "is_loopback"),
    [
        ("nats://localhost", "nats://localhost:4222", True),
        ("tls://[2001:db8::1]", "tls://[2001:db8::1]:4222", False),
        ("kafka://one,two:9093/", "kafka://one:9092,two:9093", False),
        ("kafka+tls://127.0.0.1,[::1]", "kafka+tls://127.0.0.1:9092,[::1]:9092", True),
    ],
)
def test_an_address_gets_the_port_of_its_carrier(address: str, read: str, is_loopback: bool) -> None:  # noqa: FBT001 - a column of the table
    found = access_to(address).address
    assert (str(found), found.is_loopback) == (read, is_loopback)


def test_a_token_is_not_sent_in_the_clear_and_files_have_to_be_there(tmp_path: Path) -> None:
    environ = {TOKEN: "open-sesame"}
    with pytest.raises(UsageError, match="secret-in-the-clear") as caught:
        access_to("nats://192.0.2.1:4222", **environ)
    assert "open-sesame" not in str(caught.value)
    access = access_to("tls://[2001:db8::1]", **environ)
    assert isinstance(access, NatsAccess)
    assert access.token == "open-sesame"
    assert "open-sesame" not in repr(access)
    with pytest.raises(UsageError, match="no-file"):
        access_to("tls://host", Proofs(credentials=tmp_path / "none"))
    (tmp_path / "cert").touch()
    with pytest.raises(UsageError, match="half-a-certificate"):
        access_to("tls://host", Proofs(certificate=tmp_path / "cert"))


@pytest.mark.parametrize(
    ("module", "address"), [("nats", "nats://127.0.0.1"), ("confluent_kafka", "kafka://127.0.0.1")]
)
def test_an_absent_client_is_told_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, module: str, address: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)

    async def play() -> None:
        async with access_to(address).outlet("cellwright", "site"):
            raise AssertionError

    with pytest.raises(UsageError, match=rf"cellwright\[{address.partition(':')[0]}\]"):
        asyncio.run(play())


LOGIN = {USERNAME: "oslo", PASSWORD: "open-sesame"}


def test_a_kafka_client_proves_who_it_is_by_file_or_environment(tmp_path: Path) -> None:
    path = tmp_path / "client.properties"
    path.write_text("! theirs\n\nsasl.mechanisms=SCRAM-SHA-256\nsasl.username = bergen\nsasl.password=a=b\n")
    access = access_to("kafka+tls://host", Proofs(credentials=path))
    assert isinstance(access, KafkaAccess)
    assert access.config() == {
        "bootstrap.servers": "host:9092",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-256",
        "sasl.username": "bergen",
        "sasl.password": "a=b",
    }
    assert "a=b" not in repr(access)
    theirs = access_to("kafka://host", Proofs(credentials=path, authority=path), **LOGIN)
    assert isinstance(theirs, KafkaAccess)
    assert theirs.uses_tls
    assert (theirs.config()["sasl.password"], theirs.config()["ssl.ca.location"]) == ("open-sesame", str(path))
    plain = access_to("kafka://host")
    assert isinstance(plain, KafkaAccess)
    assert plain.config() == {"bootstrap.servers": "host:9092", "security.protocol": "PLAINTEXT"}


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ("sasl.mechanism=PLAIN\nsasl.username=u\nsasl.password=open-sesame", "secret-in-the-clear"),
        ("sasl.username=u", "half-a-login"),
        ("security.protocol=SASL_SSL", "half-a-login"),
        ("sasl.mechanism=GSSAPI", "one of PLAIN, SCRAM-SHA-256"),
        ("ssl.ca.locatoin=x", "did you mean 'ssl.ca.location'"),
        ("# one\nsasl.jaas.config=open-sesame", "client.properties:2:1"),
        ("sasl.password", "NAME=VALUE"),
        ("open-sesame\nopen-sesame=x", "client.properties:2:1"),
        ("acks=0\nretries=0", "client.properties:2:1"),
    ],
)
def test_properties_that_cannot_be_are_told_without_their_values(tmp_path: Path, properties: str, said: str) -> None:
    path = tmp_path / "client.properties"
    path.write_text(properties)
    with pytest.raises(UsageError) as caught:
        access_to("kafka://192.0.2.1", Proofs(credentials=path))
    assert said in str(caught.value)
    assert "open-sesame" not in str(caught.value)


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
            access = access_to(f"tls://127.0.0.1:{port}", **{TOKEN: "open-sesame"})
            async with access.outlet("cellwright", "site"):
                raise AssertionError

    with pytest.raises(DeniedError, match="offers no TLS"):
        asyncio.run(play())
    said = b"".join(heard)
    assert b"CONNECT" in said
    assert b"open-sesame" not in said
    assert b"PUB" not in said
