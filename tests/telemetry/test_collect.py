"""Listeners and their collector over real sockets: what is acknowledged is in the spool, and then in the lake."""

from __future__ import annotations

import asyncio
import base64
import errno
import gzip
import io
import json
import socket
import ssl
import subprocess
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from capture_kit import flow_set, ipfix, template
from format_kit import read
from ves_kit import event_of, read_both_ways

from cellwright.errors import StorageError, UnavailableError, UsageError
from cellwright.estate.documents.tls import Tls
from cellwright.plugins import PluginSet
from cellwright.telemetry.collect import Collector, run_until
from cellwright.telemetry.drop_folder import DropFolder
from cellwright.telemetry.formats.netflow import NetFlow
from cellwright.telemetry.formats.pcap import packets
from cellwright.telemetry.formats.ves import Ves
from cellwright.telemetry.listener import ListenerSpec
from cellwright.telemetry.listeners.passwords import hashed
from cellwright.telemetry.listeners.sockets import unbound
from cellwright.telemetry.listeners.syslog_stream import split_messages
from cellwright.telemetry.outcome import MediationResult
from cellwright.telemetry.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from cellwright.telemetry.sources import RawFile

KEY = bytes(32)
LISTENERS: PluginSet[Any] = PluginSet("listeners")
HEADER = {
    "domain": "heartbeat",
    "eventId": "1",
    "eventName": "Heartbeat_gnb",
    "lastEpochMicrosec": 1772366400000000,
    "startEpochMicrosec": 1772366400000000,
    "priority": "Normal",
    "reportingEntityName": "gnb-1",
    "sequence": 0,
    "sourceName": "gnb-1",
    "version": "4.1",
    "vesEventListenerVersion": "7.2.1",
}
EVENT = {"event": {"commonEventHeader": HEADER}}


class Lake:
    """Takes files and remembers them; fails while it is told to."""

    def __init__(self) -> None:
        self.files: list[tuple[str, str, bytes, str]] = []
        self.fails = False

    def mediate(self, raw: RawFile, form: str) -> MediationResult:
        if self.fails:
            raise StorageError.of("lake-storage", "no room")
        self.files.append((raw.name, form, raw.stream.read(), raw.sha256))
        return MediationResult(())


def collected(
    folder: Path,
    specs: list[ListenerSpec],
    play: Callable[[Collector, dict[str, str], Lake], Awaitable[None]],
    limit: int = 10**9,
) -> tuple[Lake, Collector]:
    """Run a collector while `play` goes on, and close it."""
    lake = Lake()
    collector = Collector(Spool(folder / "spool", KEY), limit, lake.mediate)

    async def run() -> None:
        for spec in specs:
            collector.add(spec, LISTENERS.get(spec.protocol))
        addresses = dict(await collector.open())
        try:
            await play(collector, addresses, lake)
        finally:
            await collector.close()

    asyncio.run(run())
    return lake, collector


def spec(protocol: str, **more: Any) -> ListenerSpec:  # noqa: ANN401 - fields of a spec
    return ListenerSpec(**{"name": protocol, "protocol": protocol, "host": "127.0.0.1", "port": 0, **more})


async def post(url: str, body: bytes, **more: Any) -> tuple[int, Any, dict[str, str]]:  # noqa: ANN401 - of a request
    async with aiohttp.ClientSession() as session, session.post(url, data=body, **more) as answer:
        text = await answer.text()
        return answer.status, json.loads(text) if text else None, {k.lower(): v for k, v in answer.headers.items()}


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def test_a_ves_event_is_in_the_spool_before_it_is_accepted(tmp_path: Path) -> None:
    async def play(_: Collector, addresses: dict[str, str], lake: Lake) -> None:
        status, body, headers = await post(f"{addresses['ves']}/eventListener/v7", json.dumps(EVENT, indent=1).encode())
        assert (status, body, headers["x-latestversion"]) == (202, None, "7.2.1")
        kept = Spool(tmp_path / "spool", KEY)  # as the next process would find it
        (segment,) = kept.ready()
        assert len(kept.read(segment).records) == 1
        segment.path.rename(segment.path.with_suffix(".open"))
        assert lake.files == []

    lake, collector = collected(tmp_path, [spec("ves")], play)
    ((name, form, content, _),) = lake.files
    assert (name, form) == ("collect/ves/00000001", "ves")
    assert Ves().count_facts(io.BytesIO(content)) == 1
    assert Spool(tmp_path / "spool", KEY).ready() == []
    assert collector.counts()["ves"] == {"received": 1}


