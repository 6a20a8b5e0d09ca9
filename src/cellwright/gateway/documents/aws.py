"""What signs requests to Amazon Bedrock, as a gateway's document says it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from cellwright.estate.documents.parts import Part, Text, one_of, refuse
from cellwright.gateway.documents.parts import Variable
from cellwright.gateway.model import AwsAccess, AwsSource

if TYPE_CHECKING:
    from typing import Self

_USUAL = AwsAccess()


class AwsPart(Part):
    """The region, and where credentials stand; not needed where apiKeyEnv names a key of the service."""

    region: Text | None = Field(default=None, pattern=r"^[a-z0-9-]+$", description="a region; as the address names it")
    access_key_env: Variable = Field(default=_USUAL.access_key_env, description="the variable of the key's id")
    secret_key_env: Variable = Field(default=_USUAL.secret_key_env, description="the variable of the secret key")
    session_token_env: Variable = Field(
        default=_USUAL.session_token_env, description="the variable of the token of credentials that expire"
    )
    credentials: Annotated[AwsSource, one_of(AwsSource)] = Field(
        default=AwsSource.ENVIRONMENT, description="where they stand: environment, file, container or instance"
    )
    file: Text | None = Field(default=None, min_length=1, description="a shared credentials file; the usual if absent")
    profile: Text | None = Field(default=None, min_length=1, description="its section; the usual one if absent")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.file or self.profile) and self.credentials is not AwsSource.FILE:
            raise refuse("contradiction", "a file that is not read", expected="credentials: file")
        return self

    def build(self) -> AwsAccess:
        """Return the frozen access."""
        names = (self.access_key_env, self.secret_key_env, self.session_token_env)
        return AwsAccess(self.region, *names, self.credentials, self.file, self.profile)
