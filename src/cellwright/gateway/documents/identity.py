"""The section of a gateway's document that says who vouches for callers without a key of the gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, model_validator

from cellwright.estate.documents.parts import Duration, Name, Part, Text, refuse
from cellwright.estate.model import Boundary
from cellwright.gateway.documents.parts import ServerAddress, Within
from cellwright.gateway.model_identity import Issuer

if TYPE_CHECKING:
    from typing import Self

_LOCAL: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_MOST_LEEWAY_MS: Final = 300_000.0
_MS_PER_S: Final = 1000.0


def _secured(value: object) -> object:
    parts = urlsplit(value) if isinstance(value, str) else None
    if parts is not None and parts.scheme == "http" and parts.hostname not in _LOCAL:
        expected = "an address with https: whoever can change the keys on their way can be anybody"
        raise refuse("wrong-format", "an address without TLS", expected=expected)
    return value


class KeysPart(Part):
    """Where the public keys of an issuer are: one of the two."""

    file: Text | None = Field(default=None, min_length=1, description="a file with a JSON Web Key Set")
    url: Annotated[ServerAddress, BeforeValidator(_secured)] | None = Field(
        default=None, description="the address of the set, jwks_uri in the issuer's metadata"
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.file is None) is (self.url is None):
            raise refuse("contradiction", "nowhere, or in two places", expected="either a file or a url")
        return self


class MetricsClaimPart(Part):
    """Which claim lets a caller see what is measured of every tenant."""

    claim: Text = Field(min_length=1, description="the claim, such as groups; dots lead into objects")
    values: tuple[Text, ...] = Field(min_length=1, description="a list of values, one of which it has to hold")


class IssuerPart(Part):
    """Who vouches for callers with signed tokens (JSON Web Tokens, as of an OpenID provider)."""

    name: Name = Field(description="what meters call the callers it vouches for")
    issuer: Text = Field(min_length=1, description="the claim iss of its tokens, such as https://login.example/realm")
    audience: Text = Field(min_length=1, description="what the claim aud has to hold: this gateway, by its name there")
    algorithms: tuple[
        Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519"], ...
    ] = Field(default=("RS256", "ES256"), min_length=1, description="a list of the signatures that are accepted")
    jwks: KeysPart = Field(description="where its public keys are: {url} or {file}")
    tenant_claim: Text = Field(
        default="tenant", min_length=1, description="the claim that says the tenant; dots lead into objects"
    )
    tenants: dict[str, Name] | None = Field(
        default=None, description="the tenant of each value of that claim; the value is the tenant itself if absent"
    )
    metrics: MetricsClaimPart | None = Field(default=None, description="who sees what is measured of every tenant")
    leeway: Duration = Field(default=30_000.0, ge=0, le=_MOST_LEEWAY_MS, description="how far clocks may differ")
    boundary: Within = Field(default=Boundary.NONE, description="the tightest boundary that its callers stand within")

    def build(self) -> Issuer:
        """Return the frozen issuer."""
        return Issuer(
            name=self.name,
            issuer=self.issuer,
            audience=self.audience,
            algorithms=tuple(self.algorithms),
            jwks_file=self.jwks.file,
            jwks_url=self.jwks.url,
            tenant_claim=self.tenant_claim,
            tenants=self.tenants,
            metrics_claim=self.metrics.claim if self.metrics else None,
            metrics_values=frozenset(self.metrics.values if self.metrics else ()),
            leeway_s=self.leeway / _MS_PER_S,
            boundary=self.boundary,
        )
