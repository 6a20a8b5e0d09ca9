"""Where a lake lies in an object store; credentials are never part of it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit

from cellwright.errors import UsageError, nearest

if TYPE_CHECKING:
    from pathlib import Path

_EXAMPLES: Final = "s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PREFIX"
_SCHEMES: Final = ("s3", "gs", "az", "abfs", "abfss")
_IS_URL: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_AZURE_HOST: Final = re.compile(r"[a-z0-9-]+@[a-z0-9]+\.(dfs|blob)\.[a-z0-9.]+")  # a container and its account
_SEGMENT: Final = re.compile(r"[A-Za-z0-9!_.*'()=-]+")  # characters that no store and no tool has to escape


@dataclass(frozen=True, slots=True)
class Address:
    """A lake in an object store, and the folder of this machine where its ledger is cached."""

    url: str
    cache: Path

    @classmethod
    def read(cls, text: str, caches: Path) -> Self | None:
        """Return the address that a text is, None where it is a path; `caches` holds the cache of each address.

        Raises UsageError for an address that no lake can be at, or that holds a secret.
        """
        found = _IS_URL.match(text)
        if not found:
            return None
        scheme, rest = found[1].lower(), text[found.end() :]
        if scheme not in _SCHEMES:
            hint = nearest(scheme, _SCHEMES)
            raise UsageError.of("unsupported-store", f"no lake can be at {scheme}://", expected=_EXAMPLES, hint=hint)
        if ("@" in rest and not _AZURE_HOST.fullmatch(urlsplit(text).netloc)) or "?" in rest or "#" in rest:
            raise UsageError.of(
                "secret-in-address",
                "the lake's address holds a user, a key or a query (not shown: it may be a secret)",
                expected=_EXAMPLES,
                hint="credentials come from the environment, such as AWS_ACCESS_KEY_ID",
            )
        bucket, *prefix = rest.rstrip("/").split("/")
        if not bucket or not all(map(_SEGMENT.fullmatch, prefix)) or {".", ".."} & set(prefix):
            raise UsageError.of("wrong-address", f"the address {text!r} cannot be a lake's", expected=_EXAMPLES)
        url = "/".join((f"{scheme}://{bucket}", *prefix))
        return cls(url, caches / hashlib.sha256(url.encode()).hexdigest()[:32])

    def __str__(self) -> str:
        return self.url
