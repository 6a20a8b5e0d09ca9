"""What signs requests to Amazon Bedrock, as a gateway's document says it."""

from __future__ import annotations

from pydantic import Field

from cellwright.estate.documents.parts import Part, Text
from cellwright.gateway.documents.parts import Variable
from cellwright.gateway.model import AwsAccess

_USUAL = AwsAccess()


class AwsPart(Part):
    """The region and the variables that hold credentials; not needed where apiKeyEnv names a key of the service."""

    region: Text | None = Field(default=None, pattern=r"^[a-z0-9-]+$", description="a region; as the address names it")
    access_key_env: Variable = Field(default=_USUAL.access_key_env, description="the variable of the key's id")
    secret_key_env: Variable = Field(default=_USUAL.secret_key_env, description="the variable of the secret key")
    session_token_env: Variable = Field(
        default=_USUAL.session_token_env, description="the variable of the token of credentials that expire"
    )

    def build(self) -> AwsAccess:
        """Return the frozen access."""
        return AwsAccess(self.region, self.access_key_env, self.secret_key_env, self.session_token_env)
