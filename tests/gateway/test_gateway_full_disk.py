"""A small disk that fills up: what is there stays, the log says what to do, and all goes on when there is room."""

from __future__ import annotations

import asyncio
import subprocess
from typing import TYPE_CHECKING

import pytest
from test_gateway_batches import uploaded
from test_gateway_knowledge import STORES, Talk, opened, setup

from cellwright.gateway.model import BatchSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gateway_kit import Response

    from cellwright.gateway.server import Gateway

pytestmark = pytest.mark.integration
TEXT = " ".join(f"word{number}" for number in range(9_000))


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("SKIPPED LOUDLY: a small file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


async def grow(small: Path) -> None:
    await asyncio.to_thread(subprocess.run, ["mount", "-o", "remount,size=40m", str(small)], check=True)


def test_collections_outlive_a_full_disk(small: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def talk(app: Gateway) -> list[Response]:
        ask = Talk(app)
        path = f"{STORES}/{await ask.make()}/documents"
        given = [await ask("POST", path, {"name": f"d{number}", "text": TEXT}) for number in range(20)]
        listed = await ask("GET", path.removesuffix("/documents"))
        await grow(small)
        return [*given, listed, await ask("POST", path, {"name": "after", "text": TEXT})]

    with opened(tmp_path, setup(small)) as gateway:
        *given, listed, after = gateway.run(talk)
    kept = sum(each.status == 200 for each in given)
    assert 0 < kept < len(given)
    assert {each.error for each in given if each.status != 200} == {"knowledge_unavailable"}
    assert "free some space" in caplog.text
    assert "word1" not in caplog.text
    assert (listed.json["file_counts"]["completed"], after.status) == (kept, 200)


def test_uploads_outlive_a_full_disk(small: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def talk(app: Gateway) -> list[Response]:
        given = [await uploaded(app, 3 * TEXT.encode()) for _ in range(20)]
        listed = await Talk(app)("GET", "/v1/files")
        await grow(small)
        return [*given, listed, await uploaded(app, TEXT.encode())]

    with opened(tmp_path, setup(tmp_path, batches=BatchSettings(str(small / "batches.db")))) as gateway:
        *given, listed, after = gateway.run(talk)
    kept = sum(each.status == 200 for each in given)
    assert 0 < kept < len(given)
    assert {each.error for each in given if each.status != 200} == {"storage_unavailable"}
    assert "free some space" in caplog.text
    assert "word1" not in caplog.text
    assert (len(listed.json["data"]), after.status) == (kept, 200)
