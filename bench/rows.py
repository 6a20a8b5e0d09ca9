"""The measured figure that every benchmark prints."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Row:
    """One measured figure as conventions name it."""

    case: str
    figure: str
    unit: str
    ours: float
    peers: dict[str, float] = field(default_factory=dict)
    ratio: float | None = None
    higher_is_better: bool = True
    spread: str = ""
