"""Rows of `alarm_events` and `logs` from many VES events at once, a column at a time."""

from __future__ import annotations

from functools import lru_cache
from itertools import chain, repeat
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from cellwright.lake.schema import FACTS
from cellwright.telemetry.formats.names import join_dn, rdn
from cellwright.telemetry.formats.severities import SEVERITY_NUMBERS
from cellwright.telemetry.formats.ves_alarms import ACTIONS, CLEARED, CLEARED_ALARM, NEW_ALARM, notification_row
from cellwright.telemetry.formats.ves_header import HEADER_TEXTS, read_offset_s
from cellwright.telemetry.formats.ves_logs import WORDS, facility_of, priority_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import msgspec

    from cellwright.telemetry.formats import ves_model as model

_TS: Final = pa.timestamp("us", tz="UTC")
_UNREADABLE: Final = "unreadable-utc-offset"
_OWN_PREFIXES: Final = ("ves.", "syslog.")
_offset_s = lru_cache(maxsize=4096)(read_offset_s)


def nothing(field: pa.Field, count: int) -> pa.Array:
    """Return a column of nulls."""
    return pa.nulls(count, field.type)


def epochs(column: Sequence[float]) -> pa.Array:
    """Return the timestamps that VES epochs in microseconds say."""
    return pa.array([int(epoch) for epoch in column], pa.int64()).cast(_TS)


class Columns:
    """The attributes of records of one type, a list of each."""

    def __init__(self, records: Sequence[msgspec.Struct]) -> None:
        self._records = records

    def __getitem__(self, name: str) -> list[Any]:
        return list(map(attrgetter(name), self._records))


def header_columns(header: Columns) -> dict[str, pa.Array]:
    """Return vendor, offset and flags of events."""
    zones = header["time_zone_offset"]
    offsets = [None if zone is None else _offset_s(zone) for zone in zones]
    unread = [zone is not None and offset is None for zone, offset in zip(zones, offsets, strict=True)]
    flags = pa.repeat(pa.scalar(_UNREADABLE), sum(unread))
    return {
        "vendor": pa.array(header["nf_vendor_name"], pa.string()),
        "utc_offset_s": pa.array(offsets, pa.int32()),
        "dq_flags": pa.ListArray.from_arrays(offsets_of(np.array(unread, np.int64)), flags),
    }


def offsets_of(counts: np.ndarray[Any, np.dtype[np.int64]]) -> pa.Array:
    """Return where each list starts and the last ends."""
    return pa.array(np.concatenate(([0], np.cumsum(counts))).astype(np.int32))


def _header_texts(header: Columns) -> dict[str, Sequence[str | None]]:
    texts: dict[str, Sequence[str | None]] = {name: header[attribute] for name, attribute in HEADER_TEXTS.items()}
    texts["ves.sequence"] = [str(number) for number in header["sequence"]]
    return texts


def is_mergeable(names: Collection[str]) -> bool:
    """Return whether none of the names that an event gives is one of our own."""
    return not (names and any(map(str.startswith, names, repeat(_OWN_PREFIXES))))


