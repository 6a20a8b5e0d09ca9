"""Documents of data: Dataset and Regulation."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from cellwright.estate import model
from cellwright.estate.documents.parts import (
    Country,
    Document,
    Evidence,
    Flag,
    Part,
    Reference,
    Text,
    Volume,
    one_of,
    refuse,
)

_Class = Annotated[model.SensitivityClass, one_of(model.SensitivityClass)]


class DatasetSpec(Part):
    """What a dataset reveals, where it lives and how large it is."""

    sensitivity: _Class = Field(alias="class", description="what the data reveals")
    home: Reference = Field(description="the name of the site it lives at")
    volume: Volume = Field(description="its size, such as 500 GB")
    bound: Flag = Field(description="whether it is tied to the equipment at home and cannot be copied elsewhere")
    derived_from: tuple[Reference, ...] = Field(default=(), description="names of the datasets it was made from")


class DatasetDocument(Document):
    """Data with a sensitivity class, a home and a volume."""

    kind: Literal["Dataset"]
    spec: DatasetSpec = Field(description="what the data is")

    def build(self) -> model.Dataset:
        """Return the frozen dataset."""
        spec = self.spec
        return model.Dataset(
            self.metadata.name, spec.sensitivity, spec.home, spec.volume, spec.bound, spec.derived_from
        )


class RegulationSpec(Evidence):
    """What data of some classes from some jurisdictions may not leave."""

    jurisdictions: tuple[Country, ...] = Field(
        min_length=1, description="a list of the countries whose data it is about, such as [IT]"
    )
    classes: tuple[_Class, ...] = Field(min_length=1, description="a list of the sensitivity classes it is about")
    boundary: Annotated[model.Boundary, one_of(model.Boundary)] = Field(description="what the data may not leave")
    effect: Annotated[model.Effect, one_of(model.Effect)] = Field(
        description="whether crossing the boundary is denied or needs a legal review"
    )
    members: tuple[Country, ...] = Field(
        default=(), validate_default=True, description="a list of the countries of a bloc, such as [DE, IT]"
    )
    url: Text | None = Field(
        default=None, pattern="^https?://", description="the http or https address where the instrument can be read"
    )

    @field_validator("members")
    @classmethod
    def _bloc_has_members(cls, members: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if not members and info.data.get("boundary") is model.Boundary.BLOC:
            raise refuse("missing-members", "empty, but the boundary is a bloc", expected="its countries")
        return members


class RegulationDocument(Document):
    """A rule about data, with its source and the day it was checked."""

    kind: Literal["Regulation"]
    spec: RegulationSpec = Field(description="what the rule says")

    def build(self) -> model.Regulation:
        """Return the frozen regulation."""
        spec = self.spec
        return model.Regulation(
            name=self.metadata.name,
            jurisdictions=frozenset(spec.jurisdictions),
            classes=frozenset(spec.classes),
            boundary=spec.boundary,
            effect=spec.effect,
            members=frozenset(spec.members),
            source=spec.source,
            url=spec.url,
            checked=spec.checked,
            expires=spec.expires,
        )
