"""The reference: what a model's data looked like when all was well. A small JSON artefact, one per model version.

Its content hash stands in every alert. It is built once (``driftsonde reference build``, or learnt from the first rows of a
stream) and never changes after: a detector that bins by a moving reference cannot see slow drift.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated, Any, Literal, TypeAlias

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.errors import DataError

__all__ = ["CategoricalProfile", "NumericProfile", "Profile", "Reference", "Tolerance"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tolerance(_Frozen):
    """Smallest shift worth an alarm, found by replaying the reference through its own detector.

    Parameters
    ----------
    arl0 : float
        False-alarm budget at which it was found, in values.
    epsilon : float
        Tolerated shift in reference standard deviations; 0 for a stationary reference.
    """

    arl0: float
    epsilon: float


class _Common(_Frozen):
    n: int = Field(ge=0, description="Rows, missing ones included.")
    missing: int = Field(ge=0, description="Rows without a usable value.")
    counts: tuple[int, ...] = Field(description="Rows per bin; the missing are not among them.")
    inflation: tuple[float, ...] = Field(
        default=(1.0, 1.0, 1.0, 1.0),
        description="Long-run variance / variance of the location, scale, skew and tail scores: 1 when rows are independent.",
    )
    tolerance: tuple[Tolerance, ...] = ()


class NumericProfile(_Common):
    """A numeric subject. Bin i holds edges[i-1] <= x < edges[i]; there is one bin more than edges."""

    kind: Literal["numeric"] = "numeric"
    edges: tuple[float, ...]
    atoms: tuple[float, ...] = Field(default=(), description="Single values that hold at least 2 % of the rows; each has a bin of its own.")
    mean: float
    sd: float
    median: float
    spread: float = Field(description="Robust standard deviation: IQR / 1.349; 0 when more than half the rows are equal.")
    minimum: float
    maximum: float


class CategoricalProfile(_Common):
    """A categorical subject. counts[i] belongs to vocabulary[i]; values never seen have a bin of their own, which is always empty here."""

    kind: Literal["categorical"] = "categorical"
    vocabulary: tuple[str, ...] = Field(description="Most frequent first, ties in alphabetical order.")


Profile: TypeAlias = NumericProfile | CategoricalProfile
_Profiles: TypeAlias = dict[str, Annotated[Profile, Field(discriminator="kind")]]


class Reference(_Frozen):
    """Profiles of all subjects of one model version, for all rows and for each segment."""

    format: Literal[1] = 1
    model: str
    version: str
    origin: str = Field(description="Where the rows came from: a file, a topic range, or 'the first N rows'.")
    rows: int = Field(ge=0)
    from_ms: int = Field(description="Event time of the first row.")
    to_ms: int = Field(description="Event time of the last row.")
    profiles: _Profiles
    segments: dict[str, _Profiles] = Field(default_factory=dict, description="The same for each segment, such as 'country=DE'.")

    @property
    def rows_per_second(self) -> float:
        """Event rate of the reference; 1.0 when its time range is empty."""
        span = (self.to_ms - self.from_ms) / 1000
        return self.rows / span if span > 0 and self.rows > 1 else 1.0

    @property
    def content_hash(self) -> str:
        """``sha256:…`` of the content; equal content, equal hash."""
        body = orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
        return "sha256:" + sha256(body).hexdigest()

    def to_json(self) -> bytes:
        """Encode for a file, two-space indented."""
        return orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def from_json(cls, value: bytes, *, where: str = "reference") -> Reference:
        """Decode a reference file.

        Raises
        ------
        DataError
            Not JSON, or not a reference; the message says what and where.
        """
        try:
            return cls.model_validate(orjson.loads(value))
        except orjson.JSONDecodeError as e:
            raise DataError(f"{where}: not JSON ({e}); expected a file written by 'driftsonde reference build'") from None
        except ValidationError as e:
            first = e.errors(include_url=False)[0]
            raise DataError(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']} ({e.error_count()} problems)") from None

    @staticmethod
    def json_schema() -> Mapping[str, Any]:
        """JSON Schema (2020-12) of the file."""
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": "urn:driftsonde:reference:1",
            **Reference.model_json_schema(),
        }
