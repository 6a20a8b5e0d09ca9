"""The public alarm lists as tables, read by the delimited format as mediation does."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pyarrow as pa

from cellwright.lake.schema import TABLES
from cellwright.telemetry.formats.delimited import Delimited
from cellwright.telemetry.formats.delimited_mapping import load_mapping

ROOT = Path(__file__).parents[2]
LISTS = sorted((Path(os.environ.get("CELLWRIGHT_DATA") or ROOT / "../shared/data") / "alarms").glob("*.tar.gz"))


def read_list(path: Path) -> pa.Table:
    mapping = ROOT / "examples/mappings/alarm-list.yaml"
    form = Delimited(load_mapping(mapping.read_text(encoding="utf-8"), mapping.name))
    with tarfile.open(path) as archive:
        name = next(name for name in archive.getnames() if name.endswith(".csv"))
        raw = io.BytesIO(archive.extractfile(name).read())
    facts = pa.Table.from_batches([batch.tables["alarm_events"] for batch in form.parse(raw)])
    envelope = {"tenant": "t", "source": path.name, "file_id": "f", "ingest_ts": 0}
    for key, value in envelope.items():
        facts = facts.append_column(
            key, pa.repeat(pa.scalar(value, TABLES["alarm_events"].field(key).type), len(facts))
        )
    return facts.select(TABLES["alarm_events"].names)
