"""What a user writes to set up a collector: one pydantic model, which builds the frozen CollectorConfig."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, model_validator

from cellwright.errors import Diagnostic, nearest
from cellwright.estate.documents.parts import (
    Document,
    Duration,
    Name,
    Part,
    Text,
    Volume,
    first_repeated,
    refuse,
    shown,
)
from cellwright.estate.documents.tls import TlsPart
from cellwright.estate.single import load_single
from cellwright.lake.staged import Commit
from cellwright.plugins import PluginSet
from cellwright.telemetry.listener import ListenerSpec
from cellwright.telemetry.listeners.passwords import is_hash

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwright.estate.yaml_nodes import Node

_HIGHEST_PORT: Final = 65_535
_BYTES_PER_GB: Final = 10**9
_LEAST_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class FolderSpec:
    """A folder to watch."""

    path: str
    deletes: bool


@dataclass(frozen=True, slots=True)
class KeepSpec:
    """How long the lake keeps what came in, in milliseconds since ingestion; None: for ever."""

    files_ms: float | None = None
    quarantine_ms: float | None = None
    every_s: float = 3600.0  # between two looks, at which small parts are merged too


@dataclass(frozen=True, slots=True)
class CollectorConfig:
    """Everything one collector is told."""

    name: str
    lake: str
    spool: str | None  # None: below the state folder
    spool_bytes: int
    every_s: float
    mappings: tuple[str, ...]
    listeners: tuple[ListenerSpec, ...]
    folders: tuple[FolderSpec, ...]
    keep: KeepSpec = KeepSpec()
    commit: Commit = Commit.LEDGER
    snmp_users: str | None = None  # a file


def _hash(value: object) -> str:
    """Return a password's hash; what stands in the wrong place may be the password, and is not repeated."""
    if isinstance(value, str) and is_hash(value):
        return value
    raise refuse(
        "wrong-format",
        "something else (not shown: it may be a secret)",
        expected="what `cellwright collect --hash-password` prints",
    )


def _address(value: object) -> str:
    try:
        return str(ipaddress.ip_address(str(value)))
    except ValueError as error:
        raise refuse("wrong-format", repr(value), expected="an IP address to listen on, such as 127.0.0.1") from error


def _protocol(value: object) -> str:
    known = PluginSet[object]("listeners").names()
    if value not in known:
        expected = "one of " + ", ".join(known)
        raise refuse("unknown-name", shown(value), expected=expected, hint=nearest(str(value), known))
    return str(value)


def _zone(value: object) -> str:
    try:
        return ZoneInfo(str(value)).key
    except (ValueError, OSError, ZoneInfoNotFoundError) as error:
        raise refuse("unknown-name", shown(value), expected="a time zone such as Europe/Paris") from error


class ListenerPart(Part):
    """One open port."""

    name: Name = Field(description="a unique name: the feed that rows name as their source")
    protocol: Annotated[str, BeforeValidator(_protocol)] = Field(
        description="ves, syslog-udp, syslog-tcp, netflow, snmp, otlp, or an installed one"
    )
    host: Annotated[str, BeforeValidator(_address)] = Field(
        default="127.0.0.1", description="the address to listen on; this machine alone by default"
    )
    port: Annotated[int, Field(strict=True, ge=0, le=_HIGHEST_PORT)] = Field(
        description="the port to listen on; 0 takes any free one"
    )
    tls: TlsPart | None = Field(default=None, description="transport security")
    plain: bool = Field(default=False, strict=True, description="whether other machines may send without TLS")
    users: Mapping[Name, Annotated[str, BeforeValidator(_hash)]] = Field(
        default_factory=dict, description="hashes of passwords by user; empty: no password is asked for"
    )
    most: Volume = Field(default=0.016, description="the largest message, such as 16 MB")
    zone: Annotated[str, BeforeValidator(_zone)] | None = Field(
        default=None,
        description="of syslog: the zone of clocks that do not say it, such as Europe/Paris; else UTC",
    )

    def build(self) -> ListenerSpec:
        """Return the frozen listener."""
        tls, users = self.tls.build() if self.tls else None, tuple(sorted(self.users.items()))
        size = round(self.most * _BYTES_PER_GB)
        return ListenerSpec(self.name, self.protocol, self.host, self.port, tls, users, size, zone=self.zone)

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        """Refuse what would send telemetry or passwords over a network in the open unless that is said."""
        if self.zone and not self.protocol.startswith("syslog"):
            raise refuse("contradiction", f"{self.protocol} with a zone", expected="a zone for syslog alone")
        datagrams = self.protocol in {"netflow", "snmp", "syslog-udp"}
        here = ipaddress.ip_address(self.host).is_loopback
        if not (here or self.tls or self.plain or datagrams):
            raise refuse(
                "not-private",
                f"a listener on {self.host} without tls",
                expected="tls, or plain: true where the network itself is private",
            )
        return self


