"""Rows that wait, as the snapshot keeps them: their blocks as the journal has them, and where in each the waiting rows begin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from schemas.blocks import decode, encode
from schemas.errors import FormatError
from schemas.events import Block
from streams.engine.lane import running_clock
from streams.engine.release import Piece

__all__ = ["load", "save"]


def save(pieces: Sequence[Piece]) -> dict[str, Any]:
    """Return arrays from which `load` makes the same pieces. Only the first clock of each is kept; the others follow from it."""
    encoded = [encode(piece.block) for piece in pieces]
    return {
        "blocks": np.frombuffer(b"".join(encoded), np.uint8),
        "sizes": np.array([len(block) for block in encoded], np.int64),
        "rows": np.array([(piece.lo, piece.hi) for piece in pieces], np.int64).reshape(-1, 2),
        "clocks": np.array([piece.clocks[piece.lo] for piece in pieces], np.int64),
    }


def load(saved: Mapping[str, Any]) -> Iterator[Piece]:
    """Yield the pieces that `save` was given.

    Raises
    ------
    FormatError
        The bytes are damaged, or hold something else than blocks.
    """
    start = 0
    for size, (lo, hi), clock in zip(saved["sizes"].tolist(), saved["rows"].tolist(), saved["clocks"].tolist(), strict=True):
        block = decode(saved["blocks"][start : start + size].tobytes())
        start += size
        if not isinstance(block, Block):
            raise FormatError(f"snapshot, held rows: found a {type(block).__name__}, expected a Block")
        yield Piece(block, lo, hi, running_clock(block.stamps, lo, clock))
