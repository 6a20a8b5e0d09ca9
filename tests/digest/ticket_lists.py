"""Small histories of tickets for the tests of advice."""

from __future__ import annotations

from cellwright.digest.advise_symptoms import Symptoms
from cellwright.digest.advise_tickets import Ticket

HOUR_US = 3_600_000_000
CAUSES = (
    ("fibre", Symptoms("no light in the duct", ("LossOfSignal", "LinkDown"), ("LOS-2041",)), "spliced cable"),
    ("power", Symptoms("grid voltage gone", ("MainsFailure",), ("AC-1",), ("site-9",)), "mains back"),
    ("cell", Symptoms("nobody camps here", ("NoUserTraffic",), (), ("gnb-3",)), "restarted it"),
)


def ticket(number: int, symptoms: Symptoms, code: str = "", resolution: str = "", **more: object) -> Ticket:
    """Return a ticket that was opened so many hours after 1970 and closed half an hour later."""
    opened = number * HOUR_US
    given = {"opened_us": opened, "closed_us": opened + HOUR_US // 2, **more}
    return Ticket(f"T{number:04}", symptoms=symptoms, code=code, resolution=resolution, **given)  # type: ignore[arg-type]


def history(count: int, *, coded: bool = True) -> list[Ticket]:
    """Return tickets whose causes take turns and are plain to see."""
    causes = [CAUSES[number % len(CAUSES)] for number in range(count)]
    return [
        ticket(number, symptoms, code if coded else "", resolution)
        for number, (code, symptoms, resolution) in enumerate(causes)
    ]
