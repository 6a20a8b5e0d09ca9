"""Vectors in an answer to embeddings, in the encoding that was asked for.

Encodings: the OpenAI API reference (embeddings); base64 holds 32-bit floats, little-endian.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from cellwright.gateway.wire import JsonObject, ModelRequest

_FLOAT: Final = np.dtype("<f4")


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
    given = np.frombuffer(base64.b64decode(found, validate=True), _FLOAT) if isinstance(found, str) else found
    if not isinstance(given, list | np.ndarray) or not len(given):
        msg = "one is no vector"
        raise ValueError(msg)
    if dimensions is not None and len(given) != dimensions:
        msg = f"one has {len(given)} dimensions, not {dimensions}"
        raise ValueError(msg)
    if isinstance(given, list) and packed:
        entry["embedding"] = base64.b64encode(np.asarray(given, _FLOAT).tobytes()).decode()
    elif isinstance(given, np.ndarray) and not packed:
        entry["embedding"] = [float(str(number)) for number in given]  # the shortest that says the same in 32 bits
    return isinstance(given, list) is packed
