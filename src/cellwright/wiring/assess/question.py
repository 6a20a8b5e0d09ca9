"""Questions of the guided path, what a valid answer is, and who answers them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from cellwright.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cellwright.wiring.assess.answers import Given

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Question(Generic[T]):
    """One question: `read` turns an answer into a value, or raises ValueError that says what was expected."""

    key: str  # dotted: how an answers file names it
    text: str
    why: str
    examples: tuple[str, ...]
    default: str
    read: Callable[[str], T]


class Asker(Protocol):
    """Whoever answers: a person at a terminal, a file, or the defaults."""

    def step(self, title: str, text: str) -> None:
        """Say that a step begins, and what it is for."""

    def ask(self, question: Question[T]) -> T:
        """Return the value of a valid answer."""
        ...


class Recorded:
    """Answers from a file first, then from `prompt`; each answer is kept at once.

    A wrong answer of a file raises UsageError with its place; a wrong answer of `prompt` is told to `refused` and asked
    for again.
    """

    def __init__(
        self,
        given: Mapping[str, Given],
        prompt: Callable[[Question[Any]], str],
        refused: Callable[[str], None],
        keep: Callable[[Mapping[str, str]], None],
        announce: Callable[[str, str], None],
    ) -> None:
        self.answers: dict[str, str] = {}
        self.given = given
        self._prompt = prompt
        self._refused = refused
        self._keep = keep
        self._announce = announce

    def step(self, title: str, text: str) -> None:
        """Say that a step begins."""
        self._announce(title, text)

    def ask(self, question: Question[T]) -> T:
        """Return the value of a valid answer."""
        given = self.given.get(question.key)
        if given is not None:
            value = _checked(question, given)
            self.answers[question.key] = given.text
            return value
        while True:
            text = self._prompt(question).strip()
            try:
                value = question.read(text)
            except ValueError as error:
                self._refused(str(error))
                continue
            self.answers[question.key] = text
            self._keep(
                {**self.answers, **{key: each.text for key, each in self.given.items() if key not in self.answers}}
            )
            return value


def _checked(question: Question[T], given: Given) -> T:
    try:
        return question.read(given.text)
    except ValueError as error:
        raise UsageError(given.problem(question.key, str(error))) from None
