"""Parts of a workload: how many replicas it has, and in which hours they run."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator

from cellwright.estate import model
from cellwright.estate.documents.parts import Country, Part, PositiveCount, Reference, Text, one_of, refuse, shown

_TierName = Annotated[model.Tier, one_of(model.Tier)]
_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_NEARLY_TIME: Final = re.compile(r"([0-9]{1,2}):?([0-9]{2})(?::[0-9]{2})?")


def _minutes(value: object) -> int:
    """Return the minutes after midnight that "22:00" means."""
    if isinstance(value, str) and (match := _TIME.fullmatch(value)):
        return int(match[1]) * 60 + int(match[2])
    near = _NEARLY_TIME.fullmatch(str(value)) if isinstance(value, str | int) else None
    hint = f"did you mean '{int(near[1]) % 24:02}:{near[2]}'?" if near and int(near[2]) < 60 else None  # noqa: PLR2004 - minutes
    raise refuse("wrong-format", shown(value), expected="a time of day, UTC, such as '22:00'", hint=hint)


_TimeOfDay = Annotated[
    int,
    BeforeValidator(_minutes),
    WithJsonSchema({"type": "string", "pattern": f"^{_TIME.pattern}$", "examples": ["22:00"]}),
]


class WindowPart(Part):
    """Hours of the day, UTC."""

    start: _TimeOfDay = Field(alias="from", description="when it starts, UTC, such as '22:00'")
    end: _TimeOfDay = Field(
        alias="to", description="when it ends, UTC, such as '06:00'; before the start: the next day"
    )

    @field_validator("end")
    @classmethod
    def _some_time(cls, end: int, info: ValidationInfo) -> int:
        if end == info.data.get("start"):
            hint = "leave window out to run all day"
            raise refuse("out-of-range", "the time at which it starts", expected="another time", hint=hint)
        return end

    def build(self) -> model.Window:
        """Return the frozen window."""
        return model.Window(self.start, self.end)


class SelectorPart(Part):
    """Sites by what they are: all that meet everything that is written."""

    tiers: tuple[_TierName, ...] = Field(default=(), description="a list of tiers; any if absent")
    jurisdictions: tuple[Country, ...] = Field(
        default=(), description="a list of countries, such as [IT]; any if absent"
    )
    labels: dict[str, Text] = Field(default_factory=dict, description="labels that the site must have; none if absent")

    def build(self) -> model.Selector:
        """Return the frozen selector."""
        return model.Selector(frozenset(self.tiers), frozenset(self.jurisdictions), frozenset(self.labels.items()))


class ReplicasPart(Part):
    """How many there are: a number, one for each site of a kind, or one for each home of some datasets."""

    count: PositiveCount | None = Field(default=None, description="how many; 1 if nothing is written")
    per_site: SelectorPart | None = Field(
        default=None, description="one for each site that {tiers, jurisdictions, labels} select, for its users"
    )
    per_home: tuple[Reference, ...] | None = Field(
        default=None,
        min_length=1,
        description="one for each of these datasets, for users at its home; names of datasets",
    )

    @field_validator("per_site", "per_home")
    @classmethod
    def _alone(cls, value: object, info: ValidationInfo) -> object:
        before = [key for key, name in (("count", "count"), ("perSite", "per_site")) if info.data.get(name) is not None]
        if value is not None and before:
            message = f"written beside {before[0]}"
            raise refuse("conflict", message, expected="one of count, perSite and perHome", hint="take one of them out")
        return value

    @property
    def fixed(self) -> bool:
        """Whether they are a number, not one for each of something."""
        return self.per_site is None and self.per_home is None

    def build(self) -> model.Replicas:
        """Return the frozen number."""
        per_site = self.per_site.build() if self.per_site else None
        return model.Replicas(self.count or 1, per_site, tuple(dict.fromkeys(self.per_home or ())))
