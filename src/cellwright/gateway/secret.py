"""What a configuration leaves to the environment: keys and URLs, by the names of their variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellwright.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping


def secret(name: str, environ: Mapping[str, str], code: str, expected: str) -> str:
    """Return the value of a variable; raise UsageError (`code`) that says what it should hold where it is not set."""
    value = environ.get(name)
    if not value:
        raise UsageError.of(code, f"the environment variable {name} is not set", expected=expected)
    return value


def key_of(server: str, name: str | None, environ: Mapping[str, str]) -> str | None:
    """Return the key of a server, None where it needs none; raise UsageError where its variable is not set."""
    return None if name is None else secret(name, environ, "key-not-set", f"the key of {server}")
