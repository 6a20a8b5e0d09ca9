"""Names of notifications and objects of public MIBs, by object identifier.

Sources: RFC 3418 (SNMPv2-MIB), RFC 2863 (IF-MIB), RFC 3877 (ALARM-MIB), RFC 2819 (RMON-MIB), RFC 4273 (BGP4-MIB),
RFC 6933 (ENTITY-MIB), RFC 3584 (SNMP-COMMUNITY-MIB), RFC 3414 (USM), RFC 3014 (NOTIFICATION-LOG-MIB).
"""

from __future__ import annotations

from functools import lru_cache
from types import MappingProxyType
from typing import Final

_MIB2: Final = "1.3.6.1.2.1."
_SNMP: Final = "1.3.6.1.6.3."

NOTIFICATIONS: Final = MappingProxyType(
    {
        f"{_SNMP}1.1.5.1": "coldStart",
        f"{_SNMP}1.1.5.2": "warmStart",
        f"{_SNMP}1.1.5.3": "linkDown",
        f"{_SNMP}1.1.5.4": "linkUp",
        f"{_SNMP}1.1.5.5": "authenticationFailure",
        f"{_SNMP}1.1.5.6": "egpNeighborLoss",
        f"{_MIB2}15.0.1": "bgpEstablishedNotification",
        f"{_MIB2}15.0.2": "bgpBackwardTransNotification",
        f"{_MIB2}16.0.1": "risingAlarm",
        f"{_MIB2}16.0.2": "fallingAlarm",
        f"{_MIB2}47.2.0.1": "entConfigChange",
        f"{_MIB2}118.0.2": "alarmActiveState",
        f"{_MIB2}118.0.3": "alarmClearState",
    }
)
"""What a snmpTrapOID says."""

_OBJECTS: Final = {
    f"{_MIB2}1.1": "sysDescr",
    f"{_MIB2}1.2": "sysObjectID",
    f"{_MIB2}1.3": "sysUpTime",
    f"{_MIB2}1.4": "sysContact",
    f"{_MIB2}1.5": "sysName",
    f"{_MIB2}1.6": "sysLocation",
    f"{_MIB2}2.2.1.1": "ifIndex",
    f"{_MIB2}2.2.1.2": "ifDescr",
    f"{_MIB2}2.2.1.3": "ifType",
    f"{_MIB2}2.2.1.5": "ifSpeed",
    f"{_MIB2}2.2.1.7": "ifAdminStatus",
    f"{_MIB2}2.2.1.8": "ifOperStatus",
    f"{_MIB2}2.2.1.9": "ifLastChange",
    f"{_MIB2}15.3.1.2": "bgpPeerState",
    f"{_MIB2}15.3.1.7": "bgpPeerRemoteAddr",
    f"{_MIB2}15.3.1.14": "bgpPeerLastError",
    f"{_MIB2}16.3.1.1.1": "alarmIndex",
    f"{_MIB2}16.3.1.1.3": "alarmVariable",
    f"{_MIB2}16.3.1.1.4": "alarmSampleType",
    f"{_MIB2}16.3.1.1.5": "alarmValue",
    f"{_MIB2}16.3.1.1.7": "alarmRisingThreshold",
    f"{_MIB2}16.3.1.1.8": "alarmFallingThreshold",
    f"{_MIB2}31.1.1.1.1": "ifName",
    f"{_MIB2}31.1.1.1.15": "ifHighSpeed",
    f"{_MIB2}31.1.1.1.18": "ifAlias",
    f"{_MIB2}47.1.1.1.1.2": "entPhysicalDescr",
    f"{_MIB2}47.1.1.1.1.7": "entPhysicalName",
    f"{_MIB2}118.1.1.2.1.3": "alarmModelNotificationId",
    f"{_MIB2}118.1.2.2.1.10": "alarmActiveResourceId",
    f"{_MIB2}118.1.2.2.1.11": "alarmActiveDescription",
    f"{_MIB2}118.1.2.2.1.13": "alarmActiveModelPointer",
    f"{_SNMP}1.1.4.1": "snmpTrapOID",
    f"{_SNMP}1.1.4.3": "snmpTrapEnterprise",
    f"{_SNMP}18.1.3": "snmpTrapAddress",
}

SECRETS: Final = (
    f"{_SNMP}18.1.4.",  # snmpTrapCommunity
    f"{_SNMP}18.1.1.",  # snmpCommunityTable: communities as values and as index
    f"{_SNMP}18.1.2.",  # snmpTargetAddrExtTable
    f"{_SNMP}15.1.2.",  # usmUserTable: users as index, changes of keys as values
    f"{_MIB2}92.1.3.1.1.8.",  # nlmLogContextName: of v1 traps it is the community
    f"{_MIB2}118.1.2.2.1.7.",  # alarmActiveContextName, likewise
    f"{_MIB2}118.1.3.2.1.6.",  # alarmClearContextName, likewise
)
"""Beginnings of objects that tell communities, users or keys."""


@lru_cache(maxsize=4096)
def name_of(oid: str) -> str:
    """Return the identifier with its known beginning replaced by a name, as `ifIndex.5`; others stay numbers."""
    if oid in NOTIFICATIONS:
        return NOTIFICATIONS[oid]
    known, rest = oid, ""
    while known and known not in _OBJECTS:
        known, _, arc = known.rpartition(".")
        rest = f".{arc}{rest}"
    return f"{_OBJECTS[known]}{rest}" if known else oid
