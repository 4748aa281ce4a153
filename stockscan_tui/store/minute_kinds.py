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
_PLANES = 3
_LEVEL = 3
# So many symbols do not exist; what claims to hold more is no minute.
_MOST_BYTES = 1 << 20


def pack_kinds(kinds: Kinds) -> bytes:
    """Return verdicts by symbol number, each 0 to 7, as bytes."""
    # Whole bytes, so that none of their bits is taken for a symbol's.
    padded = np.pad(kinds, (0, -len(kinds) % 8), constant_values=NO_VERDICT)
    bits = np.unpackbits(padded[:, np.newaxis], axis=1)[:, -_PLANES:]
    planes = np.packbits(bits.T, axis=1)
    return zstandard.ZstdCompressor(level=_LEVEL).compress(planes.tobytes())


def unpack_kinds(packed: bytes, count: int) -> Kinds:
    """Return the verdicts of symbol numbers below `count`, `NO_VERDICT` where there is none."""
    raw = zstandard.ZstdDecompressor().decompress(packed, max_output_size=_MOST_BYTES)
    planes = np.frombuffer(raw, np.uint8).reshape(_PLANES, -1)
    bits = np.unpackbits(planes, axis=1)
    found = bits[0] << 2 | bits[1] << 1 | bits[2]
    kinds = np.full(count, NO_VERDICT, np.uint8)
    known = min(count, len(found))
    kinds[:known] = found[:known]
    return kinds
