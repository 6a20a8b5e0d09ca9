"""One rule that a plan breaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

EPSILON: Final = 1e-6
"""Of a millisecond, GiB, second, kilowatt or currency unit: what sums of binary fractions may be off by."""

Value: TypeAlias = float | str | None


@dataclass(frozen=True, slots=True)
class Breach:
    """What was found, what the rule allows, and in words."""

    code: str  # kebab-case behind its subject, such as "latency.p99"
    workload: str  # the replica's label; "" where it is about the plan, a tenant or a site as a whole
    site: str | None
    measured: Value
    limit: Value
    message: str