@pytest.mark.parametrize(("version", "said"), [("5", None), ("6", "6.0.0"), ("7", "7.2.1")])
def test_every_version_of_ves_is_answered_as_it_expects(tmp_path: Path, version: str, said: str | None) -> None:
    async def play(_: Collector, addresses: dict[str, str], __: Lake) -> None:
        url = f"{addresses['ves']}/eventListener/v{version}"
        event = event_of(version, "measurement")
        good = [("", {"event": event}), ("/eventBatch", {"eventList": [event, event_of(version, "fault")]})]
        for path, document in good:
            status, body, headers = await post(url + path, json.dumps(document).encode())
            assert (status, body, headers.get("x-latestversion")) == (202, None, said)
        status, body, headers = await post(
            url, json.dumps({"event": event_of(version, "fault", sequence="x")}).encode()
        )
        assert (status, headers.get("x-latestversion")) == (400, said)
        assert body["requestError"]["serviceException"]["text"] == (
            "wrong-type: $.event.commonEventHeader.sequence: expected int"
        )

    lake, _ = collected(tmp_path, [spec("ves")], play)
    whole = b"\n".join(content for _, _, content, _ in lake.files)
    assert len(whole.splitlines()) == 2
    assert not read_both_ways(whole).quarantined


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/eventListener/v7", b'{"event": 3}', 400, "SVC0002"),
        ("/eventListener/v5", b'{"event": 3}', 400, "SVC0002"),
        ("/eventListener/v7", b"{", 400, "SVC0002"),
        ("/eventListener/v7", b"", 400, "SVC0002"),
        ("/eventListener/v7", json.dumps({"eventList": [EVENT["event"], {}]}).encode(), 400, "SVC0002"),
        ("/eventListener/v9", b"{}", 404, "SVC0001"),
        ("/eventListener/v7", b" " * 2000, 413, "POL9003"),
    ],
)
def test_what_is_no_event_is_refused_as_the_specification_says(
    tmp_path: Path, path: str, body: bytes, status: int, code: str
) -> None:
    async def play(_: Collector, addresses: dict[str, str], __: Lake) -> None:
        answered, error, _headers = await post(addresses["ves"] + path, body)
        assert answered == status
        (fault,) = error["requestError"].values()
        assert fault["messageId"] == code

    lake, collector = collected(tmp_path, [spec("ves", most_bytes=1500)], play)
    assert lake.files == []
    assert collector.counts()["ves"] == {f"refused-{status}": 1}


def test_a_batch_goes_to_the_lake_as_one_and_a_get_is_not_allowed(tmp_path: Path) -> None:
    async def play(_: Collector, addresses: dict[str, str], __: Lake) -> None:
        batch = json.dumps({"eventList": [EVENT["event"]] * 3}).encode()
        assert (await post(f"{addresses['ves']}/eventListener/v7/eventBatch", batch))[0] == 202
        async with aiohttp.ClientSession() as session, session.get(f"{addresses['ves']}/eventListener/v7") as answer:
            assert (answer.status, answer.headers["allow"]) == (405, "POST")

    lake, _ = collected(tmp_path, [spec("ves")], play)
    assert Ves().count_facts(io.BytesIO(lake.files[0][2])) == 3


def test_only_who_knows_the_password_may_send(tmp_path: Path) -> None:
    users = (("gnb", hashed("open sesame")),)

    async def play(_: Collector, addresses: dict[str, str], __: Lake) -> None:
        url, body = f"{addresses['ves']}/eventListener/v7", json.dumps(EVENT).encode()
        right = "Basic " + base64.b64encode(b"gnb:open sesame").decode()
        wrong = ["", "Basic !", "Bearer x", "Basic " + base64.b64encode(b"gnb:x").decode(), right[:-2]]
        wrong.append("Basic " + base64.b64encode(b"nobody:open sesame").decode())
        for header in wrong:
            status, error, headers = await post(url, body, headers={"Authorization": header})
            assert (status, headers["www-authenticate"]) == (401, 'Basic realm="ves"')
            assert error["requestError"]["policyException"]["messageId"] == "POL2000"
        for _ in range(2):
            assert (await post(url, body, headers={"Authorization": right}))[0] == 202

    lake, _ = collected(tmp_path, [spec("ves", users=users)], play)
    assert len(lake.files) == 1


