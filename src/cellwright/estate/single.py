"""The one document of a file that is not part of an estate: a gateway, a mapping, a policy, a collector."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, get_args

from cellwright.errors import Diagnostic, Mark, Severity, UsageError
from cellwright.estate.refusals import refusals
from cellwright.estate.yaml_nodes import read_yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cellwright.estate.documents.parts import Document
    from cellwright.estate.yaml_nodes import Node

DocumentT = TypeVar("DocumentT", bound="Document")


def load_single(
    model: type[DocumentT],
    code: str,
    text: str,
    file: str,
    inconsistencies: Callable[[DocumentT, Node], Iterable[Diagnostic]],
) -> DocumentT:
    """Return the document that a YAML text holds; raise UsageError with all problems, each marked in `file`.

    `code` is that of a text with none or several. `inconsistencies` finds what no single value shows.
    """
    content = read_yaml(file, text)
    problems, document = list(content.problems), None
    if len(content.documents) == 1:
        document, found = refusals(model, content.documents[0])
        problems += found
    elif not problems:
        (kind,) = get_args(model.model_fields["kind"].annotation)
        expected = f"one document with apiVersion, kind: {kind}, metadata and spec"
        problems.append(Diagnostic(code, f"{len(content.documents)} documents stand here", Mark(file, 1, 1), expected))
    if isinstance(document, model):
        problems += inconsistencies(document, content.documents[0])
    if any(each.severity is Severity.ERROR for each in problems) or not isinstance(document, model):
        raise UsageError(*sorted(problems, key=lambda each: each.mark or Mark(file, 0, 0)))
    return document
