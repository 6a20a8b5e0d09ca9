"""A store to keep lakes in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fake_s3 import FakeS3, fake_s3

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeS3]:
    pytest.importorskip("obstore", reason="the extra `store` is not installed")
    with fake_s3() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server