def test_senders_are_told_to_come_again_while_the_spool_is_full_and_then_let_in(tmp_path: Path) -> None:
    async def play(collector: Collector, addresses: dict[str, str], lake: Lake) -> None:
        url, body = f"{addresses['ves']}/eventListener/v7", json.dumps(EVENT).encode()
        lake.fails = True
        assert (await post(url, body))[0] == 202
        status, error, headers = await post(url, body)
        assert (status, headers["retry-after"]) == (429, "5")
        assert error["requestError"]["serviceException"]["messageId"] == "SVC1000"
        with pytest.raises(StorageError):
            await collector.flush()
        assert (await post(url, body))[0] == 429
        lake.fails = False
        await collector.flush()
        assert (await post(url, body))[0] == 202

    lake, collector = collected(tmp_path, [spec("ves")], play, limit=100)
    assert len(lake.files) == 2
    assert collector.counts()["ves"] == {"received": 2, "turned-away": 2}


def test_a_segment_that_was_stored_but_not_released_is_the_same_file_again(tmp_path: Path) -> None:
    async def play(collector: Collector, addresses: dict[str, str], _: Lake) -> None:
        await post(f"{addresses['ves']}/eventListener/v7", json.dumps(EVENT).encode())
        release = collector._spool.release
        collector._spool.release = _interrupted  # type: ignore[method-assign]
        with pytest.raises(RuntimeError):
            await collector.flush()
        collector._spool.release = release  # type: ignore[method-assign]

    lake, _ = collected(tmp_path, [spec("ves")], play)
    one, two = lake.files
    assert one == two  # the lake knows it by its digest and does not store it twice


def test_syslog_comes_by_datagram_and_by_stream_counted_or_as_lines(tmp_path: Path) -> None:
    async def play(collector: Collector, addresses: dict[str, str], _: Lake) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for number in range(100):
                sender.sendto(
                    b"<13>1 - h a - - - datagram %d" % number, ("127.0.0.1", port_of(addresses["syslog-udp"]))
                )
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(addresses["syslog-tcp"]))
        writer.write(b"<13>1 - h a - - - a line\n27 <13>1 - h a - - - counted\n1\n<13>1 - h a - - - a last")
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        await collector.flush()

    lake, collector = collected(tmp_path, [spec("syslog-udp"), spec("syslog-tcp")], play)
    found = {name.split("/")[1]: content for name, _, content, _ in lake.files}
    assert found["syslog-udp"].count(b"\n") == 100
    assert found["syslog-tcp"].decode().splitlines() == [
        "<13>1 - h a - - - a line",
        "<13>1 - h a - - - counted#0121",
        "<13>1 - h a - - - a last",
    ]
    assert collector.counts()["syslog-udp"]["received"] == 100


@pytest.mark.parametrize(
    ("stream", "messages", "left"),
    [
        (b"one\ntwo\n", [b"one", b"two"], b""),
        (b"one\ntw", [b"one"], b"tw"),
        (b"3 one5 t\nwo3", [b"one", b"t\nwo3"], b""),
        (b"3 one9 tw", [b"one"], b"9 tw"),
        (b"3 one\n\n3 two", [b"one", b"two"], b""),
        (b"12345678901 x\n", [b"12345678901 x"], b""),
        (b"<1>x\n2", [b"<1>x"], b"2"),
        (b"", [], b""),
    ],
)
def test_a_stream_is_cut_into_messages(stream: bytes, messages: list[bytes], left: bytes) -> None:
    assert split_messages(stream) == (messages, left)


def test_datagrams_are_kept_with_time_and_sender_as_a_capture(tmp_path: Path) -> None:
    async def play(_: Collector, addresses: dict[str, str], __: Lake) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for payload in (b"\0\5one", b"\0\5three"):
                sender.sendto(payload, ("127.0.0.1", port_of(addresses["netflow"])))

    lake, _ = collected(tmp_path, [spec("netflow")], play)
    ((_, form, content, _),) = lake.files
    assert form == NetFlow.name
    assert [datagram.payload for datagram in packets(io.BytesIO(content))] == [b"\0\5one", b"\0\5three"]  # type: ignore[union-attr]


