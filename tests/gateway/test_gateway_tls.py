"""TLS on both sides: who is trusted, who is known by a certificate, and certificates that are renewed."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import socket
import ssl
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from gateway_kit import KEY, Bench, Scripted, bench, call, config, opener, remote, whole

from cellwright.errors import UsageError
from cellwright.estate.documents.tls import Tls
from cellwright.gateway.config import load_config
from cellwright.gateway.http.client import Pool, Times
from cellwright.gateway.http.deadlines import Deadlines
from cellwright.gateway.http.tls import backend_context
from cellwright.gateway.keys import hash_key
from cellwright.gateway.model import AccessKey
from cellwright.gateway.model_network import ServerTls
from cellwright.gateway.model_quota import Bound, Holder, Period, Quota, Unit
from cellwright.gateway.serve import running
from cellwright.gateway.upstream import NetworkError, UntrustedError
from cellwright.gateway.wire import Usage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cellwright.gateway.model import GatewayConfig
    from cellwright.gateway.server import Gateway

pytestmark = pytest.mark.integration
NOW = dt.datetime.now(dt.UTC)
QUESTION = b'{"model": "auto", "messages": [{"role": "user", "content": "one"}]}'
ASK = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%b\r\n" + QUESTION
ANONYMOUS = ASK % (len(QUESTION), b"")
KEYED = ASK % (len(QUESTION), f"Authorization: Bearer {KEY}\r\n".encode())


@dataclass
class Authority:
    """An authority that signs certificates into a folder."""

    folder: Path
    name: str

    def __post_init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])
        self.file = str(self.folder / f"{self.name}.pem")
        self._write(self.file, self._signed(self.subject, self.key.public_key(), authority=True))

    def sign(self, name: str, *, file: str = "") -> tuple[str, str]:
        """Return the files of a certificate for a name, and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate, secret = str(self.folder / f"{file or name}.crt"), str(self.folder / f"{file or name}.key")
        self._write(certificate, self._signed(subject, key.public_key(), name))
        no_password = serialization.NoEncryption()
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, no_password)
        (self.folder / f"{file or name}.key").write_bytes(private)
        return certificate, secret

    def _signed(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, dns: str = "", *, authority: bool = False
    ) -> x509.Certificate:
        built = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - dt.timedelta(days=1))
            .not_valid_after(NOW + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        if dns:
            built = built.add_extension(x509.SubjectAlternativeName([x509.DNSName(dns)]), critical=False)
        return built.sign(self.key, hashes.SHA256())

    @staticmethod
    def _write(path: str, certificate: x509.Certificate) -> None:
        with open(path, "wb") as file:  # noqa: PTH123 - a path of this test
            file.write(certificate.public_bytes(serialization.Encoding.PEM))


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "ours")


@pytest.fixture
def others(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "others")


def context(authority: Authority, shown: tuple[str, str] | None = None) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=authority.file)
    if shown is not None:
        made.load_cert_chain(*shown)
    return made


@contextlib.contextmanager
def served(folder: Path, setup: GatewayConfig) -> Iterator[tuple[Bench, tuple[str, int]]]:
    backend = Scripted((whole(usage=Usage(3, 2)),))
    with bench(folder, setup, opener(*[backend] * 5)) as gateway, running(gateway.app) as url:
        assert url.startswith("https://")
        yield gateway, ("127.0.0.1", int(url.rpartition(":")[2].removesuffix("/v1")))


def said(address: tuple[str, int], tls: ssl.SSLContext, raw: bytes) -> bytes:
    with (
        socket.create_connection(address, timeout=20) as plain,
        tls.wrap_socket(plain, server_hostname="gateway.example") as client,
    ):
        client.sendall(raw)
        return client.recv(65536)


def status(heard: bytes) -> int:
    return int(heard.split(b" ")[1])


def test_a_gateway_answers_over_tls_and_over_nothing_older_than_1_2(tmp_path: Path, ours: Authority) -> None:
    with served(tmp_path, config(tls=Tls(*ours.sign("gateway.example")))) as (_, address):
        assert status(said(address, context(ours), KEYED)) == 200
        assert status(said(address, context(ours), ANONYMOUS)) == 401
        old = context(ours)
        old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(ssl.SSLError):
            said(address, old, KEYED)
        with socket.create_connection(address, timeout=20) as plain:
            plain.sendall(KEYED)
            assert b"200" not in plain.recv(1024)


def test_a_client_is_known_by_its_certificate(tmp_path: Path, ours: Authority, others: Authority) -> None:
    keys = (
        AccessKey("noc", "operations", None, certificate="DNS:noc.example"),
        AccessKey("lab", "research", None, certificate="CN=lab.example"),
        AccessKey("tests", "operator", hash_key(KEY)),
    )
    tls = Tls(*ours.sign("gateway.example"), ours.file)
    with served(tmp_path, config(tls=tls, keys=keys)) as (gateway, address):
        for name in ("noc.example", "lab.example"):
            assert status(said(address, context(ours, ours.sign(name)), ANONYMOUS)) == 200
        stranger = context(ours, ours.sign("stranger.example"))
        assert status(said(address, stranger, ANONYMOUS)) == 401
        assert status(said(address, stranger, KEYED)) == 200
        for shown in (None, others.sign("noc.example", file="forged")):
            with contextlib.suppress(ssl.SSLError, ConnectionError):  # of TLS 1.3 only the first answer tells
                assert said(address, context(ours, shown), KEYED) == b""
        assert [row.tenant for row in gateway.meter.rows()] == ["operations", "research", "operator"]