class FolderPart(Part):
    """One folder to watch."""

    path: Text = Field(min_length=1, description="the folder into which others put files")
    after: Literal["keep", "delete"] = Field(default="keep", description="what becomes of a file that the lake has")

    def build(self) -> FolderSpec:
        """Return the frozen folder."""
        return FolderSpec(self.path, self.after == "delete")


class KeepPart(Part):
    """How long the lake keeps what came in."""

    files: Duration | None = Field(default=None, gt=0, description="after it, a file's rows are deleted, such as 90 d")
    quarantine: Duration | None = Field(default=None, gt=0, description="after it, quarantined input is deleted")
    every: Duration = Field(default=3.6e6, gt=0, description="how often that is done, and small parts are merged")

    def build(self) -> KeepSpec:
        """Return the frozen times."""
        return KeepSpec(self.files, self.quarantine, self.every / 1000)


class CollectorSpec(Part):
    """Everything one collector is told."""

    lake: Text = Field(
        min_length=1, description="the lake's folder, or its s3://, gs:// or abfss:// address; made when absent"
    )
    commit: Literal["ledger", "delta"] = Field(
        default="ledger", description="delta: the lake is Delta tables, which many machines may write at once"
    )
    spool: Text | None = Field(default=None, min_length=1, description="a folder for what is not in the lake yet")
    spool_limit: Volume = Field(default=4.0, gt=0, description="what the spool may hold before senders have to wait")
    every: Duration = Field(default=5000.0, ge=1000 * _LEAST_S, description="how often the lake is written")
    mappings: tuple[Text, ...] = Field(default=(), description="a list of column mappings, or folders of them")
    listeners: tuple[ListenerPart, ...] = Field(default=(), description="a list of open ports")
    folders: tuple[FolderPart, ...] = Field(default=(), description="a list of folders to watch")
    snmp_users: Text | None = Field(default=None, min_length=1, description="a file with a document of kind SnmpUsers")
    keep: KeepPart = Field(default=KeepPart(), description="how long the lake keeps what came in; for ever if absent")


class CollectorDocument(Document):
    """Receives telemetry and brings it into a lake."""

    kind: Literal["Collector"]
    spec: CollectorSpec = Field(description="what the collector is told")

    def build(self) -> CollectorConfig:
        """Return the frozen configuration."""
        spec = self.spec
        return CollectorConfig(
            name=self.metadata.name,
            lake=spec.lake,
            spool=spec.spool,
            spool_bytes=round(spec.spool_limit * _BYTES_PER_GB),
            every_s=spec.every / 1000,
            mappings=spec.mappings,
            listeners=tuple(part.build() for part in spec.listeners),
            folders=tuple(part.build() for part in spec.folders),
            keep=spec.keep.build(),
            snmp_users=spec.snmp_users,
            commit=Commit(spec.commit),
        )


def load_collector(text: str, file: str) -> CollectorConfig:
    """Return the configuration in a YAML text; raise UsageError with every problem, marked with `file`."""
    return load_single(CollectorDocument, "not-a-collector", text, file, _inconsistencies).build()


def _inconsistencies(document: CollectorDocument, node: Node) -> Iterator[Diagnostic]:
    """Yield what no single value shows: names that occur twice, and nothing to do."""
    spec = document.spec
    if repeated := first_repeated(part.name for part in spec.listeners):
        mark = node.descend(("spec", "listeners", repeated[0], "name")).mark
        yield Diagnostic("duplicate-name", f"the name {repeated[1]!r} is taken already", mark, "a name of its own")
    if Commit(spec.commit) is Commit.DELTA and spec.keep.files is not None:
        mark = node.descend(("spec", "keep", "files")).mark
        message = "one of many machines cannot say how long Delta tables keep files"
        yield Diagnostic("keep-of-others", message, mark, "keep.quarantine alone, and Delta's own DELETE and VACUUM")
    if not spec.listeners and not spec.folders:
        message = "nothing is listened to and no folder is watched"
        yield Diagnostic("nothing-to-collect", message, node.descend(("spec",)).mark, "listeners or folders")
