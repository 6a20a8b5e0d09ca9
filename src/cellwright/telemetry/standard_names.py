"""The names and units that TS 28.552 gives to measurements, for counters that vendors report under those names.

A counter keeps the name it came with; `std_name` is filled where the name, in whatever case, is one of the standard's,
and `unit` (UCUM) where the standard has one and the file said none. The standard has more names than these, of the core
above all.

Source: 3GPP TS 28.552 (release 18), clauses 5.1 (gNB), 5.2 (AMF), 5.3 (SMF), 5.4 (UPF) and 5.1.1.19 (power, energy and
environment). Measurements by family, as in the standard down to its slips of the pen, with their unit.
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
            "RRC ReEstabFallbackToSetupAtt ReEstabSuccWithUeContext ReEstabSuccWithoutUeContext ResumeAtt",
            "RRC ResumeFallbackToSetupAtt ResumeFollowedbyNetworkRelease ResumeFollowedbySuspension ResumeSucc",
            "RRC ResumeSuccByFallback",
            "DRB EstabAtt EstabSucc MeanActiveUeDl MaxActiveUeDl MeanActiveUeUl MaxActiveUeUl AirIfDelayDist",
            "DRB DelayDlNgranUeDist DelayUlNgranUeDist DelayUlNgranUeIncD1Dist EstabAttDC EstabSuccDC",
            "DRB GTPUPathFailure GtpF1DelayDlDist InitialEstabAtt InitialEstabSucc MaxEstabSucc MeanEstabSucc",
            "DRB PacketLossRateULDist PdcpSduDelayDlDist PerDataVolumeDLDist PerDataVolumeULDist RelActNbr",
            "DRB ResumeAtt ResumeSucc RlcPacketDropRateDLDist RlcSduDelayDlDist RlcSduLatencyDlDist UEThpDlDist",
            "DRB UEThpUlDist",
            "QF EstabAttNbr EstabSuccNbr EstabFailNbr InitialEstabAttNbr InitialEstabFailNbr InitialEstabSuccNbr",
            "QF ModNbrAtt ModNbrFail ModNbrSucc RelActNbr ReleaseAttNbr",
            "SM PDUSessionSetupReq PDUSessionSetupSucc PDUSessionSetupFail SessionNbrMean SessionNbrMax",
            "SM PduSessionCreationReq PduSessionCreationSucc PduSessionCreationFail MaxPDUSessionSetupReq",
            "SM MeanPDUSessionSetupReq",
            "MM HoPrepInterReq HoPrepInterSucc HoPrepInterFail HoResAlloInterReq HoResAlloInterSucc",
            "MM HoResAlloInterFail HoExeInterReq HoExeInterSucc HoExeInterFail HoExeIntraReq HoExeIntraSucc",
            "MM ChoExeInterSucc ChoExeIntraSucc ChoPrepInterFail ChoPrepInterFailUes ChoPrepInterReq",
            "MM ChoPrepInterReqUes ChoPrepInterSucc ChoPrepInterSuccUes ChoPrepIntraReq ChoPrepIntraReqUes",
            "MM ChoPrepIntraSucc ChoPrepIntraSuccUes ChoResAlloInterFail ChoResAlloInterReq ChoResAlloInterSucc",
            "MM ConfigInterReqCho ConfigInterReqChoUes ConfigIntraReqCho ConfigIntraReqChoUes DapsHoExeInterFail",
            "MM DapsHoExeInterReq DapsHoExeInterSucc DapsHoExeIntraReq DapsHoExeIntraSucc DapsHoPrepInterFail",
            "MM DapsHoPrepInterReq DapsHoPrepInterSucc DapsHoPrepIntraReq DapsHoPrepIntraSucc",
            "MM DapsHoResAlloInterFail DapsHoResAlloInterReq DapsHoResAlloInterSucc HoExeInterFreqReq",
            "MM HoExeInterFreqSucc HoExeInterSSBFail HoExeInterSSBSucc HoExeIntraFreqReq HoExeIntraFreqSucc",
            "MM HoIncEpsTo5gsResAlloFail HoIncEpsTo5gsResAlloReq HoIncEpsTo5gsResAlloSucc",
            "MM HoOut5gsToEpsFallbackPrepFail HoOut5gsToEpsFallbackPrepReq HoOut5gsToEpsFallbackPrepSucc",
            "MM HoOut5gsToEpsPrepFail HoOut5gsToEpsPrepReq HoOut5gsToEpsPrepSucc HoOutExe5gsToEpsFail",
            "MM HoOutExe5gsToEpsFallbackFail HoOutExe5gsToEpsFallbackSucc HoOutExe5gsToEpsReq",
            "MM HoOutExe5gsToEpsSucc HoPrepIntraReq HoPrepIntraSucc",
            "RM RegisteredSubNbrMean RegisteredSubNbrMax RegInitReq RegInitSucc RegMobReq RegMobSucc RegPeriodReq",
            "RM RegPeriodSucc RegEmergReq RegEmergSucc",
            "RRU PrbUsedDl PrbUsedUl PrbAvailDl PrbAvailUl MaxLayerDlMimo MaxLayerUlMimo MaxPrbUsedDl",
            "RRU MaxPrbUsedUl PrbTotDlDist PrbTotUlDist",
            "GTP InDataPktN3UPF OutDataPktN3UPF DelayDlPsaUpfNgranDist InDataPktPacketLossN3gNB",
            "CARR AverageLayersDl AverageLayersUl MUPDSCHMCSDist MUPDSCHRB MUPUSCHMCSDist MUPUSCHRB PDSCHMCSDist",
            "CARR PUSCHMCSDist WBCQIDist",
            "L1M ATADist DL-SS-RSRP DL-SS-SINR PHR1 RSRPEutraNbr SS-RSRP SS-RSRPNrNbr SSBBeamRelatedUeNbr",
            "L1M UL-SRS-RSRP",
            "MR IntrCellSuccSSBSwitch IntraCellSSBSwitchReq NRScSRSRSRP NRScSSRSRQ NRScSSSINR SS-RSRQ",
            "MR SS-RSRQPerSSB SS-SINR SS-SINRPerSSB",
            "PAG DiscardedNbr DiscardedNbrCnInitiated DiscardedNbrRanInitiated ReceivedNbr ReceivedNbrCnInitiated",
            "RACH AccessDelayDist PreambleA PreambleACell PreambleB PreambleBCell PreambleDed PreambleDedCell",
            "RACH PreambleDist",
            "TB ErrNbrUlInitial ErrTotNbrDl ErrTotNbrUl IntialErrNbrDl ResidualErrNbrDl ResidualErrNbrUl TotNbrDl",
            "TB TotNbrDlInitial TotNbrUl TotNbrUlInit",
            "UECNTX ConnEstabAtt ConnEstabSucc RelCmd RelReq",
        ),
        "%": (
            "RRU PrbTotDl PrbTotUl PrbTotDlMimo PrbTotSdmDl PrbTotSdmUl PrbTotUlMimo",
            "DRB UEUnresVolDl UEUnresVolUl",
            "VR VCpuUsageMean VDiskUsageMean VMemoryUsageMean",
        ),
        "kbit/s": ("DRB UEThpDl UEThpUl",),
        None: (
            "DRB PdcpSduVolumeDL PdcpSduVolumeUL AirIfDelayDl AirIfDelayUl F1UpacketLossRateDl",
            "DRB F1UpacketLossRateUl PacketLossRateUl PacketLossRateUu PacketSuccessRateUlgNBUu PdcpF1DelayDl",
            "DRB PdcpPacketDropRateDl PdcpReordDelayUl PdcpSduDelayDl PdcpSduVolumeX2DL PdcpSduVolumeX2UL",
            "DRB PdcpSduVolumeXnDL PdcpSduVolumeXnUL RlcDelayUl RlcPacketDropRateDl RlcSduDelayDl RlcSduLatencyDl",
            "DRB RlcSduTransmittedVolumeDL RlcSduTransmittedVolumeUL SessionTime XnuPdcpSduVolumeDl",
            "DRB XnuPdcpSduVolumeUl",
            "CARR MaxTxPwr",
            "GTP DelayDlPsaUpfNgranMean",
            "MM Ho5gsToEpsFallbackTimeMean",
            "QF SessionTimeQoS SessionTimeUE",
            "QosFlow PdcpPduVolumeDL PdcpPduVolumeUL PdcpSduVolumeDl PdcpSduVolumeUl",
        ),
        "By": ("GTP InDataOctN3UPF OutDataOctN3UPF",),
        "W": ("PEE AvgPower MinPower MaxPower",),
        "kW.h": ("PEE Energy",),
        "Cel": ("PEE AvgTemperature MinTemperature MaxTemperature",),
        "V": ("PEE Voltage",),
        "A": ("PEE Current",),
    }
)


def _measurements() -> Iterator[tuple[str, str | None]]:
    for unit, lines in _BY_UNIT.items():
        for line in lines:
            family, *names = line.split()
            for name in names:
                yield f"{family}.{name}", unit


MEASUREMENTS: Final = MappingProxyType(dict(_measurements()))
"""Units by standard name, None where the standard's releases name more than one, as of volumes and delays."""
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
