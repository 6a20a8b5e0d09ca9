"""Who vouches for callers without a key of the gateway, frozen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellwright.estate.model import Boundary

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Issuer:
    """An OpenID provider, or whoever else signs tokens, and what its claims say here."""

    name: str  # what meters call the callers it vouches for
    issuer: str  # the claim iss
    audience: str  # one of the claim aud
    algorithms: tuple[str, ...]  # of signatures, RFC 7518 and 8037
    jwks_file: str | None
    jwks_url: str | None
    tenant_claim: str  # dots lead into objects
    tenants: Mapping[str, str] | None  # tenants by the claim's values; None: the value is the tenant
    metrics_claim: str | None = None
    metrics_values: frozenset[str] = frozenset()  # one of them gives the role `metrics`
    leeway_s: float = 30.0
    boundary: Boundary = Boundary.NONE  # the tightest one that its callers stand within