def test_a_renewed_certificate_is_shown_and_no_connection_dropped(
    tmp_path: Path, ours: Authority, others: Authority
) -> None:
    files = Tls(*ours.sign("gateway.example"))
    setup = config(tls=files)
    with served(tmp_path, setup) as (gateway, address):
        with (
            socket.create_connection(address, timeout=20) as plain,
            context(ours).wrap_socket(plain, server_hostname="gateway.example") as before,
        ):
            before.sendall(KEYED)
            assert status(before.recv(65536)) == 200
            others.sign("gateway.example")  # into the same files
            gateway.app.change(setup)
            assert status(said(address, context(others), KEYED)) == 200
            before.sendall(KEYED)
            assert status(before.recv(65536)) == 200
        (tmp_path / "gateway.example.key").write_text("garbage")
        with pytest.raises(UsageError, match="tls-unusable"):
            gateway.app.change(setup)
        assert status(said(address, context(others), KEYED)) == 200


def test_a_certificate_that_does_not_do_leaves_the_old_policy_whole(tmp_path: Path, ours: Authority) -> None:
    files = Tls(*ours.sign("gateway.example"))
    quotas = [Quota(Holder.TENANT, None, (Bound(Unit.REQUESTS, Period.DAY, size),)) for size in (9, 1)]
    setup, tight = (config(tls=files, quotas=(quota,)) for quota in quotas)

    async def twice(app: Gateway) -> list[int]:
        return [(await call(app)).status for _ in range(2)]

    with bench(tmp_path, setup, opener(*[Scripted((whole(),))] * 2)) as gateway:
        (tmp_path / "gateway.example.key").write_text("garbage")
        with pytest.raises(UsageError, match="tls-unusable"):
            gateway.app.change(tight)
        assert gateway.run(twice) == [200, 200]


@pytest.mark.parametrize("broken", ["certificate", "key", "client_ca"])
def test_files_that_do_not_do_are_told_before_anything_starts(tmp_path: Path, ours: Authority, broken: str) -> None:
    tls = replace(Tls(*ours.sign("gateway.example")), **{broken: str(tmp_path / "none.pem")})
    with (
        pytest.raises(UsageError, match=r"tls-unusable.*none\.pem.*PEM"),
        bench(tmp_path, config(tls=tls), opener(Scripted(()))),
    ):
        pass


def asked(address: tuple[str, int], files: ServerTls | None, host: str = "localhost") -> int:
    async def main() -> int:
        deadlines = Deadlines([5])
        pool = Pool(Times(5, 5), deadlines)
        tls = backend_context(files) if files else None
        try:
            url = f"https://{host}:{address[1]}/healthz"
            with await pool.request("GET", url, headers={}, tls=tls) as response:
                await response.read(1000)
                return response.status
        finally:
            pool.close()
            deadlines.close()

    return asyncio.run(main())


def test_a_backend_is_verified_and_shown_what_was_configured(
    tmp_path: Path, ours: Authority, others: Authority
) -> None:
    tls = Tls(*ours.sign("localhost"), ours.file)
    shown = ours.sign("gateway.example")
    with served(tmp_path, config(tls=tls)) as (_, address):
        assert asked(address, ServerTls(ours.file, *shown)) == 200
        wrong = (None, ServerTls(others.file, *shown))
        for files, host in (
            (wrong[0], "localhost"),
            (wrong[1], "localhost"),
            (ServerTls(ours.file, *shown), "127.0.0.1"),
        ):
            with pytest.raises(UntrustedError):
                asked(address, files, host)
        with pytest.raises(NetworkError):  # of TLS 1.3 only the first answer tells
            asked(address, ServerTls(ours.file))


def test_a_backend_whose_certificate_does_not_verify_is_told_apart(tmp_path: Path, ours: Authority) -> None:
    with served(tmp_path, config(tls=Tls(*ours.sign("localhost")))) as (_, address):
        (tmp_path / "second").mkdir()
        backend = remote(type="openai", base_url=f"https://localhost:{address[1]}/v1", retries=0)
        with bench(tmp_path / "second", config(backend)) as gateway:
            response = gateway.ask()
    assert (response.status, response.error) == (502, "upstream_untrusted")


DOCUMENT = """apiVersion: cellwright.io/v1alpha1
kind: Gateway
metadata: {{name: x}}
spec:
  listen: {listen}
  keys: [{key}]
  dataClass: anonymised
  backends: [{{name: edge, type: reasoner, model: m, tier: onprem, boundary: premises, tls: {tls}}}]
"""
HASHED = "{name: a, tenant: b, sha256: '" + "0" * 64 + "'}"


def document(listen: str = "{}", key: str = HASHED, tls: str = "{}") -> str:
    return DOCUMENT.format(listen=listen, key=key, tls=tls)


@pytest.mark.parametrize("host", ["0.0.0.0", "'::'", "192.0.2.7", "gateway.example"])  # noqa: S104 - what is refused
def test_other_machines_are_served_over_tls_or_where_that_is_said(host: str) -> None:
    with pytest.raises(UsageError, match=r"g\.yaml:5.*not-private.*plain: true"):
        load_config(document(f"{{host: {host}}}"), "g.yaml")
    assert load_config(document(f"{{host: {host}, plain: true}}"), "g.yaml").tls is None
    secured = load_config(document(f"{{host: {host}, tls: {{certificate: a, key: b, clientCa: c}}}}"), "g.yaml")
    assert secured.tls == Tls("a", "b", "c")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (document(key="{name: a, tenant: b}"), "neither a sha256 nor a certificate"),
        (document(key=HASHED.replace("}", ", certificate: CN=x}")), "both a sha256 and a certificate"),
        (document(key="{name: a, tenant: b, certificate: CN=x}"), "clients are asked for none"),
        (document(tls="{key: a}"), "one of certificate and key"),
    ],
)
def test_contradictions_about_certificates_are_told_with_their_place(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=rf"g\.yaml:\d+.*{told}"):
        load_config(text, "g.yaml")
