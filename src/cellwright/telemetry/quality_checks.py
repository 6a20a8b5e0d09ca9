"""The checks of telemetry's quality as SQL over a lake, one each; `quality` asks them.

Every check returns source, start of the span, its name, how many are wrong, and of how many. In the texts, `{events}`
are the events of all tables, `{periodic}` those of what speaks at even intervals, `{periods}` the granularity periods
in order, `{span}` the start of the span of `ts`.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

PERIODIC: Final = """
    SELECT source, end_ts AS ts, ingest_ts, file_id, dq_flags, suspect, ne_dn AS speaker FROM pm_counters
    UNION ALL SELECT source, export_ts, ingest_ts, file_id, dq_flags, NULL, exporter FROM flows
    UNION ALL SELECT source, ts, ingest_ts, file_id, dq_flags, NULL, target FROM telemetry
"""
EVENTS: Final = """{periodic}
    UNION ALL SELECT source, event_ts, ingest_ts, file_id, dq_flags, NULL, object_dn FROM alarm_events
    UNION ALL SELECT source, ts, ingest_ts, file_id, dq_flags, NULL, host FROM logs
"""
PERIODS: Final = """
    p AS (SELECT DISTINCT source, ne_dn, begin_ts, end_ts AS ts FROM pm_counters WHERE end_ts > begin_ts),
    q AS (SELECT *, lead(begin_ts) OVER (PARTITION BY source, ne_dn ORDER BY begin_ts, ts) AS following FROM p)
"""
ROWS: Final = "WITH e AS ({events}) SELECT source, {span} AS start, count(*) FROM e WHERE ts IS NOT NULL GROUP BY ALL"
"""Source, start of the span, and its rows."""

# A flag may say more behind a colon, as how many messages were lost: it is one check all the same.
_FLAGGED: Final = """
    WITH e AS ({events}),
    n AS (SELECT source, {span} AS start, count(*) AS of FROM e WHERE ts IS NOT NULL GROUP BY ALL),
    f AS (SELECT source, {span} AS start, unnest(dq_flags) AS flag FROM e WHERE ts IS NOT NULL)
    SELECT f.source, f.start, split_part(flag, ':', 1), count(*), any_value(n.of)
    FROM f JOIN n USING (source, start) GROUP BY ALL
"""
_SUSPECT: Final = """
    WITH e AS ({events})
    SELECT source, {span} AS start, 'suspect', count(*) FILTER (suspect), count(*)
    FROM e WHERE ts IS NOT NULL GROUP BY ALL
"""
_NO_TIME: Final = """
    WITH e AS ({events})
    SELECT source, date_trunc('{unit}', ingest_ts) AS start, 'no-time', count(*), count(*)
    FROM e WHERE ts IS NULL GROUP BY ALL
"""
# A period that begins later than the one before ended: as many are missing as would fit between them.
_MISSING: Final = """
    WITH {periods}
    SELECT source, {span} AS start, 'missing-period',
    sum(CASE WHEN following > ts THEN round(epoch(following - ts) / epoch(ts - begin_ts)) ELSE 0 END) AS wrong,
    wrong + count(*) FROM q GROUP BY ALL
"""
_OVERLAPPING: Final = """
    WITH {periods}
    SELECT source, {span} AS start, 'overlapping-period', count(*) FILTER (following < ts), count(*)
    FROM q GROUP BY ALL
"""
# One value of one period in two files: sent again with other content, for the same content is not stored again.
_TWICE: Final = """
    WITH c AS (
        SELECT source, end_ts AS ts, count(DISTINCT file_id) AS files FROM pm_counters WHERE end_ts IS NOT NULL
        GROUP BY source, ne_dn, obj_ldn, meas_info_id, counter, subcounter, begin_ts, end_ts
    )
    SELECT source, {span} AS start, 'twice', sum(files - 1), sum(files) FROM c GROUP BY ALL
"""
# A file that came a minute or more after one of the same speaker with newer events: not with it, as rotated files do.
_LATE: Final = """
    WITH e AS ({events}),
    f AS (
        SELECT source, mode(speaker) AS speaker, file_id, min(ingest_ts) AS came, max(ts) AS ts
        FROM e WHERE ts IS NOT NULL GROUP BY source, file_id
    ),
    g AS (
        SELECT *, max(ts) OVER (
            PARTITION BY source, speaker ORDER BY came
            RANGE BETWEEN UNBOUNDED PRECEDING AND INTERVAL 1 MINUTE PRECEDING
        ) AS before FROM f
    )
    SELECT source, {span} AS start, 'late-file', count(*) FILTER (before > ts), count(*) FROM g GROUP BY ALL
"""
_RESET: Final = """
    WITH c AS (
        SELECT source, ts, start_ts, coalesce(value_f64, value_i64) AS v, lag(v) OVER w AS was,
        lag(start_ts) OVER w AS since
        FROM telemetry WHERE kind = 'counter' AND ts IS NOT NULL
        WINDOW w AS (PARTITION BY source, target, path, CAST(keys AS VARCHAR) ORDER BY ts, file_id, ordinal)
    )
    SELECT source, {span} AS start, 'counter-reset',
    count(*) FILTER (v < was AND start_ts IS NOT DISTINCT FROM since), count(*) FROM c GROUP BY ALL
"""
# Of what speaks at even intervals: no event for three of them and a quarter of an hour, the usual granularity period,
# while others go on. The silence is counted in intervals, in the span of the last event.
_SILENT: Final = """
    WITH e AS (
        SELECT DISTINCT source, date_trunc('minute', ts) AS ts FROM ({periodic})
        WHERE ts IS NOT NULL AND NOT list_contains(dq_flags, 'future-time')
    ),
    g AS (SELECT source, ts, epoch(ts - lag(ts) OVER (PARTITION BY source ORDER BY ts)) AS gap FROM e),
    s AS (SELECT source, max(ts) AS ts, count(*) AS heard, median(gap) AS usual FROM g GROUP BY source),
    n AS (SELECT max(ts) AS now FROM e)
    SELECT source, {span} AS start, 'silent', epoch(now - ts) // usual AS missed, missed + heard
    FROM s, n WHERE usual > 0 AND epoch(now - ts) > greatest(3 * usual, 900)
"""
CHECKS: Final = MappingProxyType(
    {
        "flagged": _FLAGGED,
        "suspect": _SUSPECT,
        "no-time": _NO_TIME,
        "missing-period": _MISSING,
        "overlapping-period": _OVERLAPPING,
        "twice": _TWICE,
        "late-file": _LATE,
        "counter-reset": _RESET,
        "silent": _SILENT,
    }
)
"""All checks; the first stands for one check a flag that rows carry."""
