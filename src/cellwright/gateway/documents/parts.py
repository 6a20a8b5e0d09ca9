"""What the sections of a gateway's document are made of: names, addresses, hashes, classes and boundaries."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field

from cellwright.estate.documents.parts import Duration, one_of, refuse
from cellwright.estate.model import Boundary, SensitivityClass

if TYPE_CHECKING:
    from collections.abc import Callable

_HASH: Final = re.compile(r"[0-9a-f]{64}")
_VARIABLE: Final = re.compile(r"[A-Z_][A-Z0-9_]{0,127}")
MODEL_NAME: Final = r"^[!-~]{1,200}$"  # goes into response headers: visible ASCII
_HIGHEST_PORT: Final = 65_535


def _secret(pattern: re.Pattern[str], expected: str) -> Callable[[object], str]:
    """Return a validator that never repeats the value: what stands in the wrong place may be a secret."""

    def check(value: object) -> str:
        if isinstance(value, str) and pattern.fullmatch(value):
            return value
        raise refuse("wrong-format", "something else (not shown: it may be a secret)", expected=expected)

    return check


def _address(value: object) -> str:
    parts = urlsplit(value) if isinstance(value, str) else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        expected = "an address without user, password and query, such as https://models.example/v1"
        raise refuse("wrong-format", "something else (not shown: it may hold a secret)", expected=expected)
    return str(value).rstrip("/")


KeyHash = Annotated[str, BeforeValidator(_secret(_HASH, "the SHA-256 of a key, 64 hexadecimal digits in lower case"))]
Variable = Annotated[str, BeforeValidator(_secret(_VARIABLE, "the name of an environment variable, such as MODEL_KEY"))]
ServerAddress = Annotated[str, BeforeValidator(_address)]
DataClass = Annotated[SensitivityClass, one_of(SensitivityClass)]
Within = Annotated[Boundary, one_of(Boundary)]
Wait = Annotated[Duration, Field(gt=0)]
Port = Annotated[int, Field(strict=True, ge=0, le=_HIGHEST_PORT)]
