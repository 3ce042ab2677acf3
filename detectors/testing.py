"""What tests of detectors need; the suite that every bank must pass."""

from schemas.reference import NumericProfile

__all__ = ["STANDARD_NORMAL"]

#: Reference of a standard normal column: scaled by it a value stays as it is.
STANDARD_NORMAL = NumericProfile(
    n=10_000,
    missing=0,
    counts=(1587, 3413, 3413, 1587),
    edges=(-1.0, 0.0, 1.0),
    mean=0.0,
    sd=1.0,
    median=0.0,
    spread=1.0,
    minimum=-4.0,
    maximum=4.0,
)
