"""Made-up subscribers, and a record of which of their identifiers went into the telemetry."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from random import Random

_PLMN: Final = "00101"  # MCC 001 and MNC 01: the test network of TS 36.523-3 and ITU-T E.212
_MSISDN: Final = 447_700_900_000  # Ofcom keeps +44 7700 900000 to 900999 for fiction
_TAC: Final = "35209900"  # type allocation code of the IMEI (TS 23.003, 6.2.1)
_UE_IPV4: Final = int(IPv4Address("100.64.0.0"))  # shared address space of operators, RFC 6598
_UE_IPV6: Final = int(IPv6Address("2001:db8:cafe::"))  # documentation, RFC 3849


class Planted(NamedTuple):
    """One identifier as it is spelt in the telemetry; kinds are those of TS 23.003 and addresses."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Subscriber:
    """One subscription and its device."""

    imsi: str
    msisdn: str
    imei: str
    ipv4: str
    ipv6: str

    @property
    def supi(self) -> str:
        """SUPI of the IMSI type (TS 23.003, 2.2A)."""
        return f"imsi-{self.imsi}"

    @property
    def suci(self) -> str:
        """SUCI with the null scheme (TS 23.003, 2.2B): it spells the subscriber's number out."""
        return f"suci-0-{_PLMN[:3]}-{_PLMN[3:]}-0000-0-0-{self.imsi[5:]}"


class Subscribers:
    """The subscribers of a simulation; `plant` hands an identifier out and remembers it."""

    def __init__(self, random: Random, count: int) -> None:
        numbers = random.sample(range(10**9), count)
        self._all = tuple(_subscriber(index, number) for index, number in enumerate(numbers))
        self._planted: dict[Planted, None] = {}

    @property
    def planted(self) -> tuple[Planted, ...]:
        """Every identifier handed out, by kind and value."""
        return tuple(sorted(self._planted))

    def any(self, random: Random) -> Subscriber:
        """Return one of the subscribers."""
        return random.choice(self._all)

    def plant(self, subscriber: Subscriber, kind: str) -> str:
        """Return an identifier of a subscriber: imsi, supi, suci, msisdn, imei, ipv4 or ipv6."""
        value = str(getattr(subscriber, kind))
        self._planted[Planted(kind, value)] = None
        return value


def _subscriber(index: int, number: int) -> Subscriber:
    return Subscriber(
        imsi=f"{_PLMN}{number:010d}",
        msisdn=f"+{_MSISDN + index}",
        imei=_with_check_digit(f"{_TAC}{number % 10**6:06d}"),
        ipv4=str(IPv4Address(_UE_IPV4 + 256 + number % 2**20)),
        ipv6=str(IPv6Address(_UE_IPV6 + (index + 1 << 64) + number)),
    )


def _with_check_digit(digits: str) -> str:
    """Return fourteen digits and their Luhn check digit (TS 23.003, annex B)."""
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(digits))
    total = sum(value // 10 + value % 10 for value in doubled)
    return f"{digits}{-total % 10}"
