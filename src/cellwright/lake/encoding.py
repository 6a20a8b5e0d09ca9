"""Strings of which there are few, each held once with an index a row: what Parquet makes of them anyway."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def taken(values: Sequence[str | None], indices: NDArray[np.int32]) -> pa.DictionaryArray:
    """Return `values` by index; of nulls and of values that come twice the dictionary has none."""
    known = pa.array(values, pa.string()).dictionary_encode()
    return pa.DictionaryArray.from_arrays(known.indices.take(pa.array(indices)), known.dictionary)


def repeated(value: pa.Scalar, count: int) -> pa.Array:
    """Return a value `count` times, a string as a dictionary of one."""
    if value.is_valid and pa.types.is_string(value.type):
        return pa.DictionaryArray.from_arrays(np.zeros(count, np.int32), pa.array([value.as_py()], pa.string()))
    return pa.repeat(value, count)
