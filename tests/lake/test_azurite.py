"""A lake in Azure's own emulator, where it is installed: the store's half of what puts writers in order."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from datetime import timedelta
from email.utils import formatdate
from typing import TYPE_CHECKING, Final

import pytest
from lake_rows import KEY, store

from cellwright.errors import StorageError
from cellwright.lake import remote_ledger
from cellwright.lake.address import Address
from cellwright.lake.bucket import Bucket, ExistsError
from cellwright.lake.folder import Lake
from cellwright.lake.record import TableRecord

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVER: Final = shutil.which("azurite-blob")
ACCOUNT: Final = "devstoreaccount1"
# The key that every Azurite has: learn.microsoft.com, "Use the Azurite emulator", well-known storage account.
SECRET: Final = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
URL: Final = "az://lake/prod"
PATIENCE_S: Final = 20

pytestmark = [
    pytest.mark.skipif(SERVER is None, reason="SKIPPED LOUDLY: there is no azurite-blob on PATH (npm install azurite)"),
]
pytest.importorskip("obstore", reason="SKIPPED LOUDLY: the extra `store` is not installed")


@pytest.fixture
def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    where = ("--location", str(tmp_path / "azurite"), "--blobHost", "127.0.0.1", "--blobPort", str(port))
    quiet = ("--silent", "--disableTelemetry", "--skipApiVersionCheck")
    with subprocess.Popen([str(SERVER), *where, *quiet], stdout=subprocess.DEVNULL) as server:
        try:
            wait_for(port)
            make_container(port)
            monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT)
            monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", SECRET)
            monkeypatch.setenv("AZURE_STORAGE_USE_EMULATOR", "true")
            monkeypatch.setenv("AZURITE_BLOB_STORAGE_URL", f"http://127.0.0.1:{port}")
            yield
        finally:
            server.terminate()


def wait_for(port: int) -> None:
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return


def make_container(port: int) -> None:
    """Make the container, which lakes never do (Shared Key: learn.microsoft.com, "Authorize with Shared Key")."""
    date, version, kind = formatdate(usegmt=True), "2021-08-06", "application/octet-stream"
    path = f"/{ACCOUNT}/lake"
    lines = ["PUT", *[""] * 4, kind, *[""] * 6, f"x-ms-date:{date}", f"x-ms-version:{version}"]
    signed = "\n".join([*lines, f"/{ACCOUNT}{path}", "restype:container"])
    key = hmac.new(base64.b64decode(SECRET), signed.encode(), hashlib.sha256).digest()
    headers = {"x-ms-date": date, "x-ms-version": version, "Content-Type": kind}
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(key).decode()}"
    url = f"http://127.0.0.1:{port}{path}?restype=container"
    with urllib.request.urlopen(urllib.request.Request(url, b"", headers, method="PUT")) as answer:
        assert answer.status == 201


def at(caches: Path) -> Address:
    address = Address.read(URL, caches)
    assert address
    return address


@pytest.mark.usefixtures("azure")
def test_a_name_that_is_taken_is_never_taken_again() -> None:
    bucket = Bucket(URL)
    bucket.create("log/1", b"first")
    with pytest.raises(ExistsError):
        bucket.create("log/1", b"second")
    assert bucket.get("log/1") == b"first"
    bucket.put("log/2", os.urandom(40 * 2**20))
    assert [(each.path, each.size) for each in bucket.list("log", after="log/1")] == [("log/2", 40 * 2**20)]
    with pytest.raises(FileNotFoundError):
        bucket.get("log/3")


@pytest.mark.usefixtures("azure")
def test_what_one_machine_writes_another_reads_and_no_two_write_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Lake.open(at(tmp_path / "one"), create=True) as one, one.writer(KEY) as writer:
        store(writer, "a", range(3), 4, quarantined=[3])
        with Lake.open(at(tmp_path / "two")) as two:
            with pytest.raises(StorageError, match="lake-locked"), two.writer(KEY):
                pass
            monkeypatch.setattr(remote_ledger, "PATIENCE", timedelta(0))
            with two.writer(KEY) as successor:
                store(successor, "b", range(2), 2)
                with pytest.raises(StorageError, match="lake-locked"):
                    store(writer, "late", range(5), 5)
            assert two.tables() == (TableRecord("logs", 2, 5),)
            assert all(balance.ok for balance in two.verify())
            assert two.compact() == (2, 1)
            assert two.query("SELECT count(*) AS n FROM logs").to_pylist() == [{"n": 5}]
