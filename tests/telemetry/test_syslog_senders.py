"""Syslog as programs send it: logger, openssl and rsyslog, by datagram, stream and TLS; absent ones are skipped."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import pytest
from format_kit import check_conservation

from cellwright.estate.documents.tls import Tls
from cellwright.telemetry.formats.syslog import Syslog
from cellwright.telemetry.listener import Gate, Intake, ListenerSpec
from cellwright.telemetry.listeners.datagrams import SyslogUdpListener
from cellwright.telemetry.listeners.syslog_stream import SyslogStreamListener
from cellwright.telemetry.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

LINE: Final = b"<13>1 2026-03-01T12:00:00Z h a - - - "
WAIT_S: Final = 30


def heard(
    folder: Path,
    kind: type[SyslogStreamListener | SyslogUdpListener],
    send: Callable[[str], Awaitable[None]],
    messages: int,
    tls: Tls | None = None,
) -> list[str]:
    """Return the bodies of what a listener received, once there are so many; `send` is told its port."""
    spool = Spool(folder / "spool", bytes(32))

    async def run() -> None:
        with ThreadPoolExecutor(1) as disk:
            intake = Intake(spool.feed("s"), Gate(0, 10**9), disk)
            listener = kind(ListenerSpec("s", "syslog", "127.0.0.1", 0, tls), intake)
            address = await listener.open()
            await send(address.rpartition(":")[2])
            async with asyncio.timeout(WAIT_S):
                while listener.counts()["received"] < messages:
                    await asyncio.to_thread(spool.size)  # gives way until all is on disk
            await listener.close()
            await intake.settled()

    asyncio.run(run())
    spool.close_segments()
    content = b"".join(b"".join(r + b"\n" for r in spool.read(segment).records) for segment in spool.ready())
    return [row["body"] for row in check_conservation(Syslog(), content).only("logs")]


async def said(program: str, *arguments: str, text: bytes = b"") -> None:
    """Run a program that ends by itself, or skip."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    await asyncio.to_thread(
        subprocess.run, [program, *arguments], input=text, check=True, capture_output=True, timeout=WAIT_S
    )


@pytest.mark.parametrize("framing", [["--rfc5424"], ["--rfc3164"], ["--octet-count", "--rfc5424"]])
def test_logger_is_heard_by_stream(tmp_path: Path, framing: list[str]) -> None:
    async def send(port: str) -> None:
        for body in ("one", "two <3> four"):
            await said("logger", "-n", "127.0.0.1", "-P", port, "-T", *framing, body)

    assert heard(tmp_path, SyslogStreamListener, send, 2) == ["one", "two <3> four"]


def test_logger_is_heard_by_datagram(tmp_path: Path) -> None:
    async def send(port: str) -> None:
        await said("logger", "-n", "127.0.0.1", "-P", port, "-d", "--rfc5424", "one")

    assert heard(tmp_path, SyslogUdpListener, send, 1) == ["one"]


def certificate(folder: Path) -> Tls:
    """A key and a certificate that is its own authority."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    key, chain = str(folder / "key.pem"), str(folder / "cert.pem")
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    named = ["-subj", "/CN=localhost", "-keyout", key, "-out", chain]
    subprocess.run([*made, *named], check=True, capture_output=True, timeout=WAIT_S)
    return Tls(chain, key, chain)


def test_openssl_is_heard_over_tls_counted_as_lines_and_without_an_end(tmp_path: Path) -> None:
    tls = certificate(tmp_path)
    known = ["-quiet", "-no_ign_eof", "-CAfile", tls.certificate, "-cert", tls.certificate, "-key", tls.key]

    async def send(port: str) -> None:
        for text in (b"%d %scounted" % (len(LINE) + 7, LINE), LINE + b"line\n", LINE + b"unended"):
            await said("openssl", "s_client", "-connect", f"127.0.0.1:{port}", *known, text=text)

    assert sorted(heard(tmp_path, SyslogStreamListener, send, 3, tls)) == ["counted", "line", "unended"]


RSYSLOG: Final = """
global(workDirectory="{folder}")
module(load="imfile")
input(type="imfile" file="{folder}/told" tag="t:")
action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" TCP_Framing="{framing}" template="{template}")
"""


@pytest.mark.parametrize("framing", ["traditional", "octet-counted"])
@pytest.mark.parametrize("template", ["RSYSLOG_SyslogProtocol23Format", "RSYSLOG_TraditionalForwardFormat"])
def test_rsyslog_is_heard_by_stream(tmp_path: Path, framing: str, template: str) -> None:
    (tmp_path / "told").write_bytes(b"one\ntwo\n")
    program = shutil.which("rsyslogd")
    if program is None:
        pytest.skip("rsyslogd is not installed")
    with contextlib.ExitStack() as running:

        def start(port: str) -> None:
            told = RSYSLOG.format(folder=tmp_path, port=port, framing=framing, template=template)
            (tmp_path / "rsyslog.conf").write_text(told)
            options = ["-n", "-f", str(tmp_path / "rsyslog.conf"), "-i", str(tmp_path / "pid")]
            process = running.enter_context(subprocess.Popen([program, *options], stderr=subprocess.DEVNULL))
            running.callback(process.kill)

        async def send(port: str) -> None:
            await asyncio.to_thread(start, port)

        bodies = heard(tmp_path, SyslogStreamListener, send, 2)
    assert [body.strip() for body in bodies] == ["one", "two"]


def test_what_is_being_written_when_the_port_closes_is_kept_once(tmp_path: Path) -> None:
    spool, may_write = Spool(tmp_path / "spool", bytes(32)), threading.Event()

    async def run() -> None:
        with ThreadPoolExecutor(1) as disk:
            disk.submit(may_write.wait)
            intake = Intake(spool.feed("s"), Gate(0, 10**9), disk)
            listener = SyslogStreamListener(ListenerSpec("s", "syslog", "127.0.0.1", 0), intake)
            _, writer = await asyncio.open_connection("127.0.0.1", int((await listener.open()).rpartition(":")[2]))
            writer.write(LINE + b"one\n" + LINE + b"the end of it")
            while intake._writer is None:
                await asyncio.to_thread(int)  # gives way
            closing = asyncio.create_task(listener.close())
            await asyncio.sleep(0)
            may_write.set()
            await closing
            writer.close()

    asyncio.run(run())
    spool.close_segments()
    (segment,) = spool.ready()
    assert spool.read(segment).records == (LINE + b"one", LINE + b"the end of it")
