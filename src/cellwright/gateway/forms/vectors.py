"""Vectors in an answer to embeddings, in the encoding that was asked for.

Encodings: the OpenAI API reference (embeddings); base64 holds 32-bit floats, little-endian.
"""

from __future__ import annotations

import base64
import struct
from array import array
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cellwright.gateway.wire import JsonObject, ModelRequest

_BYTES: Final = 4  # of a number
_DIGITS: Final = (9, 8, 7)  # that may be needed to tell a number of 32 bits from others: IEEE 754-2019 clause 5.12.2


def fit_vectors(answer: JsonObject, request: ModelRequest) -> bool:
    """Write the vectors of an answer in the encoding of its request; return whether any was not.

    Raises ValueError where the answer does not hold one vector for each input, all of the dimensions asked for.
    """
    entries, wanted = answer.get("data"), len(request.inputs)
    if not isinstance(entries, list) or len(entries) != wanted or not all(isinstance(item, dict) for item in entries):
        msg = f"they are not {wanted}"
        raise ValueError(msg)
    packed, dimensions = request.body.get("encoding_format") == "base64", request.body.get("dimensions")
    changed = [_fit(entry, dimensions, packed=packed) for entry in entries]
    return any(changed)


def _fit(entry: JsonObject, dimensions: int | None, *, packed: bool) -> bool:
    """Write one vector as it is wanted; return whether it was not."""
    found = entry.get("embedding")
    given = _unpacked(found) if isinstance(found, str) else found
    if not isinstance(given, list) or not given:
        msg = "one is no vector"
        raise ValueError(msg)
    if dimensions is not None and len(given) != dimensions:
        msg = f"one has {len(given)} dimensions, not {dimensions}"
        raise ValueError(msg)
    if isinstance(found, str) is packed:
        return False
    entry["embedding"] = _packed(given) if packed else _shortest(given)
    return True


def _unpacked(text: str) -> list[float]:
    data = base64.b64decode(text, validate=True)
    if len(data) % _BYTES:
        msg = "one is cut short"
        raise ValueError(msg)
    return list(struct.unpack(f"<{len(data) // _BYTES}f", data))


def _packed(numbers: list[float]) -> str:
    try:
        data = struct.pack(f"<{len(numbers)}f", *numbers)
    except (struct.error, OverflowError) as error:
        msg = "one holds what is no number of 32 bits"
        raise ValueError(msg) from error
    return base64.b64encode(data).decode()


def _shortest(numbers: list[float]) -> list[float]:
    """Return each number with the fewest digits that say the same in 32 bits."""
    found = numbers
    for digits in _DIGITS:
        fewer = [float(f"{number:.{digits}g}") for number in numbers]
        found = [
            short if read == number else long
            for short, read, number, long in zip(fewer, array("f", fewer), numbers, found, strict=True)
        ]
    return found