def test_flows_are_read_by_templates_that_came_with_an_earlier_segment(tmp_path: Path) -> None:
    described = ipfix(flow_set(2, template(300, (1, 4), (2, 4))))
    flows = ipfix(flow_set(300, bytes([0, 0, 0, 40, 0, 0, 0, 2])), sequence=0)

    async def play(collector: Collector, addresses: dict[str, str], _: Lake) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for payload in (described, flows):
                sender.sendto(payload, ("127.0.0.1", port_of(addresses["netflow"])))
                collector._listeners["netflow"]._receive()
                await collector.flush()

    lake, _ = collected(tmp_path, [spec("netflow")], play)
    rows = [row for _, _, content, _ in lake.files for row in read(NetFlow(), content).rows.get("flows", [])]
    assert [(row["octetDeltaCount"], row["packetDeltaCount"]) for row in rows] == [(40, 2)]


def test_what_the_kernel_dropped_is_counted(tmp_path: Path) -> None:
    async def play(collector: Collector, addresses: dict[str, str], _: Lake) -> None:
        listener = collector._listeners["syslog-udp"]
        asyncio.get_running_loop().remove_reader(listener._socket)  # nobody reads meanwhile
        listener._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(50):
                sender.sendto(b"x" * 1000, ("127.0.0.1", port_of(addresses["syslog-udp"])))
            while listener._receive():
                pass
            sender.sendto(b"last", ("127.0.0.1", port_of(addresses["syslog-udp"])))
        while listener._receive():
            pass
        await collector.flush()

    _, collector = collected(tmp_path, [spec("syslog-udp")], play)
    counts = collector.counts()["syslog-udp"]
    if not counts["lost-in-kernel"]:
        pytest.skip("this kernel does not count what a socket's queue had no room for")
    assert counts["received"] + counts["lost-in-kernel"] == 51


def test_otlp_is_kept_as_json_whatever_its_encoding(tmp_path: Path) -> None:
    request = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": "hi"}}]}]}]}
    as_json = {"content-type": "application/json; charset=utf-8"}

    async def play(_: Collector, addresses: dict[str, str], __: Lake) -> None:
        url = f"{addresses['otlp']}/v1/logs"
        assert (await post(url, json.dumps(request, indent=1).encode(), headers=as_json))[:2] == (200, {})
        assert (await post(url, b"{}", headers=as_json))[:2] == (200, {})
        assert (await post(url, b"[]", headers=as_json))[0] == 400
        assert (await post(url, b"{", headers=as_json))[0] == 400
        protobuf = {"content-type": "application/x-protobuf"}
        message = bytes.fromhex("0a0c 120a 1208 2a06 0a04 68656c6f".replace(" ", ""))
        assert (await post(url, message, headers=protobuf))[:2] == (200, {})
        assert (await post(url, gzip.compress(message), headers=protobuf | {"content-encoding": "gzip"}))[0] == 200
        assert (await post(url, gzip.compress(message)[:-9], headers=protobuf | {"content-encoding": "gzip"}))[0] == 400
        assert (await post(url, gzip.compress(bytes(10**6)), headers=as_json | {"content-encoding": "gzip"}))[0] == 413
        assert (await post(url, message[:-1], headers=protobuf))[0] == 400
        status, error, _headers = await post(url, b"x", headers={"content-type": "text/plain"})
        assert status == 415
        assert "application/x-protobuf" in error["message"]

    lake, _ = collected(tmp_path, [spec("otlp", most_bytes=10**5)], play)
    other = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": "helo"}}]}]}]}
    assert [json.loads(line) for line in lake.files[0][2].splitlines()] == [request, other, other]


