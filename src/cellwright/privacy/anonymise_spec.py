"""What to keep of which table when it is anonymised: a YAML file, or the defaults for the lake's tables."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from cellwright.errors import Diagnostic, Mark, UsageError, nearest
from cellwright.privacy.anonymise_levels import Ladder  # noqa: TC001 - pydantic reads the annotations


class Mode(StrEnum):
    """What is written of a table."""

    RECORDS = "records"
    AGGREGATE = "aggregate"  # sums and means of classes


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)


class TableSpec(_Part):
    """What is kept of one table; what is named nowhere is dropped."""

    mode: Mode = Field(default=Mode.RECORDS, description="records, or aggregate: sums and means of each class")
    quasi: dict[str, Ladder] = Field(min_length=1, description="columns that could tell somebody, and their ladders")
    keep: tuple[str, ...] = Field(default=(), description="columns that stay; of aggregates, columns to group by")
    measures: tuple[str, ...] = Field(default=(), description="of aggregates, the numbers to sum")
    subject: str | None = Field(default=None, description="the column that says whom a row is about")

    @model_validator(mode="after")
    def _measures_belong_to_aggregates(self) -> Self:
        if bool(self.measures) != (self.mode is Mode.AGGREGATE):
            msg = "aggregates have measures, records have none"
            raise ValueError(msg)
        return self


class Spec(_Part):
    """What to anonymise: only the tables that are named."""

    tables: dict[str, TableSpec] = Field(min_length=1, description="the tables to write, by name")


_DEFAULTS: Final = """
tables:
  logs:
    quasi: {ts: time, host: category, app: category}
    keep: [severity_number, facility, msgid]
  alarm_events:
    quasi: {event_ts: time, object_dn: object, vendor: category}
    keep: [notification_type, event_type, probable_cause, perceived_severity]
  flows:
    quasi:
      flowStartMicroseconds: time
      exporter: category
      protocolIdentifier: category
      destinationTransportPort: number
      octetDeltaCount: number
      packetDeltaCount: number
    keep: [flowDirection, ipClassOfService]
  telemetry:
    quasi: {ts: time, target: object, keys: object}
    keep: [origin, path, kind, value_i64, value_f64, unit]
    subject: target
  pm_counters:
    quasi: {begin_ts: time, ne_dn: object, obj_ldn: object}
    keep: [obj_class, counter, subcounter, gran_s, value_i64, value_f64, unit, suspect]
    subject: ne_dn
"""


def default_spec() -> Spec:
    """Return what is kept of the lake's tables where nobody says otherwise; free text and nested values never are."""
    return Spec.model_validate(yaml.safe_load(_DEFAULTS))


def load_spec(text: str, file: str) -> Spec:
    """Return the spec in a YAML text; raise UsageError with every problem and its place in the document."""
    try:
        return Spec.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        at = getattr(error, "problem_mark", None)
        mark = Mark(file, at.line + 1, at.column + 1) if at else None
        raise UsageError(Diagnostic("yaml-syntax", "the file is no YAML", mark)) from error
    except ValidationError as error:
        raise UsageError(*(_diagnostic(each, file) for each in error.errors())) from error


def _diagnostic(problem: Any, file: str) -> Diagnostic:  # noqa: ANN401 - pydantic's own mapping
    place = ".".join(map(str, problem["loc"]))
    known = [to_camel(name) for name in (*Spec.model_fields, *TableSpec.model_fields)]
    last = str(problem["loc"][-1]) if problem["loc"] else ""
    hint = nearest(last, known) if problem["type"] == "extra_forbidden" else None
    return Diagnostic("wrong-spec", f"{file}: {place or 'the document'}: {problem['msg']}", hint=hint)
