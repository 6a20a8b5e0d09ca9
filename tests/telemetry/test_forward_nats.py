"""A site and a centre with a real NATS server between them, which is killed, refuses, and asks who they are."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest
from forward_ends import PROBES, access_to, cellwright, made_certificate, told_by_forwarding
from test_forward import FILES, KEY, lines, mediated, same

from cellwright.errors import CellwrightError, DeniedError, ExitCode, UnavailableError
from cellwright.lake.folder import Lake
from cellwright.telemetry.forward import Forwarder
from cellwright.telemetry.forward_centre import Receiver
from cellwright.telemetry.forward_inbox import Inbox
from cellwright.telemetry.forward_nats import TOKEN
from cellwright.telemetry.forward_outbox import Outbox
from cellwright.telemetry.forward_session import Patience, forward_while, receive_while
from cellwright.telemetry.forward_source import SiteLake

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence
    from pathlib import Path

    from cellwright.telemetry.forward_centre import Parcel
    from cellwright.telemetry.forward_message import Message
    from cellwright.telemetry.forward_nats import NatsInlet, NatsOutlet

SERVER = shutil.which("nats-server", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(SERVER is None, reason="SKIPPED LOUDLY: there is no nats-server on PATH"),
]
pytest.importorskip("nats", reason="SKIPPED LOUDLY: nats-py, the extra `nats`, is not installed")


class Server:
    """A NATS server on a port and folder of its own."""

    def __init__(self, folder: Path, *options: str, jetstream: bool = True) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        keeps = ["-js", "-sd", str(folder / "nats")] if jetstream else []
        self._command = [SERVER or "", "-a", "127.0.0.1", "-p", str(self.port), *keeps, *options]
        self._process: subprocess.Popen[str] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Return when the server takes connections."""
        self._process = subprocess.Popen(self._command, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr
        said = list[str]()
        while "Server is ready" not in (line := self._process.stderr.readline()):
            said.append(line)
            assert line, said

    def kill(self) -> None:
        """End the server as a power cut does."""
        if self._process is not None:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait()
            if self._process.stderr:
                self._process.stderr.close()
            self._process = None


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    started = list[Server]()

    def start(*options: str, jetstream: bool = True) -> Server:
        started.append(Server(tmp_path, *options, jetstream=jetstream))
        return started[-1]

    yield start
    for server in started:
        server.kill()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    mediated(tmp_path, FILES | {f"{i}.txt": lines(f"file {i}", "? bad") for i in range(20)})
    return tmp_path / "lake"


def test_the_two_commands_bring_a_lake_to_the_centre_once(
    site: Path, tmp_path: Path, servers: Callable[..., Server]
) -> None:
    server, centre = servers(), tmp_path / "centre"
    for files in (len(FILES) + 20, 0):
        sent = cellwright("forward", site, "--to", server.url, "--once", "-o", "json", folder=tmp_path)
        assert (sent.returncode, sent.stderr) == (0, "")
        assert json.loads(sent.stdout)["files"] == files
        took = cellwright("receive", "--from", server.url, "--lake", centre, "--once", "-o", "json", folder=tmp_path)
        assert (took.returncode, took.stderr) == (0, "")
        assert json.loads(took.stdout) == {
            "files": files,
            "rows": json.loads(sent.stdout)["rows"],
            "duplicates": 0,
            "foreign": 0,
            "missed": 0,
            "unfinished": 0,
        }
    same(site, centre)
    again = cellwright("forward", site, "--to", server.url, "--once", "--again", folder=tmp_path)
    assert again.stdout.startswith(f"{len(FILES) + 20} files")
    took = cellwright("receive", "--from", server.url, "--lake", centre, "--once", "-o", "json", folder=tmp_path)
    assert json.loads(took.stdout)["files"] == 0
    same(site, centre)


class Cutting:
    """Kills the server at some of the moments at which something is asked of it; it starts again when told of it."""

    def __init__(self, server: Server, every: int, most: int) -> None:
        self.server, self.every, self.left, self.calls = server, every, most, 0

    def moment(self) -> None:
        self.calls += 1
        if self.calls % self.every == 0 and self.left:
            self.left -= 1
            self.server.kill()

    def tell(self, error: CellwrightError) -> None:
        assert isinstance(error, UnavailableError)
        if self.server._process is None:
            self.server.start()


class CutOutlet:
    def __init__(self, end: NatsOutlet, cutting: Cutting) -> None:
        self.stream, self.limit, self._end, self._cutting = end.stream, 1500, end, cutting

    async def publish(self, message: Message) -> None:
        self._cutting.moment()
        await self._end.publish(message)


class CutInlet:
    def __init__(self, end: NatsInlet, cutting: Cutting) -> None:
        self.hold_s, self.missed, self._end, self._cutting = end.hold_s, end.missed, end, cutting

    async def fetch(self, wait_s: float) -> Sequence[Parcel]:
        parcels = await self._end.fetch(wait_s)
        self._cutting.moment()
        return parcels

    async def settle(self) -> None:
        await self._end.settle()

    async def backlog(self) -> int:
        return await self._end.backlog()


def test_a_server_killed_and_started_again_in_the_middle_loses_and_doubles_nothing(
    site: Path, tmp_path: Path, servers: Callable[..., Server]
) -> None:
    server, centre = servers(), tmp_path / "centre"
    sending, taking = Cutting(server, 90, 2), Cutting(server, 3, 2)

    @contextlib.asynccontextmanager
    async def outlet() -> AsyncIterator[CutOutlet]:
        async with access_to(server.url).outlet("cellwright", "site") as end:
            yield CutOutlet(end, sending)

    @contextlib.asynccontextmanager
    async def inlet() -> AsyncIterator[CutInlet]:
        async with access_to(server.url).inlet("cellwright", 2.0) as end:
            yield CutInlet(end, taking)

    async def play() -> None:
        with SiteLake(site) as opened, contextlib.closing(Outbox(site, "x")) as outbox:
            forwarder = Forwarder(opened, outbox, sending.tell)
            await forward_while(forwarder, outlet, Patience(asyncio.Event(), sending.tell, attempts=4), None)
        Lake.open(centre, create=True).close()
        with Inbox(centre) as inbox:
            receiver = Receiver(centre, KEY, inbox, taking.tell)
            await receive_while(receiver, inlet, Patience(asyncio.Event(), taking.tell, attempts=4), once=True)
            assert receiver.unfinished == 0

    asyncio.run(play())
    assert (sending.left, taking.left) == (0, 0)
    same(site, centre)


KILLING = (
    PROBES
    + """
from cellwright.telemetry import forward_nats

around(forward_nats.NatsOutlet, "publish")
around(forward_nats.NatsReceipt, "accept")
inlet = forward_nats.NatsAccess.inlet
forward_nats.NatsAccess.inlet = lambda access, prefix: inlet(access, prefix, ack_wait_s=2.0)
main()
"""
)


def test_processes_killed_in_the_middle_lose_and_double_nothing(
    site: Path, tmp_path: Path, servers: Callable[..., Server]
) -> None:
    server, centre = servers(), tmp_path / "centre"
    ends = ["forward", site, "--to", server.url], ["receive", "--from", server.url, "--lake", centre]
    ended = [
        cellwright(step, *arguments, "--once", folder=tmp_path, script=KILLING).returncode
        for step in (14, 5, 33, 10**6)
        for arguments in ends
    ]
    assert ended.count(-signal.SIGKILL) >= 4
    assert ended[-2:] == [0, 0]
    same(site, centre)


def test_only_who_has_the_token_is_let_in_and_no_message_shows_it(
    site: Path, tmp_path: Path, servers: Callable[..., Server]
) -> None:
    server = servers("--auth", "open-sesame")
    for token in (None, "open-wrong"):
        error = told_by_forwarding(access_to(server.url, **({TOKEN: token} if token else {})), site)
        assert isinstance(error, DeniedError)
        assert "open-" not in str(error)
    sent = cellwright("forward", site, "--to", server.url, "--once", folder=tmp_path, **{TOKEN: "open-sesame"})
    assert (sent.returncode, sent.stderr) == (0, "")
    wrong = cellwright("forward", site, "--to", server.url, "--once", folder=tmp_path, **{TOKEN: "open-wrong"})
    assert (wrong.returncode, wrong.stdout) == (ExitCode.DENIED, "")
    assert wrong.stderr.startswith("error[link-denied]")
    assert "open-" not in wrong.stderr


def test_a_server_without_jetstream_is_told(site: Path, servers: Callable[..., Server]) -> None:
    error = told_by_forwarding(access_to(servers(jetstream=False).url), site)
    assert error.diagnostics[0].code == "no-jetstream"


def test_a_server_that_is_not_there_is_told(site: Path, servers: Callable[..., Server]) -> None:
    server = servers()
    server.kill()
    error = told_by_forwarding(access_to(server.url), site)
    assert isinstance(error, UnavailableError)
    assert error.diagnostics[0].code == "link-unavailable"


def test_a_full_stream_is_told_and_what_did_not_fit_is_sent_when_there_is_room(
    site: Path, tmp_path: Path, servers: Callable[..., Server]
) -> None:
    server = servers()

    async def make_small(size: int) -> None:
        import nats  # noqa: PLC0415 - the extra that this file is skipped without

        client = await nats.connect(server.url)
        js = client.jetstream()
        config = {"retention": "workqueue", "discard": "new", "max_bytes": size}
        call = js.update_stream if size > 10**5 else js.add_stream
        await call(name="SMALL", subjects=["cellwright.>"], **config)
        await client.close()

    asyncio.run(make_small(20_000))
    error = told_by_forwarding(access_to(server.url), site)
    assert error.diagnostics[0].code == "stream-refused"
    asyncio.run(make_small(10**7))
    assert cellwright("forward", site, "--to", server.url, "--once", folder=tmp_path).returncode == 0
    centre = tmp_path / "centre"
    cellwright("receive", "--from", server.url, "--lake", centre, "--once", folder=tmp_path)
    same(site, centre)


def test_tls_is_used_and_an_unknown_authority_is_refused(
    site: Path, tmp_path: Path, servers: Callable[..., Server]
) -> None:
    certificate, key = made_certificate(tmp_path)
    server = servers("--tls", "--tlscert", str(certificate), "--tlskey", str(key))
    url = server.url.replace("nats://", "tls://")
    error = told_by_forwarding(access_to(url), site)
    assert error.diagnostics[0].code == "link-tls"
    sent = cellwright("forward", site, "--to", url, "--tls-ca", certificate, "--once", folder=tmp_path)
    assert (sent.returncode, sent.stderr) == (0, "")
