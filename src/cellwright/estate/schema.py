"""The JSON Schema of the documents, for editors."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from cellwright.estate.documents.kinds import AnyDocument


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of one document of any kind; `kind` tells them apart."""
    adapter: TypeAdapter[Any] = TypeAdapter(Annotated[AnyDocument, Field(discriminator="kind")])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Cellwright estate document",
        **adapter.json_schema(by_alias=True),
    }