def text_maps(given: Sequence[Mapping[str, str]], own: Mapping[str, Sequence[str | None]]) -> pa.MapArray:
    """Return for each event the pairs it gives, then those of our own names that are not null."""
    count = len(given)
    columns = {name: pa.array(column, pa.string()) for name, column in own.items()}
    columns = {name: column for name, column in columns.items() if column.null_count < count}
    sizes = np.fromiter(map(len, given), np.int64, count)
    n_given = int(sizes.sum())
    names = pa.array([*chain.from_iterable(given), *columns], pa.string())
    texts = [pa.array([*chain.from_iterable(one.values() for one in given if one)], pa.string()), *columns.values()]
    valid = np.column_stack([np.zeros((count, 0), bool), *map(_valid, columns.values())])
    ends = np.cumsum(sizes + valid.sum(axis=1))
    order = np.empty(int(ends[-1]), np.int64)  # which pair, of those given and then of each column, stands where
    firsts = np.concatenate(([0], ends[:-1]))
    within = np.arange(n_given) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    order[np.repeat(firsts, sizes) + within] = np.arange(n_given)
    places = (firsts + sizes)[:, None] + np.cumsum(valid, axis=1) - 1
    order[places[valid]] = (n_given + np.arange(valid.size).reshape(valid.shape[::-1]).T)[valid]
    name_of = np.where(order < n_given, order, n_given + (order - n_given) // count)
    return pa.MapArray.from_arrays(
        pa.array(np.concatenate(([0], ends)).astype(np.int32)),
        names.take(pa.array(name_of)),
        pa.concat_arrays(texts).take(pa.array(order)),
    )


def _valid(column: pa.Array) -> np.ndarray[Any, np.dtype[np.bool_]]:
    if not column.null_count:
        return np.ones(len(column), bool)
    valid: np.ndarray[Any, np.dtype[np.bool_]] = column.is_valid().to_numpy(zero_copy_only=False)
    return valid


@lru_cache(maxsize=1 << 16)
def _part_dn(source: str, kind: str, part: str | None) -> str | None:
    return join_dn(rdn("ManagedElement", source), rdn(kind, part) if part else None)


def fault_rows(
    headers: Sequence[model.Header], faults: Sequence[model.Fault], ordinals: Sequence[int]
) -> pa.RecordBatch:
    """Return the rows of faults, as `ves_alarms.fault_row` has them."""
    header, fault = Columns(headers), Columns(faults)
    cleared = [severity == "NORMAL" for severity in fault["event_severity"]]
    kinds, interfaces = fault["event_source_type"], fault["alarm_interface_a"]
    own = {
        "ves.eventSourceType": kinds,
        "ves.vfStatus": fault["vf_status"],
        "ves.eventCategory": fault["event_category"],
        **_header_texts(header),
    }
    columns = _alarm_columns(header, cleared, fault["event_severity"], ordinals) | {
        "notification_type": pa.array([CLEARED_ALARM if is_cleared else NEW_ALARM for is_cleared in cleared]),
        "probable_cause": pa.array(fault["alarm_condition"]),
        "specific_problem": pa.array(fault["specific_problem"]),
        "object_dn": pa.array(map(_part_dn, header["source_name"], kinds, interfaces), pa.string()),
        "additional": text_maps(fault["alarm_additional_information"], own),
    }
    return _table("alarm_events", columns, len(faults))


def crossing_rows(
    headers: Sequence[model.Header], alerts: Sequence[model.ThresholdCrossingAlert], ordinals: Sequence[int]
) -> pa.RecordBatch:
    """Return the rows of threshold crossings, as `ves_alarms.crossing_row` has them."""
    header, alert = Columns(headers), Columns(alerts)
    actions, severities = alert["alert_action"], alert["event_severity"]
    cleared = [action == "CLEAR" or severity == "NORMAL" for action, severity in zip(actions, severities, strict=True)]
    own = {
        "ves.alertType": alert["alert_type"],
        "ves.alertValue": alert["alert_value"],
        "ves.collectionTimestamp": alert["collection_timestamp"],
        "ves.elementType": alert["element_type"],
        "ves.networkService": alert["network_service"],
        "ves.possibleRootCause": alert["possible_root_cause"],
        **_header_texts(header),
    }
    interfaces = (
        _part_dn(source, "interface", name)
        for source, name in zip(header["source_name"], alert["interface_name"], strict=True)
    )
    columns = _alarm_columns(header, cleared, severities, ordinals) | {
        "notification_type": pa.array(
            [
                CLEARED_ALARM if is_cleared else ACTIONS[action]
                for is_cleared, action in zip(cleared, actions, strict=True)
            ]
        ),
        "event_type": pa.repeat(pa.scalar("QUALITY_OF_SERVICE_ALARM"), len(alerts)),
        "probable_cause": pa.repeat(pa.scalar("thresholdCrossed"), len(alerts)),
        "specific_problem": pa.array(alert["alert_description"]),
        "object_dn": pa.array(interfaces, pa.string()),
        "correlated_ids": pa.array(alert["associated_alert_id_list"], pa.list_(pa.string())),
        "additional": text_maps([crossed_pairs(one) for one in alerts], own),
    }
    return _table("alarm_events", columns, len(alerts))


def crossed_pairs(alert: model.ThresholdCrossingAlert) -> dict[str, str]:
    """Return what an alert says of the counters crossed, then its additional fields with other names."""
    crossed = {
        f"{crossing.threshold_crossed}.{name}": text
        for crossing in alert.additional_parameters
        for name, text in crossing.hash_map.items()
    }
    return crossed | {name: text for name, text in alert.additional_fields.items() if name not in crossed}


def _alarm_columns(
    header: Columns, cleared: list[bool], severities: Sequence[str], ordinals: Sequence[int]
) -> dict[str, pa.Array]:
    ends = epochs(header["last_epoch_microsec"])
    return header_columns(header) | {
        "ordinal": pa.array(ordinals, pa.int64()),
        "alarm_id": pa.array(header["event_id"]),
        "event_ts": ends,
        "raised_ts": epochs(header["start_epoch_microsec"]),
        "cleared_ts": ends.take(pa.array(np.arange(len(cleared)), mask=~np.array(cleared))),
        "perceived_severity": pa.array(
            [CLEARED if is_cleared else severity for is_cleared, severity in zip(cleared, severities, strict=True)]
        ),
    }


def notification_rows(
    headers: Sequence[model.Header], blocks: Sequence[model.StandardDefined], ordinals: Sequence[int]
) -> pa.RecordBatch:
    """Return the rows of 3GPP fault notifications, as `ves_alarms.notification_row` has them."""
    rows = [*map(notification_row, headers, blocks)]
    columns = {
        field.name: pa.array([row.get(field.name) for row in rows], field.type) for field in FACTS["alarm_events"]
    }
    return _table("alarm_events", columns | {"ordinal": pa.array(ordinals, pa.int64())}, len(rows))


def log_rows(headers: Sequence[model.Header], logs: Sequence[model.Syslog], ordinals: Sequence[int]) -> pa.RecordBatch:
    """Return the rows of log records, as `ves_logs.log_row` has them."""
    header, log = Columns(headers), Columns(logs)
    priorities = [priority_of(pri) for pri in log["syslog_pri"]]
    hosts = zip(log["syslog_msg_host"], log["event_source_host"], header["source_name"], strict=True)
    own = {
        "ves.eventId": header["event_id"],
        "ves.sourceName": header["source_name"],
        "ves.eventSourceType": log["event_source_type"],
        "syslog.sdId": log["syslog_sd_id"],
        "syslog.sData": log["syslog_s_data"],
        "syslog.ts": log["syslog_ts"],
        **_header_texts(header),
    }
    columns = header_columns(header) | {
        "ordinal": pa.array(ordinals, pa.int64()),
        "ts": epochs(header["last_epoch_microsec"]),
        "severity_number": pa.array(
            [
                SEVERITY_NUMBERS[WORDS.index(word)] if word else pair[1]
                for word, pair in zip(log["syslog_sev"], priorities, strict=True)
            ],
            pa.int32(),
        ),
        "body": pa.array(log["syslog_msg"]),
        "facility": pa.array(map(facility_of, log["syslog_facility"], priorities), pa.int32()),
        "host": pa.array([said or heard or source for said, heard, source in hosts]),
        "app": pa.array([name or tag for name, tag in zip(log["syslog_proc"], log["syslog_tag"], strict=True)]),
        "procid": pa.array([None if number is None else str(number) for number in log["syslog_proc_id"]], pa.string()),
        "msgid": pa.array(log["syslog_tag"]),
        "attributes": text_maps(log["additional_fields"], own),
    }
    return _table("logs", columns, len(logs))


def _table(name: str, columns: Mapping[str, pa.Array], count: int) -> pa.RecordBatch:
    schema = FACTS[name]
    arrays = [columns[field.name] if field.name in columns else nothing(field, count) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