def test_tls_is_served_and_a_client_without_certificate_is_turned_away(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    try:
        subprocess.run([*made, *subject, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    trusting = ssl.create_default_context(cafile=str(certificate))
    known = ssl.create_default_context(cafile=str(certificate))
    known.load_cert_chain(certificate, key)
    files = Tls(str(certificate), str(key))

    async def play(_: Collector, addresses: dict[str, str], __: Lake) -> None:
        body = json.dumps(EVENT).encode()
        assert addresses["open"].startswith("https://")
        assert (await post(f"{addresses['open']}/eventListener/v7", body, ssl=trusting))[0] == 202
        with pytest.raises(aiohttp.ClientError):
            await post(f"{addresses['closed']}/eventListener/v7", body, ssl=trusting)
        assert (await post(f"{addresses['closed']}/eventListener/v7", body, ssl=known))[0] == 202

    closed = Tls(str(certificate), str(key), str(certificate))
    specs = [spec("ves", name="open", tls=files), spec("ves", name="closed", tls=closed)]
    lake, _ = collected(tmp_path, specs, play)
    assert len(lake.files) == 2


def test_a_taken_port_closes_the_doors_that_were_open_already(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UnavailableError, match=r"listener syslog-tcp cannot listen on 127\.0\.0\.1 port"):
            collected(tmp_path, [spec("ves"), spec("syslog-tcp", port=taken.getsockname()[1])], _nothing)


@pytest.mark.parametrize(
    ("failure", "code", "hint"),
    [
        (OSError(errno.EACCES, "Permission denied"), "port-unavailable", "a port from 1024 up"),
        (OSError(errno.EADDRINUSE, "Address already in use"), "port-taken", "stop the program that uses the port"),
        (OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address"), "port-unavailable", "of this machine"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "port-unavailable", "of this machine"),
    ],
)
def test_an_address_that_cannot_be_had_is_told_with_what_to_do(failure: OSError, code: str, hint: str) -> None:
    told = unbound(failure, "listener ves", "192.0.2.1", 80).diagnostics[0]
    assert (told.code, told.cause) == (code, failure.strerror)
    assert hint in str(told.hint)


@pytest.mark.parametrize("protocol", ["netflow", "snmp", "syslog-udp"])
def test_a_datagram_listener_refuses_what_it_cannot_ask_for(tmp_path: Path, protocol: str) -> None:
    with pytest.raises(UsageError, match="UDP cannot ask"):
        collected(tmp_path, [spec(protocol, users=(("a", hashed("b")),))], _nothing)


def test_a_failure_while_it_runs_is_told_and_tried_again(tmp_path: Path) -> None:
    lake, told = Lake(), list[Exception]()
    collector = Collector(Spool(tmp_path / "spool", KEY), 10**9, lake.mediate)
    lake.fails = True

    async def run() -> None:
        collector.add(spec("ves"), LISTENERS.get("ves"))
        addresses = await collector.open()
        await post(f"{addresses['ves']}/eventListener/v7", json.dumps(EVENT).encode())
        stop = asyncio.Event()

        def tell(error: Exception) -> None:
            told.append(error)
            lake.fails = False
            stop.set()

        await run_until(stop, collector, 0.001, tell)

    asyncio.run(run())
    assert [type(error) for error in told] == [StorageError]
    assert len(lake.files) == 1


def test_a_dropped_file_is_taken_once_when_it_no_longer_changes(tmp_path: Path) -> None:
    folder = DropFolder(tmp_path, deletes=False)
    (tmp_path / "a.xml").write_text("half", encoding="utf-8")
    (tmp_path / "b.xml.part").write_text("x", encoding="utf-8")
    (tmp_path / ".hidden").write_text("x", encoding="utf-8")
    assert folder.settled() == ()
    (tmp_path / "a.xml").write_text("whole file", encoding="utf-8")
    assert folder.settled() == ()
    entries = folder.settled()
    assert [entry.path.name for entry in entries] == ["a.xml"]
    folder.done(entries, MediationResult(()))
    assert folder.settled() == ()
    (tmp_path / "a.xml").write_text("another file", encoding="utf-8")
    assert folder.settled() == ()
    assert len(folder.settled()) == 1


def test_a_file_is_deleted_only_as_it_was_mediated(tmp_path: Path) -> None:
    folder = DropFolder(tmp_path, deletes=True)
    for name in ("kept.xml", "gone.xml"):
        (tmp_path / name).write_text("whole", encoding="utf-8")
    folder.settled()
    entries = folder.settled()
    (tmp_path / "kept.xml").write_text("changed meanwhile", encoding="utf-8")
    folder.done(entries, MediationResult(()))
    assert [path.name for path in tmp_path.iterdir()] == ["kept.xml"]


async def _nothing(_: Collector, __: dict[str, str], ___: Lake) -> None:
    pass


def _interrupted(_: object) -> None:
    raise RuntimeError
