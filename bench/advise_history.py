"""A made-up history of trouble tickets about the simulator's faults: what was done depends on what was at fault.

Noise on purpose: wrong labels, misleading remarks, texts of many wordings with slips of the pen, tickets without alarms
or without text, resolutions of unequal frequency, and drift: shares that change and one resolution that appears late.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from cellwright.digest.advise_symptoms import Symptoms
from cellwright.digest.advise_tickets import Ticket
from cellwright.simulate.faults import QUIET, STORM, inject_faults
from cellwright.simulate.network import build_network, dice

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from random import Random

    from cellwright.simulate.faults import Fault

START: Final = datetime(2025, 1, 1, tzinfo=UTC)
GNBS: Final = 24
WRONG_LABEL: Final = 0.08
MISLEADING: Final = 0.1
CUE: Final = 0.55  # tickets whose text hints at what was wrong
CODE: Final = 0.5  # tickets whose text holds an error code
TELLING_CODE: Final = 0.7  # of these, codes that only some faults have
NO_ALARMS: Final = 0.3
NO_TEXT: Final = 0.1
LOST_TYPE: Final = 0.2
STRAY_TYPE: Final = 0.1
SLIP: Final = 0.02  # words with two letters swapped


class Action(NamedTuple):
    """What mends a fault: its code, its shares at the beginning and the end of the history, and how people write."""

    code: str
    shares: tuple[float, float]
    cues: tuple[str, ...]
    error_codes: tuple[str, ...]
    done: tuple[str, ...]


ACTIONS: Final[dict[str, tuple[Action, ...]]] = {
    "link-cut": (
        Action(
            "FIBRE-SPLICED",
            (0.5, 0.3),
            ("OTDR shows break at km {n}", "road works near the duct", "no light in both directions, cable suspected"),
            ("OTDR-11", "LOS-2041"),
            ("spliced fibre at km {n}", "Fibre break repaired by field team", "cable cut, splicing done, levels ok"),
        ),
        Action(
            "OPTIC-REPLACED",
            (0.25, 0.3),
            ("rx power drifting for days", "transceiver temperature high", "tx bias current above limit"),
            ("SFP-0x13", "DDM-417"),
            ("replaced SFP in port {n}", "swapped transceiver, link stable", "optic exchanged"),
        ),
        Action(
            "PATCH-RESEATED",
            (0.15, 0.1),
            ("technician was in the rack", "link flapped {n} times", "after cabling on site"),
            ("FLAP-77",),
            ("patch cord reseated and cleaned", "cleaned connector, reseated patch"),
        ),
        Action(
            "PLANNED-WORK",
            (0.0, 0.2),
            ("maintenance window tonight", "change CHG{n} in progress"),
            ("MW-100",),
            ("planned work, no action", "caused by change, ended with the window"),
        ),
    ),
    "power-loss": (
        Action(
            "MAINS-RESTORED",
            (0.5, 0.5),
            ("utility reports outage in the area", "neighbouring sites without grid too"),
            ("AC-FAIL-1",),
            ("mains restored by utility", "grid back, batteries charging"),
        ),
        Action(
            "RECTIFIER-REPLACED",
            (0.25, 0.2),
            ("rectifier {n} no output", "grid voltage present at the meter"),
            ("REC-3007", "DC-UV-48"),
            ("rectifier module replaced", "exchanged faulty rectifier {n}"),
        ),
        Action(
            "BATTERY-REPLACED",
            (0.25, 0.3),
            ("backup lasted {n} minutes only", "battery string voltage low"),
            ("BAT-SOH-20",),
            ("battery string replaced", "new batteries fitted"),
        ),
    ),
    "upf-overload": (
        Action(
            "SCALED-OUT",
            (0.45, 0.3),
            ("traffic record during the match", "all cores above {n} percent"),
            ("CPU-900",),
            ("added a UPF instance", "scaled out user plane by {n}", "UPF capacity increased"),
        ),
        Action(
            "SOFTWARE-UPGRADED",
            (0.2, 0.45),
            ("load grows since release {n}", "memory of the worker grows", "crash loop seen in journal"),
            ("SEGV-11", "PFX-5531"),
            ("upgraded to release {n}", "vendor patch installed", "hotfix applied, monitoring"),
        ),
        Action(
            "TRAFFIC-REBALANCED",
            (0.35, 0.25),
            ("one instance far above the others", "hash puts most flows on core {n}"),
            ("ECMP-12",),
            ("rebalanced sessions between instances", "traffic redistributed"),
        ),
    ),
    "signalling-storm": (
        Action(
            "DEVICES-THROTTLED",
            (0.45, 0.45),
            ("meters of one vendor register at once", "same APN in most requests", "IoT fleet reconnects"),
            ("NAS-22", "T3346"),
            ("throttled IoT APN", "back-off timer set for the fleet", "devices throttled"),
        ),
        Action(
            "BARRING-ENABLED",
            (0.35, 0.25),
            ("crowd in the stadium", "access attempts ten times normal"),
            ("UAC-3",),
            ("access class barring enabled for {n} min", "barring on, load normal"),
        ),
        Action(
            "SOFTWARE-UPGRADED",
            (0.2, 0.3),
            ("AMF loops on malformed message", "started after release {n}"),
            ("SEGV-11", "AMF-8120"),
            ("upgraded to release {n}", "vendor patch installed", "hotfix applied, monitoring"),
        ),
    ),
    "sleeping-cell": (
        Action(
            "CELL-RESTARTED",
            (0.6, 0.4),
            ("no access attempts since {n}:00", "cell looks healthy in the manager"),
            ("RACH-0",),
            ("cell locked and unlocked", "restarted cell, traffic back", "reset of DU cell"),
        ),
        Action(
            "RADIO-UNIT-REPLACED",
            (0.2, 0.3),
            ("VSWR high on branch {n}", "output power zero", "radio unit silent after thunderstorm"),
            ("VSWR-6", "RU-0xA1"),
            ("radio unit replaced", "swapped RU on sector {n}"),
        ),
        Action(
            "PARAMETER-CORRECTED",
            (0.2, 0.3),
            ("after new neighbour list", "PCI conflict suspected", "root sequence changed last night"),
            ("CM-AUDIT-4",),
            ("corrected RACH root sequence", "parameter set back to plan", "configuration corrected"),
        ),
    ),
}
FREQUENCY: Final = {
    "link-cut": (0.9, 0.6),
    "power-loss": (0.5, 0.5),
    "upf-overload": (0.25, 0.5),
    "signalling-storm": (0.2, 0.35),
    "sleeping-cell": (0.6, 0.9),
}
"""The share of the simulated faults that become tickets, at the beginning and the end."""
OPENINGS: Final = (
    "NOC: {alarm} on {element}",
    "{element}: {problem}",
    "Alarm {alarm}. {problem}.",
    "{problem}",
    "outage",
)
CHATTER: Final = (
    "please check asap",
    "customer called twice from +39 055 27{n}61",
    "escalated to second line",
    "field team informed, eta {n} min",
    "seen before on this site",
    "no change in the last days as far as we know",
    "subscriber imsi 22201000000{n}77 affected",
    "priority raised by duty manager",
)
COMMON_CODES: Final = ("ALM-1001", "EVT-20", "ERR-5", "SNMP-4")


def history(seed: int, tickets: int, *, coded: bool = True) -> list[tuple[Ticket, str]]:
    """Return about `tickets` tickets in the order of time, each with the code of what was truly done.

    `coded`: whether tickets state the code; else the code is empty and only the free text says what was done.
    """
    drawn = round(tickets / (sum(sum(each) for each in FREQUENCY.values()) / 2 / len(FREQUENCY)))
    faults = inject_faults(build_network(GNBS), seed, drawn, START, drawn * (STORM + QUIET + timedelta(minutes=6)))
    random = dice(seed, "tickets")
    return list(_tickets(faults, random, coded=coded))


def _tickets(faults: Sequence[Fault], random: Random, *, coded: bool) -> Iterator[tuple[Ticket, str]]:
    every = [action for actions in ACTIONS.values() for action in actions]
    for number, fault in enumerate(faults):
        age = number / len(faults)
        if random.random() > _between(FREQUENCY[fault.kind], age):
            continue
        actions = ACTIONS[fault.kind]
        action = random.choices(actions, [_between(each.shares, age) for each in actions])[0]
        written = random.choice(every) if random.random() < WRONG_LABEL else action
        opened = round(fault.started.timestamp() * 1e6) + random.randrange(60_000_000, 600_000_000)
        ticket = Ticket(
            name=f"T{number:05}",
            opened_us=opened,
            closed_us=opened + random.randrange(600_000_000, 14_400_000_000),
            symptoms=_symptoms(fault, action, random),
            resolution=_filled(random.choice(written.done), random),
            code=written.code if coded else "",
        )
        yield ticket, action.code


def _symptoms(fault: Fault, action: Action, random: Random) -> Symptoms:
    types = tuple(dict.fromkeys(alarm.kind.condition for alarm in fault.alarms))
    kept = tuple(each for each in types if random.random() >= LOST_TYPE) or types[:1]
    if random.random() < STRAY_TYPE:
        kept = (*kept, random.choice(("FanFailure", "ClockDrift", "LicenceExpiring", "LinkDown")))
    no_alarms = random.random() < NO_ALARMS
    no_text = random.random() < NO_TEXT
    return Symptoms(
        text="" if no_text else _text(fault, action, random),
        alarm_types=() if no_alarms else kept,
        elements=(fault.root.dn,),
        severity=random.choice(("CRITICAL", "MAJOR", "MINOR")),
    )


def _text(fault: Fault, action: Action, random: Random) -> str:
    first = fault.alarms[0]
    opening = random.choice(OPENINGS).format(
        alarm=first.kind.condition, element=first.place.element, problem=first.kind.problem
    )
    told = [opening, *random.sample(CHATTER, random.randrange(3))]
    misled = random.random() < MISLEADING
    hinted = random.choice(ACTIONS[fault.kind]) if misled else action
    if random.random() < CUE:
        told.append(random.choice(hinted.cues))
    if random.random() < CODE:
        told.append(random.choice(hinted.error_codes if random.random() < TELLING_CODE else COMMON_CODES))
    random.shuffle(told)
    return " ".join(_slipped(word, random) for word in _filled(". ".join(told), random).split())


def _filled(text: str, random: Random) -> str:
    return text.replace("{n}", str(random.randrange(10, 60)))


def _slipped(word: str, random: Random) -> str:
    if len(word) < 4 or not word.isalpha() or random.random() >= SLIP:  # noqa: PLR2004 - short words are written right
        return word
    place = random.randrange(1, len(word) - 1)
    return word[:place] + word[place + 1] + word[place] + word[place + 2 :]


def _between(shares: tuple[float, float], age: float) -> float:
    return shares[0] + (shares[1] - shares[0]) * age
