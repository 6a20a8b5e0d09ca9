"""Requests signed as Amazon Web Services want it: Signature Version 4, in headers. Pure.

Source: AWS Identity and Access Management user guide, "Create a signed AWS API request".
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_UNRESERVED: Final = "-_.~"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who signs."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)  # of credentials that expire


@dataclass(frozen=True, slots=True)
class Scope:
    """What a signature is good for."""

    region: str
    service: str


def sign(  # noqa: PLR0913, PLR0917 - all that a signature covers
    credentials: Credentials,
    scope: Scope,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    now: datetime,
) -> dict[str, str]:
    """Return the headers to add to a request with these; `url` is encoded as it is sent, `now` in UTC."""
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    parts = urlsplit(url)
    added = {"x-amz-date": stamp}
    if credentials.session_token:
        added["x-amz-security-token"] = credentials.session_token
    covered = {name.lower(): " ".join(text.split()) for name, text in headers.items()} | added | {"host": parts.netloc}
    names = ";".join(sorted(covered))
    lines = (
        method,
        quote(parts.path or "/", safe=f"/{_UNRESERVED}"),  # encoded once more than it is sent
        _query(parts.query),
        *(f"{name}:{covered[name]}" for name in sorted(covered)),
        "",
        names,
        hashlib.sha256(body).hexdigest(),
    )
    place = f"{stamp[:8]}/{scope.region}/{scope.service}/aws4_request"
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    to_sign = f"{_ALGORITHM}\n{stamp}\n{place}\n{digest}"
    signature = hmac.new(_key(credentials.secret_key, place), to_sign.encode(), hashlib.sha256).hexdigest()
    proof = f"{_ALGORITHM} Credential={credentials.access_key}/{place}, SignedHeaders={names}, Signature={signature}"
    return added | {"authorization": proof}


def _query(query: str) -> str:
    pairs = (
        (quote(name, safe=_UNRESERVED), quote(text, safe=_UNRESERVED))
        for name, text in parse_qsl(query, keep_blank_values=True)
    )
    return "&".join(f"{name}={text}" for name, text in sorted(pairs))


def _key(secret: str, place: str) -> bytes:
    """Return the key derived for one day, region and service."""
    key = f"AWS4{secret}".encode()
    for word in place.split("/"):
        key = hmac.new(key, word.encode(), hashlib.sha256).digest()
    return key
