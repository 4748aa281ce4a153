"""One minute's verdicts of all symbols as a few bytes.

The three bits of a verdict are three planes of a bit for each symbol number, packed together: a
minute of 12,000 symbols takes about as many bits as it has symbols, and less where it is quiet.
"""

from __future__ import annotations

import numpy as np
import zstandard
from numpy.typing import NDArray

Kinds = NDArray[np.uint8]

NO_VERDICT = 7
"""What stands for a symbol of which nothing is stored in a minute."""
_BITS = (4, 2, 1)
_LEVEL = 1
# So many symbols do not exist; what claims to hold more is no minute.
_MOST_BYTES = 1 << 20


def pack_kinds(kinds: Kinds) -> bytes:
    """Return verdicts by symbol number, each 0 to 7, as bytes."""
    # Whole bytes, so that none of their bits is taken for a symbol's.
    padded = np.full(-(-len(kinds) // 8) * 8, NO_VERDICT, np.uint8)
    padded[: len(kinds)] = kinds
    planes = b"".join(np.packbits(padded & bit).tobytes() for bit in _BITS)
    return zstandard.compress(planes, _LEVEL)


def unpack_kinds(packed: bytes, count: int) -> Kinds:
    """Return the verdicts of symbol numbers below `count`, `NO_VERDICT` where there is none."""
    raw = zstandard.ZstdDecompressor().decompress(packed, max_output_size=_MOST_BYTES)
    planes = np.frombuffer(raw, np.uint8).reshape(len(_BITS), -1)
    found = np.zeros(planes.shape[1] * 8, np.uint8)
    for bit, plane in zip(_BITS, planes, strict=True):
        found |= np.unpackbits(plane) * np.uint8(bit)
    kinds = np.full(count, NO_VERDICT, np.uint8)
    known = min(count, len(found))
    kinds[:known] = found[:known]
    return kinds
