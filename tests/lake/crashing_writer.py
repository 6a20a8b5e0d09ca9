"""Kills a writer at every request that changes something in a store, starts another, and prints what that one finds.

For each request a process is forked: it stores, replaces and merges files at an address, and is killed (SIGKILL) just
before or just after the store did what it asked. Then another process, with the copy of the ledger that is left or with
none, does all of it again. One line of JSON a request; the last process is not killed.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import traceback
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb  # noqa: F401 - here, or every forked process would load it anew
import obstore  # noqa: F401 - the same
import sqlalchemy.dialects.sqlite  # noqa: F401 - the same
from fake_s3 import BUCKET, FakeS3, fake_s3
from lake_rows import KEY, LATER, store

from cellwright.lake import remote_ledger
from cellwright.lake.address import Address
from cellwright.lake.folder import Lake

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_REQUESTS = 200
URL = f"s3://{BUCKET}/lake"
FILES = {"a": 3, "b": 2, "c": 1}


def place(folder: Path) -> Address:
    """Return where the lake is, with the copy of its ledger in a folder."""
    address = Address.read(URL, folder)
    assert address
    return address


def live(folder: Path) -> None:
    """Store all files, say which are stored, and rewrite parts in between."""
    told = os.open(folder / "told", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with Lake.open(place(folder), create=True) as lake:
        with lake.writer(KEY) as writer:
            for name, count in FILES.items():
                store(writer, name, range(count), count + 1, quarantined=[count])
                os.write(told, name.encode())
            store(writer, "a", range(FILES["a"]), FILES["a"] + 1, quarantined=[FILES["a"]])  # in place of the first
        lake.compact()
        lake.forget_payloads(LATER)


def look(folder: Path) -> None:
    """Do what was not done and print what there is."""
    with Lake.open(place(folder), create=True) as lake:
        seen = sorted(file.source for file in lake.files())
        whole = all(balance.ok for balance in lake.verify() if balance.file_id)
    live(folder)
    with Lake.open(place(folder)) as lake:
        told = (folder / "told").read_text(encoding="ascii") if (folder / "told").exists() else ""
        rows = lake.query("SELECT source, count(*) AS n FROM logs GROUP BY source").to_pylist()
        found = {
            "told": sorted(set(told[: -len(FILES)])),
            "seen": seen,
            "whole": whole,
            "rows": sum(row["n"] for row in rows),
            "files": len(lake.files()),
            "balanced": all(balance.ok for balance in lake.verify()),
            "kept": sum(each.kept for each in lake.quarantine()),
        }
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


def lived(s3: FakeS3, life: Callable[[Path], None], folder: Path, request: int) -> bool:
    """Run a life in a process that is killed around its n-th request; return whether it came to its end."""
    left, child = [request], 0

    def passed(_: str) -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(child, signal.SIGKILL)
            raise ConnectionAbortedError

    s3.before = s3.after = passed
    child = os.fork()
    if not child:
        try:
            life(folder)
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            os._exit(int(sys.exc_info()[0] is not None))
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        sys.exit(f"a life ended with {os.WEXITSTATUS(status)}")
    return os.WIFEXITED(status)


def main() -> None:
    """Go through all requests."""
    base = Path(sys.argv[1])
    remote_ledger.PATIENCE = timedelta(0)  # type: ignore[misc] # a copy that is lost makes another writer of a machine
    for request in range(1, MOST_REQUESTS):
        with fake_s3() as s3:
            os.environ.update(s3.environment)
            folder = base / str(request)
            folder.mkdir()
            ended = lived(s3, live, folder, request)
            if request // 2 % 2:  # before and after a request follow each other
                shutil.rmtree(place(folder).cache, ignore_errors=True)
            lived(s3, look, folder, 0)
            if ended:
                return


if __name__ == "__main__":
    main()
