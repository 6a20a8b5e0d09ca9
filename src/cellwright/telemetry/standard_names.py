"""The names and units that TS 28.552 gives to measurements, for counters that vendors report under those names.

A counter keeps the name it came with; `std_name` is filled where the name, in whatever case, is one of the standard's,
and `unit` (UCUM) where the standard has one and the file said none. The standard has more names than these.

Source: 3GPP TS 28.552 (release 18), clauses 5.1 (gNB), 5.2 (AMF), 5.3 (SMF), 5.4 (UPF) and 5.1.1.19 (power, energy and
environment). Measurements by family, as in the standard, with their unit.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterator

_COUNT: Final = "1"
_BY_UNIT: Final = MappingProxyType(
    {
        _COUNT: (
            "RRC ConnMean ConnMax ConnEstabAtt ConnEstabSucc InactiveConnMean InactiveConnMax ReEstabAtt",
            "DRB EstabAtt EstabSucc MeanActiveUeDl MaxActiveUeDl MeanActiveUeUl MaxActiveUeUl",
            "QF EstabAttNbr EstabSuccNbr EstabFailNbr",
            "SM PDUSessionSetupReq PDUSessionSetupSucc PDUSessionSetupFail SessionNbrMean SessionNbrMax",
            "SM PduSessionCreationReq PduSessionCreationSucc PduSessionCreationFail",
            "MM HoPrepInterReq HoPrepInterSucc HoPrepInterFail HoResAlloInterReq HoResAlloInterSucc HoResAlloInterFail",
            "MM HoExeInterReq HoExeInterSucc HoExeInterFail HoExeIntraReq HoExeIntraSucc",
            "RM RegisteredSubNbrMean RegisteredSubNbrMax RegInitReq RegInitSucc RegMobReq RegMobSucc RegPeriodReq",
            "RM RegPeriodSucc RegEmergReq RegEmergSucc",
            "RRU PrbUsedDl PrbUsedUl PrbAvailDl PrbAvailUl",
            "GTP InDataPktN3UPF OutDataPktN3UPF",
        ),
        "%": ("RRU PrbTotDl PrbTotUl",),
        "kbit/s": ("DRB UEThpDl UEThpUl",),
        "Mbit": ("DRB PdcpSduVolumeDL PdcpSduVolumeUL",),
        "By": ("GTP InDataOctN3UPF OutDataOctN3UPF",),
        "W": ("PEE AvgPower MinPower MaxPower",),
        "kW.h": ("PEE Energy",),
        "Cel": ("PEE AvgTemperature MinTemperature MaxTemperature",),
        "V": ("PEE Voltage",),
        "A": ("PEE Current",),
    }
)


def _measurements() -> Iterator[tuple[str, str]]:
    for unit, lines in _BY_UNIT.items():
        for line in lines:
            family, *names = line.split()
            for name in names:
                yield f"{family}.{name}", unit


MEASUREMENTS: Final = MappingProxyType(dict(_measurements()))
"""Units by standard name."""
_FOLDED: Final = pa.array([name.lower() for name in MEASUREMENTS], pa.string())
_NAMES: Final = pa.array(list(MEASUREMENTS), pa.string())
_UNITS: Final = pa.array(list(MEASUREMENTS.values()), pa.string())


def named(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Return rows of `pm_counters` with `std_name` and `unit` where they say none and the standard does."""
    counters = rows["counter"]
    if not pa.types.is_dictionary(counters.type):
        counters = counters.dictionary_encode()
    known = pc.index_in(pc.ascii_lower(counters.dictionary), _FOLDED)
    if known.null_count == len(known):
        return rows
    place = known.take(counters.indices)
    for name, values in (("std_name", _NAMES), ("unit", _UNITS)):
        column, said = rows.schema.get_field_index(name), rows[name]
        standard = pa.DictionaryArray.from_arrays(place, values)
        if said.null_count < len(said):
            standard = pc.coalesce(said.cast(pa.string()), standard.cast(pa.string()))
        rows = rows.set_column(column, rows.schema.field(column), standard.cast(said.type))
    return rows
