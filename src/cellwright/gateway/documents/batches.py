"""What a user writes to let requests wait in a queue."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from cellwright.estate.documents.parts import Part, PositiveCount, Text
from cellwright.gateway.documents.parts import Variable, Wait
from cellwright.gateway.model import BatchSettings

_OF: Final = BatchSettings()


class BatchesPart(Part):
    """The queue of requests that may wait: a file (gateway-batches.db where nothing is said), or a database by URL."""

    file: Text | None = Field(default=None, min_length=1, description="an SQLite file")
    url_env: Variable | None = Field(default=None, description="the environment variable that holds a database's URL")
    concurrency: PositiveCount = Field(default=_OF.concurrency, description="requests of all batches at the same time")
    rest: Wait = Field(default=_OF.rest_ms, description="how long to wait where no backend was reached; doubled")
    pending: PositiveCount = Field(default=_OF.pending, description="requests of one tenant that may wait")
    file_bytes: PositiveCount = Field(default=_OF.file_bytes, description="bytes that the files of one tenant may hold")
    keep: Wait = Field(default=_OF.keep_ms, description="how long files and ended batches are kept")

    def build(self) -> BatchSettings:
        """Return the frozen settings."""
        return BatchSettings(
            file=self.file or (None if self.url_env else _OF.file),
            url_env=self.url_env,
            concurrency=self.concurrency,
            rest_ms=self.rest,
            pending=self.pending,
            file_bytes=self.file_bytes,
            keep_ms=self.keep,
        )
