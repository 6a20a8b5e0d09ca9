"""Sections of a gateway's document that say who may ask, and who may see what is measured."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from ipaddress import ip_network
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from cellwright.estate.documents.parts import Day, Name, Part, Text, one_of, refuse
from cellwright.estate.model import Boundary
from cellwright.gateway.documents.parts import KeyHash, Within
from cellwright.gateway.model import HERE, AccessKey, Network


class Role(StrEnum):
    """What a key may do beyond asking models."""

    METRICS = "metrics"


def _network(value: object) -> str:
    try:
        return str(ip_network(value if isinstance(value, str) else ""))
    except ValueError:
        raise refuse("wrong-format", repr(value), expected="a network such as 10.20.0.0/16, or an address") from None


class KeyPart(Part):
    """Who may ask."""

    name: Name = Field(description="what meters call the key")
    tenant: Name = Field(description="whose requests it carries")
    sha256: KeyHash | None = Field(default=None, description="the SHA-256 of the key, never the key itself")
    certificate: Text | None = Field(
        default=None,
        min_length=1,
        description="in its place, a name in the client's certificate, such as DNS:noc.example",
    )
    boundary: Within = Field(default=Boundary.NONE, description="the tightest boundary that its holder stands within")
    not_after: Day | None = Field(default=None, description="the last day it is good for, in UTC; always if absent")
    roles: tuple[Annotated[Role, one_of(Role)], ...] = Field(
        default=(), description="what else it may do: metrics sees what is measured of every tenant"
    )

    def build(self) -> AccessKey:
        """Return the frozen key."""
        ends = _end_of(self.not_after) if self.not_after else None
        return AccessKey(
            self.name, self.tenant, self.sha256, self.boundary, ends, frozenset(self.roles), self.certificate
        )

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.sha256 is None) == (self.certificate is None):
            told = "both a sha256 and a certificate" if self.sha256 else "neither a sha256 nor a certificate"
            raise refuse("contradiction", told, expected="one of the two")
        return self


class MetricsPart(Part):
    """Who sees /metrics without a key; a key of the role `metrics` sees it from anywhere."""

    allow_from: tuple[Annotated[Text, BeforeValidator(_network)], ...] = Field(
        default=tuple(str(network) for network in HERE), description="a list of networks, such as 10.20.0.0/16"
    )

    @property
    def networks(self) -> tuple[Network, ...]:
        """The frozen networks."""
        return tuple(ip_network(text) for text in self.allow_from)


def _end_of(day: date) -> float:
    """Return the first moment after a day in UTC, in seconds since 1970."""
    return datetime.combine(day + timedelta(days=1), time(), UTC).timestamp()
