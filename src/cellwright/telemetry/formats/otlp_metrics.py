"""Rows of `telemetry` from OTLP data points (opentelemetry.proto.metrics.v1), named as OpenMetrics names samples."""

from __future__ import annotations

from itertools import accumulate
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cellwright.telemetry.formats.otlp_values import (
    INT64,
    UINT64,
    InvalidError,
    double,
    integer,
    read_attributes,
    time_us,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwright.telemetry.formats.otlp_values import Speaker

_DELTA: Final = frozenset((1, "1", "AGGREGATION_TEMPORALITY_DELTA"))
_KINDS: Final = MappingProxyType(
    {"gauge": "gauge", "histogram": "histogram", "exponentialHistogram": "histogram", "summary": "summary"}
)
_NO_RECORDED_VALUE: Final = 1  # DataPointFlags


class LeftOut(NamedTuple):
    """Facts of a point that become no rows."""

    reason: str
    facts: int


def point_rows(
    point: dict[str, Any], key: str, metric: dict[str, Any], speaker: Speaker
) -> Iterator[dict[str, object] | LeftOut]:
    """Yield the rows of a data point below `key` of a metric, and what is left out of it; raise InvalidError."""
    data = metric[key]
    name, unit = metric.get("name"), metric.get("unit")
    if not isinstance(name, str) or not name:
        msg = "expected a metric with a name"
        raise InvalidError(msg)
    keys = read_attributes(point.get("attributes")) | speaker.named
    flags = ["delta-temporality"] if _is_delta(data) else []
    if _is_unrecorded(point):
        flags.append("no-recorded-value")
    if point.get("exemplars"):
        flags.append("exemplars-left-out")
    ts = time_us(point.get("timeUnixNano"))
    if ts is None:
        flags.append("no-time")
    shared: dict[str, object] = {
        "ts": ts,
        "start_ts": time_us(point.get("startTimeUnixNano")),
        "origin": "otlp",
        "target": speaker.target(),
        "kind": _KINDS.get(key) or ("counter" if data.get("isMonotonic") is True else "gauge"),
        "unit": unit if isinstance(unit, str) and unit else None,
        "dq_flags": flags,
    }
    for found in _values(point, key):
        if isinstance(found, LeftOut):
            yield found
        else:
            is_beyond = isinstance(found.value, int) and found.value not in INT64
            value = float(found.value) if is_beyond and found.value is not None else found.value
            yield shared | {
                "value_i64": value if isinstance(value, int) else None,
                "value_f64": value if isinstance(value, float) else None,
                "path": name + found.suffix,
                "keys": list((keys | found.keys).items()),
                "unit": None if found.is_count else shared["unit"],
                "dq_flags": [*flags, *(["beyond-int64"] if is_beyond else [])],
            }


def _is_delta(data: dict[str, Any]) -> bool:
    temporality = data.get("aggregationTemporality")
    return isinstance(temporality, int | str) and temporality in _DELTA


def _is_unrecorded(point: dict[str, Any]) -> bool:
    return bool(integer(point.get("flags") or 0, UINT64) & _NO_RECORDED_VALUE)


class _Value(NamedTuple):
    """One value of a point."""

    suffix: str
    value: float | None
    keys: dict[str, str] = {}  # noqa: RUF012 - never changed
    is_count: bool = False


def _values(point: dict[str, Any], key: str) -> Iterator[_Value | LeftOut]:
    if key in {"gauge", "sum"}:
        yield _number(point)
        return
    yield _Value("_count", integer(point.get("count", 0), UINT64), is_count=True)
    for member in ("sum",) if key == "summary" else ("sum", "min", "max"):
        if point.get(member) is not None:
            yield _Value(f"_{member}", double(point[member]))
    if key == "histogram":
        yield from _buckets(point)
    elif key == "summary":
        yield from map(_quantile, _array(point, "quantileValues"))
    else:
        yield from _exponential(point)


def _number(point: dict[str, Any]) -> _Value:
    given = [member for member in ("asInt", "asDouble") if point.get(member) is not None]
    if not given and _is_unrecorded(point):
        return _Value("", None)
    if len(given) != 1:
        msg = "expected a point with one of asInt and asDouble"
        raise InvalidError(msg)
    return _Value("", integer(point["asInt"], INT64) if given == ["asInt"] else double(point["asDouble"]))


def _array(around: dict[str, Any], key: str) -> list[Any]:
    value = around.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        msg = f"expected {key} that are an array"
        raise InvalidError(msg)
    return value


def _buckets(point: dict[str, Any]) -> Iterator[_Value]:
    """Yield how many measurements were at most each bound, as OpenMetrics counts; OTLP gives those in between."""
    counts = [integer(count, UINT64) for count in _array(point, "bucketCounts")]
    bounds = [double(bound) for bound in _array(point, "explicitBounds")]
    if counts and len(counts) != len(bounds) + 1:
        msg = "expected one more of bucketCounts than of explicitBounds"
        raise InvalidError(msg)
    names = [*map(repr, bounds), "+Inf"]
    for name, count in zip(names, accumulate(counts), strict=False):
        yield _Value("_bucket", count, {"le": name}, is_count=True)


def _exponential(point: dict[str, Any]) -> Iterator[_Value | LeftOut]:
    if point.get("zeroCount") is not None:
        yield _Value("_zero_count", integer(point["zeroCount"], UINT64), is_count=True)
    left_out = 0
    for side in ("positive", "negative"):
        buckets = point.get(side)
        if buckets is not None and not isinstance(buckets, dict):
            msg = "expected buckets that are objects"
            raise InvalidError(msg)
        left_out += len(_array(buckets or {}, "bucketCounts"))
    if left_out:
        yield LeftOut("otlp-exponential-buckets", left_out)


def _quantile(entry: object) -> _Value:
    if not isinstance(entry, dict):
        msg = "expected quantileValues that are objects"
        raise InvalidError(msg)
    return _Value("", double(entry.get("value", 0)), {"quantile": repr(double(entry.get("quantile", 0)))})
