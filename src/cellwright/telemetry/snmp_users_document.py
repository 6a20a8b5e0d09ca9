"""What a user writes to have SNMPv3 notifications checked and decrypted: users, and where their passwords are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from cellwright.errors import Diagnostic, nearest
from cellwright.estate.documents.parts import Document, Part, Text, first_repeated, refuse, shown
from cellwright.estate.single import load_single
from cellwright.telemetry.snmp_keys import AUTHENTICATIONS, PRIVACIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cellwright.estate.yaml_nodes import Node

_ENGINE: Final = re.compile(r"(?:0x)?((?:[0-9a-fA-F]{2}){5,32})")  # RFC 3411, 5: SnmpEngineID
_VARIABLE: Final = r"^[A-Z_][A-Z0-9_]{0,127}$"
_LONGEST_NAME: Final = 32  # RFC 3414, 2.4


@dataclass(frozen=True, slots=True)
class Secret:
    """A protocol, and the file or the environment variable that holds its password."""

    protocol: str
    file: str | None
    variable: str | None


@dataclass(frozen=True, slots=True)
class UserSpec:
    """A user; `engine` None: at all engines."""

    name: str
    engine: bytes | None
    authentication: Secret
    privacy: Secret | None


def _engine(value: object) -> bytes:
    if isinstance(value, str) and (match := _ENGINE.fullmatch(value)):
        return bytes.fromhex(match[1])
    raise refuse("wrong-format", shown(value), expected="an engine id: 10 to 64 hexadecimal digits in quotes")


def _protocol(known: Iterable[str]) -> Callable[[object], str]:
    names = tuple(known)

    def check(value: object) -> str:
        if value not in names:
            hint = nearest(str(value), names)
            raise refuse("unknown-name", shown(value), expected="one of " + ", ".join(names), hint=hint)
        return str(value)

    return check


class _SecretPart(Part):
    """A protocol, and where its password is."""

    protocol: Text
    password_file: Text | None = Field(default=None, min_length=1, description="a file that its owner alone can read")
    password_env: Text | None = Field(default=None, pattern=_VARIABLE, description="an environment variable")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.password_file is None) == (self.password_env is None):
            raise refuse("contradiction", "without one password", expected="passwordFile or passwordEnv")
        return self

    def build(self) -> Secret:
        """Return the frozen secret."""
        return Secret(self.protocol, self.password_file, self.password_env)


class AuthenticationPart(_SecretPart):
    """How a user's messages are signed."""

    protocol: Annotated[str, BeforeValidator(_protocol(AUTHENTICATIONS))] = Field(
        description=", ".join(AUTHENTICATIONS)
    )


class PrivacyPart(_SecretPart):
    """How a user's messages are encrypted."""

    protocol: Annotated[str, BeforeValidator(_protocol(PRIVACIES))] = Field(
        description=", ".join(PRIVACIES) + "; the last two with keys lengthened as Cisco does"
    )


class UserPart(Part):
    """One user."""

    name: Text = Field(min_length=1, max_length=_LONGEST_NAME, description="the user's name in messages")
    engine: Annotated[bytes, BeforeValidator(_engine)] | None = Field(
        default=None, description="the id of the only engine that the user is at, as hexadecimal digits in quotes"
    )
    authentication: AuthenticationPart = Field(description="how the user's messages are signed")
    privacy: PrivacyPart | None = Field(default=None, description="how the user's messages are encrypted, if they are")


class UsersSpec(Part):
    """All users."""

    users: tuple[UserPart, ...] = Field(min_length=1, description="a list of users")


class SnmpUsersDocument(Document):
    """Names the users whose SNMPv3 notifications are checked and decrypted."""

    kind: Literal["SnmpUsers"]
    spec: UsersSpec = Field(description="the users")


def load_users(text: str, file: str) -> tuple[UserSpec, ...]:
    """Return the users in a YAML text; raise UsageError with every problem, marked with `file`."""
    document = load_single(SnmpUsersDocument, "no-snmp-users", text, file, _inconsistencies)
    return tuple(
        UserSpec(part.name, part.engine, part.authentication.build(), part.privacy.build() if part.privacy else None)
        for part in document.spec.users
    )


def _inconsistencies(document: SnmpUsersDocument, node: Node) -> Iterator[Diagnostic]:
    if repeated := first_repeated(f"{part.name} {part.engine!r}" for part in document.spec.users):
        mark = node.descend(("spec", "users", repeated[0], "name")).mark
        yield Diagnostic("duplicate-name", "the user is there already", mark, "another name, or another engine")
