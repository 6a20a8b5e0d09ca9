"""Answers as a YAML file: nested by the dots of their keys, each with its place for those who must mend one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from cellwright.errors import CellwrightError, Diagnostic, Mark, UsageError, nearest
from cellwright.wiring.files import read_text, write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Given:
    """One answer of a file."""

    text: str
    mark: Mark

    def problem(self, key: str, expected: str) -> Diagnostic:
        """Return what is wrong with it."""
        return Diagnostic("wrong-answer", f"{key}: {self.text!r} is no answer", self.mark, expected)


def read_answers(path: Path) -> dict[str, Given]:
    """Return the answers of a file by dotted key; raise UsageError with the place of what is no answer."""
    text = read_text(path)
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        mark = Mark(str(path), place.line + 1, place.column + 1) if place else None
        told = getattr(error, "problem", None) or "cannot be read"
        raise UsageError(Diagnostic("yaml-syntax", f"{path} is not YAML: {told}", mark)) from None
    return {} if root is None else dict(_flat(root, "", str(path)))


def write_answers(path: Path, answers: Mapping[str, str]) -> None:
    """Put all answers into a file in one step."""
    nested: dict[str, object] = {}
    for key, text in answers.items():
        *folders, last = key.split(".")
        place = nested
        for folder in folders:
            found = place.setdefault(folder, {})
            if not isinstance(found, dict):
                raise CellwrightError.of("answers-nested", f"{folder!r} is both an answer and a group of answers")
            place = found
        place[last] = text
    body = yaml.safe_dump(nested, sort_keys=False, allow_unicode=True, width=100)
    write_atomically(path, f"# Answers of `cellwright assess`; go on with: cellwright assess --answers FILE\n{body}")


def leftovers(given: Mapping[str, Given], asked: Iterable[str]) -> tuple[Diagnostic, ...]:
    """Return a problem for each answer to a question that was not asked."""
    known = set(asked)
    return tuple(
        Diagnostic("unknown-question", f"no question {key!r} was asked", answer.mark, hint=nearest(key, known))
        for key, answer in given.items()
        if key not in known
    )


def _flat(node: yaml.Node, key: str, file: str) -> Iterator[tuple[str, Given]]:
    mark = Mark(file, node.start_mark.line + 1, node.start_mark.column + 1)
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            yield from _flat(value, f"{key}.{name.value}" if key else str(name.value), file)
    elif isinstance(node, yaml.SequenceNode) and all(isinstance(item, yaml.ScalarNode) for item in node.value):
        yield key, Given(", ".join(item.value for item in node.value), mark)
    elif isinstance(node, yaml.ScalarNode) and key:
        yield key, Given(node.value, mark)
    else:
        raise UsageError(Diagnostic("wrong-answer", f"{key or 'the file'} holds no answer", mark, "key: answer"))
