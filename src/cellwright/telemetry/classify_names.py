"""What the name of a field says: of whom it speaks, where somebody is, or only how many there are."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

_SUBJECT: Final = """
imsi supi suci msisdn gpsi imei imeisv pei iccid guti tmsi msin subscriber customer surname firstname lastname fullname
email phone iban passport caller callee calling called payer contract subs forename givenname middlename username userid
partynumber anumber bnumber anum bnum aparty bparty otherparty homeaddress streetaddress postaladdress street
postcode zipcode ssn socialsecurity taxid nationalid identitycard drivinglicence dob birth birthday birthdate
dateofbirth
"""
"""Of a person or a device: identifiers of TS 23.003, and everyday customer data."""

_BORN: Final = "dob birth birthday birthdate dateofbirth"
_SORTED: Final = "model type vendor brand category status version class tariff segment group language"
"""Of a kind of people or devices, not of one."""

_ADDRESSED: Final = "ue user subscriber client customer framed"
"""Whose network address it is, where the address is a person's."""

_PLACE: Final = "latitude longitude lat lon lng gps location geohash tai tac ecgi ncgi cgi eci nci cell cellid lac"
_POINT: Final = "latitude longitude lat lon lng gps geohash"
_SIGNALLING: Final = (
    "signalling signaling procedure nas ngap s1ap gtp pfcp diameter sip cdr teid session pdu apn dnn cause"
)
_TICKET: Final = "ticket complaint resolution workorder worklog helpdesk incident"
_NETWORK: Final = """
alarm fault parameter vlan neighbour firmware version model config node rack host hostname exporter device port
interface element site region zone severity facility vendor serial gateway router switch dn object domain gnb enb
"""
_COUNTED: Final = """
count counts counter counters total totals rate ratio avg average mean sum min max pct percent percentage octets bytes
packets numberof num qty quantity capacity attempts failures throughput latency utilization utilisation usage duration
delay mbps kbps ms seconds prb rsrp sinr value amount load memory mib cpu milli volume size drops errors
"""
_TIMED: Final = (
    "time timestamp ts date day hour epoch created updated begin end start creation deletion scheduled offset period"
)
_BUSINESS: Final = "invoice bill order po receipt voucher transaction request trace span correlation hash digest uuid"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SUBJECT: Final = _words(_SUBJECT)
ADDRESSED: Final = _words(_ADDRESSED)
BORN: Final = _words(_BORN)
SORTED: Final = _words(_SORTED)
PLACE: Final = _words(_PLACE)
POINT: Final = _words(_POINT)
SIGNALLING: Final = _words(_SIGNALLING)
TICKET: Final = _words(_TICKET)
NETWORK: Final = _words(_NETWORK)
COUNTED: Final = _words(_COUNTED)
TIMED: Final = _words(_TIMED)
BUSINESS: Final = _words(_BUSINESS)


def words_of(name: str) -> frozenset[str]:
    """Return the words of a field's name: `servingCellId`, `serving_cell_id` and `serving.cell.id` have the same."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    found = [word for word in re.split(r"[^a-z0-9]+", apart.lower()) if word]
    pairs = {first + second for first, second in pairwise(found)}  # `first_name` is a `firstname`
    return frozenset(found) | pairs
