"""What a label or a prediction says, in words of its own: the same class, however the record wrote it."""

from __future__ import annotations

import math
import re

from schemas.decoding.cells import text_of

__all__ = ["class_of"]

#: A decimal number as JSON writes one without an exponent; a name like "1e3" or "007" is none.
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
#: Beyond it a float does not tell neighbouring integers apart.
_EXACT = 2**53
_TRUTHS = {"true": "1", "false": "0"}


def class_of(value: float | str, *, binary: bool = False) -> str:
    """Name the class that a value stands for, so that a number, and the same number as text, are one class.

    Parameters
    ----------
    value : float or str
        As in a block: a finite number, or text. Numbers are named as versions and segments are; text is its own name, unless it
        is a decimal number.
    binary : bool, default False
        Whether ``true`` and ``false`` are the classes 1 and 0.

    Raises
    ------
    ValueError
        The number is not finite: it names no class.

    Examples
    --------
    >>> class_of(1.0), class_of("1"), class_of("1.0"), class_of(0.5), class_of("0.50"), class_of("-0.0")
    ('1', '1', '1', '0.5', '0.5', '0')
    >>> class_of("fraud"), class_of("01"), class_of("1e3")
    ('fraud', '01', '1e3')
    >>> class_of("true"), class_of("true", binary=True), class_of("false", binary=True)
    ('true', '1', '0')
    """
    if isinstance(value, str):
        if binary and value in _TRUTHS:
            return _TRUTHS[value]
        if not _DECIMAL.fullmatch(value) or abs(float(value)) > _EXACT:
            return value
        value = float(value)
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a class; expected a finite number, or text")
    return text_of(float(value)) or repr(float(value))  # one of hundreds of digits is no name
