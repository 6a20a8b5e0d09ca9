"""How difficult a request is: a logistic regression over a handful of named features. Pure; no model is asked.

What it is not: a reading of what the request means. It sees how long and in which words a request is put, never
whether its answer is hard to find. `bench/difficulty.py` trained it, on requests written for the purpose; the errors
it found on kinds of requests that it had not seen stand beside the weights in `difficulty.json`.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache
from importlib import resources
from operator import mul
from typing import TYPE_CHECKING, Any, Final

from cellwright.gateway.wire import message_texts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellwright.gateway.wire import JsonObject

_HEAD: Final = 1500  # characters of the question that are looked at, from its beginning
_TAIL: Final = 500  # and from its end
_SIGNS: Final = b".,;:!?()[]{}<>\"'`/|=*#\n\r\t"
_UPPER: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_FOLDED: Final = bytes.maketrans(_UPPER + _SIGNS, _UPPER.lower() + b" " * len(_SIGNS))  # what makes words comparable
_DIGITS: Final = b"0123456789"
_RECORD: Final = 12  # a line with a digit in so many characters is data, not prose
_MOST: Final = 5  # cues of one kind that count
# The verbs of analysing, judging and making, and those of remembering, as taxonomies of learning goals list them
# (Anderson and Krathwohl, 2001), and what goes with them in a question.


def _words(text: str) -> frozenset[bytes]:
    return frozenset(text.encode().split())


_REASONING: Final = _words(
    """
    why how explain explanation explanations analyse analyze investigate diagnose examine compare contrast
    distinguish differentiate relate infer derive deduce predict estimate simulate prove show argue justify
    judge assess evaluate appraise weigh criticise critique recommend choose decide trust suggest propose
    prioritise prioritize rank optimise optimize balance reconcile negotiate design plan schedule sketch create
    build develop construct compose draft formulate invent implement refactor migrate migration algorithm
    architecture strategy program script parser hypothesis hypotheses cause causes caused factors interactions
    consequences risk risks trade-off trade-offs reasoning evidence conditions contradiction contradictions root
    sequence steps should would could might
    """
)
_LOOKING_UP: Final = _words(
    """
    list name names define translate spell count convert extract copy repeat recall quote locate look match
    label classify rewrite rephrase paraphrase shorten summarise summarize title format capital uppercase
    lowercase expand abbreviation acronym stand stands mean means meaning yes no true false when who where unit
    sort remove replace correct fill return round mention thank greet greeting short half sentence give put tell
    turn many much
    """
)
_CONSTRAINING: Final = _words(
    """
    must never without unless while except given both neither each every all only avoid keep if then otherwise
    assume assuming assumption assumptions whereas whether constraint constraints within budget least most under
    over against from to so that but no
    """
)
_OWN: Final = _words(
    """
    we our us ours customers users teams something sometimes since after before again
    """
)


FEATURES: Final = (
    "words of prose",
    "clauses",
    "numbers",
    "questions",
    "words of reasoning",
    "words of looking up",
    "words of constraint",
    "words of an own case",
)
"""What else was tried got no weight worth its time: turns, tools, code, lines of data, letters beyond ASCII."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What was trained: the bias, a weight for each feature by name, and the errors found on unseen kinds."""

    bias: float
    features: Mapping[str, float]
    errors: Mapping[str, float]
    in_order: tuple[float, ...]  # the weights, as FEATURES are


def difficulty(body: JsonObject) -> float:
    """Return how difficult a chat request is, 0 to 1."""
    weights = shipped()
    return _logistic(weights.bias + sum(map(mul, weights.in_order, _measured(body))))


def contributions(body: JsonObject) -> tuple[tuple[str, float], ...]:
    """Return what each feature adds to the log-odds of a request being difficult, the strongest first."""
    weights = shipped()
    added = [(name, weights.features[name] * value) for name, value in features(body).items()]
    return tuple(sorted(added, key=lambda each: -abs(each[1])))


def features(body: JsonObject) -> dict[str, float]:
    """Return the features of a chat request by name; the question is the last message of the user."""
    return dict(zip(FEATURES, _measured(body), strict=True))


def _measured(body: JsonObject) -> tuple[float, ...]:
    """Return the features in the order of FEATURES."""
    question = _question(body)
    seen = question if len(question) <= _HEAD + _TAIL else f"{question[:_HEAD]}\n{question[-_TAIL:]}"
    prose = b"\n".join([line for line in seen.encode(errors="replace").split(b"\n") if _is_prose(line)])
    words = prose.translate(_FOLDED).split()
    distinct = set(words)
    return (
        math.log1p(len(words)),
        math.log1p(len(prose) - len(prose.translate(None, b",;:"))),
        math.log1p(sum([words.count(word) for word in distinct if word.isdigit()])),
        min(prose.count(b"?"), _MOST),
        min(len(distinct & _REASONING), _MOST),
        min(len(distinct & _LOOKING_UP), _MOST),
        min(len(distinct & _CONSTRAINING), _MOST),
        min(len(distinct & _OWN), _MOST),
    )


def _question(body: JsonObject) -> str:
    """Return the last message of the user."""
    for message in reversed(body.get("messages") or ()):
        if message.get("role") == "user":
            return "\n".join(message_texts(message))
    return ""


def _is_prose(line: bytes) -> bool:
    """Return whether a line reads as text: few digits, and not empty."""
    size = len(line)
    return size > 0 and (size - len(line.translate(None, _DIGITS))) * _RECORD < size


def _logistic(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-value)) if value >= 0 else math.exp(value) / (1.0 + math.exp(value))


@cache
def shipped() -> Weights:
    """Return the weights that are part of the package."""
    text = resources.files("cellwright.gateway.routing").joinpath("difficulty.json").read_text("utf-8")
    data: dict[str, Any] = json.loads(text)
    weights = data["features"]
    return Weights(data["bias"], weights, data["errors"], tuple([weights[name] for name in FEATURES]))
