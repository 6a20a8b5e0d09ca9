"""The properties with which a Kafka client proves who it is: a `client.properties` file, and a password elsewhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from cellwright.errors import Diagnostic, Mark, UsageError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cellwright.telemetry.forward_link import Proofs

USERNAME: Final = "CELLWRIGHT_KAFKA_USERNAME"
PASSWORD: Final = "CELLWRIGHT_KAFKA_PASSWORD"  # noqa: S105 - the name of the variable
LOGIN: Final = f"--credentials FILE with sasl.username and sasl.password, or {USERNAME} and {PASSWORD}"
"""Where users and passwords belong."""
_MECHANISM: Final = "SCRAM-SHA-512"
_VALUES: Final = {
    "security.protocol": ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
    "sasl.mechanism": ("PLAIN", "SCRAM-SHA-256", _MECHANISM),
}
_KNOWN: Final = (
    *_VALUES,
    "sasl.username",
    "sasl.password",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.key.location",
    "ssl.key.password",
)
"""What tells who one is, of https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md; nothing else."""
_NAME: Final = re.compile(r"[a-z]+(\.[a-z]+)+")
_ALIASES: Final = {"sasl.mechanisms": "sasl.mechanism"}


def read_properties(path: Path | None, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the properties in a file, with what the environment says instead; raise UsageError with all problems."""
    found = {} if path is None else _parsed(path)
    for name, variable in (("sasl.username", USERNAME), ("sasl.password", PASSWORD)):
        if environ.get(variable):
            found[name] = environ[variable]
    if ("sasl.username" in found) != ("sasl.password" in found):
        raise UsageError.of(
            "half-a-login",
            "a user needs a password, and a password a user",
            expected=LOGIN,
        )
    if found.get("security.protocol", "").startswith("SASL") and "sasl.username" not in found:
        raise UsageError.of(
            "half-a-login", "security.protocol asks for SASL without a user", expected="sasl.username and sasl.password"
        )
    return found


def security(properties: Mapping[str, str], proofs: Proofs, *, wants_tls: bool) -> dict[str, str]:
    """Return the properties with those of the proofs, and the protocol that goes with them; never less than asked."""
    named = {
        "ssl.ca.location": proofs.authority,
        "ssl.certificate.location": proofs.certificate,
        "ssl.key.location": proofs.key,
    }
    found = dict(properties) | {name: str(path) for name, path in named.items() if path is not None}
    logs_in = "sasl.username" in found
    asked = found.get("security.protocol", "").endswith("SSL")
    encrypts = wants_tls or asked or any(name.startswith("ssl.") for name in found)
    found["security.protocol"] = ("SASL_" if logs_in else "") + ("SSL" if encrypts else "PLAINTEXT")
    return {"sasl.mechanism": _MECHANISM} | found if logs_in else found


def _parsed(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError.of("no-file", f"the file {path} cannot be read", cause=type(error).__name__) from error
    found, problems = dict[str, str](), list[Diagnostic]()
    for number, line in enumerate(text.splitlines(), 1):
        name, equals, value = (part.strip() for part in line.partition("="))
        if not name or name.startswith(("#", "!")):
            continue
        name = _ALIASES.get(name, name)
        problem = _problem(name, value if equals else None)
        if problem is None:
            found[name] = value
        else:
            expected, hint = problem
            mark = Mark(str(path), number, 1)
            said = name if _NAME.fullmatch(name) else "a line that is no property"  # which may be a secret
            message = f"{said} cannot be used here"
            problems.append(Diagnostic("wrong-property", message, mark, expected, hint))
    if problems:
        raise UsageError(*problems)
    return found


def _problem(name: str, value: str | None) -> tuple[str, str | None] | None:
    """Return what was expected instead of a property, and a hint; its value is not told."""
    if name == "sasl.jaas.config":
        return "sasl.username and sasl.password", "take both out of sasl.jaas.config"
    if name not in _KNOWN:
        return "one of " + ", ".join(_KNOWN), nearest(name, _KNOWN)
    if not value:
        return "NAME=VALUE", None
    allowed = _VALUES.get(name)
    return ("one of " + ", ".join(allowed), None) if allowed and value not in allowed else None
