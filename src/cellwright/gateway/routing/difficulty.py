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
_MOST: Final = 5.0  # cues of one kind that count
_CODE: Final = ("```", "def ", "SELECT ", "import ", "class ", "();", "=> ")
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


@dataclass(frozen=True, slots=True)
class Weights:
    """What was trained: the bias, a weight for each feature by name, and the errors found on unseen kinds."""

    bias: float
    features: Mapping[str, float]
    errors: Mapping[str, float]


def difficulty(body: JsonObject) -> float:
    """Return how difficult a chat request is, 0 to 1."""
    weights = shipped()
    found = features(body)
    return _logistic(weights.bias + math.fsum(map(mul, map(weights.features.__getitem__, found), found.values())))


def contributions(body: JsonObject) -> tuple[tuple[str, float], ...]:
    """Return what each feature adds to the log-odds of a request being difficult, the strongest first."""
    weights = shipped()
    added = [(name, weights.features[name] * value) for name, value in features(body).items()]
    return tuple(sorted(added, key=lambda each: -abs(each[1])))


def features(body: JsonObject) -> dict[str, float]:
    """Return the features of a chat request by name; the question is the last message of the user."""
    messages = body.get("messages") or ()
    question, chars = "", 0
    for message in messages:
        texts = message_texts(message)
        chars += sum(map(len, texts))
        if message.get("role") == "user":
            question = "\n".join(texts)
    seen = question if len(question) <= _HEAD + _TAIL else f"{question[:_HEAD]}\n{question[-_TAIL:]}"
    lines = seen.encode(errors="replace").split(b"\n")
    prose = b"\n".join([line for line in lines if _is_prose(line)])
    words = prose.translate(_FOLDED).split()
    distinct = set(words)
    tools = body.get("tools")
    return {
        "tokens of the prompt": math.log1p(chars / 4),
        "words of prose": math.log1p(len(words)),
        "lines of data": math.log1p(len(lines) - prose.count(b"\n") - 1),
        "clauses": math.log1p(len(prose) - len(prose.translate(None, b",;:"))),
        "questions": min(prose.count(b"?"), _MOST),
        "words of reasoning": min(len(distinct & _REASONING), _MOST),
        "words of looking up": min(len(distinct & _LOOKING_UP), _MOST),
        "words of constraint": min(len(distinct & _CONSTRAINING), _MOST),
        "words of an own case": min(len(distinct & _OWN), _MOST),
        "code": float(any(map(seen.count, _CODE))),
        "numbers": math.log1p(sum([words.count(word) for word in distinct if word.isdigit()])),
        "incidents in a digest": math.log1p(seen.count("incident ")),
        "turns": math.log1p(max(len(messages) - 1, 0)),
        "tools": math.log1p(len(tools) if isinstance(tools, list) else 0),
        "letters beyond ASCII": 0.0 if prose.isascii() else _share_beyond_ascii(prose.decode()),
    }


def _is_prose(line: bytes) -> bool:
    """Return whether a line reads as text: few digits, and not empty."""
    size = len(line)
    return size > 0 and (size - len(line.translate(None, _DIGITS))) * _RECORD < size


def _share_beyond_ascii(text: str) -> float:
    return sum(not char.isascii() for char in text) / len(text)


def _logistic(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-value)) if value >= 0 else math.exp(value) / (1.0 + math.exp(value))


@cache
def shipped() -> Weights:
    """Return the weights that are part of the package."""
    text = resources.files("cellwright.gateway.routing").joinpath("difficulty.json").read_text("utf-8")
    data: dict[str, Any] = json.loads(text)
    return Weights(data["bias"], data["features"], data["errors"])
