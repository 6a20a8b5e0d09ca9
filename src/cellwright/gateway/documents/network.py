"""Sections of a gateway's document about its connections: where it listens, TLS, limits and times."""

from __future__ import annotations

import ipaddress
from typing import Self

from pydantic import Field, model_validator

from cellwright.estate.documents.parts import Part, PositiveCount, Text, refuse
from cellwright.estate.documents.tls import TlsPart
from cellwright.gateway.documents.parts import Port, Wait
from cellwright.gateway.model import LOOPBACK, Limits, Timeouts
from cellwright.gateway.model_network import ServerTls


class ServerTlsPart(Part):
    """How a backend is verified, and what it is shown."""

    ca: Text | None = Field(
        default=None, min_length=1, description="a PEM file of the authority it is verified by; else the system's"
    )
    certificate: Text | None = Field(default=None, min_length=1, description="a PEM file that it is shown")
    key: Text | None = Field(default=None, min_length=1, description="a PEM file with the key of that certificate")

    def build(self) -> ServerTls:
        """Return the frozen files."""
        return ServerTls(self.ca, self.certificate, self.key)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise refuse("contradiction", "one of certificate and key", expected="both, or neither")
        return self


class ListenPart(Part):
    """Where the gateway listens."""

    host: Text = Field(default=LOOPBACK, min_length=1, description="the address to listen on, such as 127.0.0.1")
    port: Port = Field(default=0, description="the port to listen on; 0 takes any free one")
    tls: TlsPart | None = Field(default=None, description="transport security")
    plain: bool = Field(default=False, strict=True, description="whether other machines may connect without TLS")

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        """Refuse what would send keys and requests over a network in the open unless that is said."""
        if not (_is_here(self.host) or self.tls or self.plain):
            raise refuse(
                "not-private",
                f"a gateway on {self.host} without tls",
                expected="tls, or plain: true where the network itself is private",
            )
        return self


class LimitsPart(Part):
    """What clients may ask of the server."""

    body_bytes: PositiveCount = Field(default=Limits().body_bytes, description="bytes of a request's body")
    header_bytes: PositiveCount = Field(default=Limits().header_bytes, description="bytes of a request's headers")
    connections: PositiveCount = Field(default=Limits().connections, description="connections at the same time")
    requests: PositiveCount = Field(default=Limits().requests, description="requests for models at the same time")

    def build(self) -> Limits:
        """Return the frozen limits."""
        return Limits(self.body_bytes, self.header_bytes, self.connections, self.requests)


class TimeoutsPart(Part):
    """How long each step may take."""

    receive: Wait = Field(
        default=Timeouts().receive_ms, description="until a client has sent its body, or taken a piece of its answer"
    )
    headers: Wait = Field(default=Timeouts().headers_ms, description="until a client has sent its headers")
    idle: Wait = Field(default=Timeouts().idle_ms, description="for the next request of a connection")
    connect: Wait = Field(default=Timeouts().connect_ms, description="until a backend has accepted the connection")
    read: Wait = Field(default=Timeouts().read_ms, description="between two pieces of a backend's answer")
    total: Wait = Field(default=Timeouts().total_ms, description="for the whole request")

    def build(self) -> Timeouts:
        """Return the frozen times."""
        return Timeouts(
            receive_ms=self.receive,
            headers_ms=self.headers,
            idle_ms=self.idle,
            connect_ms=self.connect,
            read_ms=self.read,
            total_ms=self.total,
        )


def _is_here(host: str) -> bool:
    """Return whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
