"""RFC 5424 logs of core functions and routers, with subscriber identifiers where real ones have them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from cellwright.simulate.network import AMF, SMF, UPF, dice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from random import Random

    from cellwright.simulate.faults import Fault
    from cellwright.simulate.network import Network
    from cellwright.simulate.story import Story
    from cellwright.simulate.subscribers import Subscriber, Subscribers

_LOCAL4: Final = 20  # facility, RFC 5424 6.2.1
_SEVERITIES: Final = {"CRITICAL": 2, "MAJOR": 3, "MINOR": 4, "WARNING": 4}
_INFORMATIONAL: Final = 6
_MEAN_GAP_S: Final = 40.0
_TRACED_MESSAGES: Final = 12


class _Book:
    """Writes lines about subscribers and has their identifiers remembered."""

    def __init__(self, subscribers: Subscribers, network: Network, random: Random) -> None:
        self._subscribers = subscribers
        self._network = network
        self._random = random

    def line(self, element: str) -> tuple[str, str, str]:
        """Return (message id, structured data, message) of an everyday event."""
        writers: dict[str, tuple[Callable[[Subscriber], tuple[str, str, str]], ...]] = {
            AMF: (self._registration, self._handover),
            SMF: (self._session, self._charging),
            UPF: (self._flow, self._flow_v6),
        }
        choices = writers.get(element, (self._interface,))
        return self._random.choice(choices)(self._subscribers.any(self._random))

    def _name(self, subscriber: Subscriber, kind: str) -> str:
        return self._subscribers.plant(subscriber, kind)

    def _registration(self, ue: Subscriber) -> tuple[str, str, str]:
        data = f'[ue@32473 supi="{self._name(ue, "supi")}" pei="imei-{self._name(ue, "imei")}"]'
        return "REG", data, f"Registration accepted, {self._name(ue, 'suci')} resolved"

    def _handover(self, ue: Subscriber) -> tuple[str, str, str]:
        source, target = (self._random.choice(self._network.gnbs).name for _ in range(2))
        return "HO", "-", f"Handover of IMSI {self._name(ue, 'imsi')} from {source} to {target} complete"

    def _session(self, ue: Subscriber) -> tuple[str, str, str]:
        data = f'[ue@32473 supi="{self._name(ue, "supi")}" ueIpv6="{self._name(ue, "ipv6")}"]'
        return "PDU", data, f"PDU session 5 established, UE address {self._name(ue, 'ipv4')}, dnn internet"

    def _charging(self, ue: Subscriber) -> tuple[str, str, str]:
        return "CHF", "-", f"Charging record closed for msisdn={self._name(ue, 'msisdn')}"

    def _flow(self, ue: Subscriber) -> tuple[str, str, str]:
        teid = self._random.getrandbits(32)
        return "GTPU", "-", f"Error indication for UE {self._name(ue, 'ipv4')} teid 0x{teid:08x}"

    def _flow_v6(self, ue: Subscriber) -> tuple[str, str, str]:
        return "FLOW", "-", f"Buffer full, dropped downlink packets to [{self._name(ue, 'ipv6')}]:443"

    def _interface(self, _: Subscriber) -> tuple[str, str, str]:
        load = self._random.randint(5, 80)
        return "IFSTAT", f'[if@32473 name="Port=to-core" load="{load}"]', f"interface load {load} percent"


def log_files(story: Story) -> Iterator[tuple[str, bytes]]:
    """Yield (path, lines): one file for each element, and a trace that carries an IMSI in its name."""
    random = dice(story.seed, "logs")
    book = _Book(story.subscribers, story.network, random)
    radio = {gnb.name for gnb in story.network.gnbs}
    for element in story.network.elements:
        if element not in radio:
            entries = [*_everyday(story, book, element, random), *_troubles(element, story.faults)]
            yield f"syslog/{element}.log", "".join(line for _, line in sorted(entries)).encode()
    yield _trace(story.subscribers, random, story.start)


def _everyday(story: Story, book: _Book, element: str, random: Random) -> Iterator[tuple[datetime, str]]:
    moment = story.start + timedelta(seconds=random.uniform(0, _MEAN_GAP_S))
    while moment < story.end:
        yield moment, _line(_INFORMATIONAL, moment, element, *book.line(element))
        moment += timedelta(seconds=random.uniform(0.2, 1.8) * _MEAN_GAP_S)


def _troubles(element: str, faults: tuple[Fault, ...]) -> Iterator[tuple[datetime, str]]:
    for fault in faults:
        for alarm in fault.alarms:
            if alarm.place.element == element:
                message = f"{alarm.kind.condition} at {alarm.place.dn}: {alarm.kind.problem}"
                severity = _SEVERITIES[alarm.kind.severity]
                yield alarm.raised, _line(severity, alarm.raised, element, "ALARM", "-", message)


def _line(severity: int, moment: datetime, element: str, *said: str) -> str:
    """Return a record; `said` are message id, structured data and message."""
    stamp = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    app = element.partition("-")[0] + "d"
    return f"<{_LOCAL4 * 8 + severity}>1 {stamp} {element} {app} 812 {' '.join(said)}\n"


def _trace(subscribers: Subscribers, random: Random, start: datetime) -> tuple[str, bytes]:
    subscriber = subscribers.any(random)
    supi = subscribers.plant(subscriber, "supi")
    lines = [
        _line(_INFORMATIONAL, start + timedelta(seconds=second), AMF, "TRACE", "-", f"NAS message {second} of {supi}")
        for second in range(_TRACED_MESSAGES)
    ]
    return f"syslog/trace_{supi}.log", "".join(lines).encode()
