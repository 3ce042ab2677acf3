"""The part of the configuration that says what labels mean: how long they are waited for, and what it means when none comes.

What is left out follows from the horizon, and is filled in on reading: all of it are plain numbers of milliseconds afterwards, so that
two files that mean the same have the same hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from schemas.config_sources import SourceConfig
from schemas.durations import DURATION_PATTERN, Duration, duration_text
from schemas.hints import Expected, KeyPath, Misfit, OneOrMore

__all__ = ["MAX_OPEN_COHORTS", "MAX_VIEWS", "LabelsConfig", "MissingLabel"]

#: Cohorts of one model that are open at once, at most.
MAX_OPEN_COHORTS = 4_000
#: Horizons, and ages, at most: each is one more series of figures.
MAX_VIEWS = 10

MissingLabel: TypeAlias = Literal["negative", "unlabelled"]

_SECOND, _MINUTE, _HOUR, _DAY = 1_000, 60_000, 3_600_000, 86_400_000
#: Widths that a cohort has by default: people read them off a clock.
_WIDTHS = (_MINUTE, 5 * _MINUTE, 15 * _MINUTE, _HOUR, 6 * _HOUR, _DAY)


def _a_second(ms: int) -> int:
    if ms < _SECOND:
        raise ValueError(f"{duration_text(ms)!r} is too short; expected 1s or more")
    return ms


def _some(durations: tuple[int, ...]) -> tuple[int, ...]:
    if not durations:
        raise ValueError("found an empty list; expected a duration of 1s or more such as '7d', or a list of these")
    return durations


def _distinct(durations: Sequence[int]) -> tuple[int, ...]:
    for index, ms in enumerate(durations):
        if ms in durations[:index]:
            raise ValueError(f"{duration_text(ms)!r} is listed twice")
    return tuple(durations)


def _one_or_more(given: Any) -> Any:
    return [given] if isinstance(given, str | int) else given


_Seconds: TypeAlias = Annotated[Duration, AfterValidator(_a_second)]
_DURATION: dict[str, Any] = {"type": "string", "pattern": DURATION_PATTERN}
_Horizons: TypeAlias = Annotated[
    tuple[_Seconds, ...],
    Field(max_length=MAX_VIEWS),
    AfterValidator(_some),
    AfterValidator(_distinct),
    BeforeValidator(_one_or_more),
    WithJsonSchema({"anyOf": [_DURATION, {"type": "array", "items": _DURATION, "minItems": 1, "maxItems": MAX_VIEWS}]}),
    OneOrMore(),
    Expected("a duration of 1s or more such as '7d', or a list of these"),
]
_Ages: TypeAlias = Annotated[
    tuple[_Seconds, ...],
    Field(max_length=MAX_VIEWS),
    AfterValidator(_distinct),
    AfterValidator(lambda ages: tuple(sorted(ages))),
]


def _listed(durations: Sequence[int]) -> str:
    return " and ".join(map(duration_text, durations))


def _within(ms: int, least: int, most: int) -> int:
    return min(max(ms, least), most)


def _shortest(data: dict[str, Any]) -> int:
    return int(min(data["horizon"]))


def _longest(data: dict[str, Any]) -> int:
    return int(max(data["horizon"]))


def _grace(data: dict[str, Any]) -> int:
    return _within(_shortest(data) // 24, _MINUTE, _HOUR)


def _corrections(data: dict[str, Any]) -> int:
    return _longest(data) // 3


def _wait(data: dict[str, Any]) -> int:
    return min(_DAY, _longest(data))


def _lateness(data: dict[str, Any]) -> int:
    return _within(_shortest(data) // 8, _MINUTE, _HOUR)


def _cohort(data: dict[str, Any]) -> int:
    fine = max(width for width in _WIDTHS if width <= max(_MINUTE, _shortest(data) // 24))
    # Beside a short horizon a long one may make too many cohorts of that width.
    open_ms = _longest(data) + data["grace"] + data["corrections"]
    return next((width for width in _WIDTHS if width >= fine and open_ms <= width * MAX_OPEN_COHORTS), _DAY)


def _ages(data: dict[str, Any]) -> tuple[int, ...]:
    first: int = data["horizon"][0]
    return tuple(age for age in (first // 8, first // 2) if age >= _SECOND)


class LabelsConfig(SourceConfig):
    """The topic of labels: what is known of a prediction later, how long that is waited for, and what it counts.

    Durations are milliseconds once read. A *cohort* is the predictions of one stretch of event time.
    """

    horizon: _Horizons = Field(
        default=(7 * _DAY,),
        description="How long after a prediction its label may come. Of several the first is watched for concept drift; all are measured.",
    )
    missing_label: MissingLabel = Field(
        default="unlabelled",
        description="What a prediction without a label is once the horizon has passed; 'negative' for task binary only.",
    )
    grace: Duration = Field(
        default_factory=_grace,
        description="How long after its horizon a label may arrive and still count. By default 1/24 of the shortest horizon, 1m to 1h.",
    )
    corrections: Duration = Field(
        default_factory=_corrections,
        description="How long after maturity labels are still taken, into the amended figures. By default a third of the longest horizon.",
    )
    wait: Duration = Field(
        default_factory=_wait,
        description="How long a label waits for a prediction that comes after it. By default 24h, at most the longest horizon.",
    )
    lateness: Duration = Field(
        default_factory=_lateness,
        description="How old a prediction may be when it arrives and still be joined. By default 1/8 of the shortest horizon, 1m to 1h.",
    )
    skew: Duration = Field(
        default=_MINUTE, description="How far a label's time may lie before its prediction's, by clocks that differ; beyond, it is leakage."
    )
    cohort: _Seconds = Field(
        default_factory=_cohort,
        description="Width of a cohort. By default the widest of 1m, 5m, 15m, 1h, 6h, 1d within 1/24 of the shortest horizon, as far as "
        f"at most {MAX_OPEN_COHORTS} are open at once.",
    )
    ages: _Ages = Field(
        default_factory=_ages,
        description="At these ages a cohort is measured provisionally; all under the first horizon, which has an eighth and a half of it "
        "by default. [] for none.",
    )
    retraction: MissingLabel = Field(
        default_factory=lambda data: data["missing_label"],
        description="What a prediction is whose label was taken back by null; as 'missing_label' by default.",
    )
    meaning: Literal["class", "time_to_event"] = Field(
        default="class",
        description="What a label says: the outcome; or, for task binary, that the event happened at the label's time, for each horizon "
        "that reaches there.",
    )
    on_silence: Literal["hold", "advance"] = Field(
        default="hold", description="While no labels come at all: hold cohorts open, or close them as if there were none."
    )
    count: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=("natural",),
        min_length=1,
        description="Sources of labels that count in the figures; needs 'fields.source'. A label that names none is 'natural'.",
    )
    learn: int = Field(default=5_000, ge=100, description="Outcomes that the usual loss is learnt from.")
    min_coverage: float = Field(
        default=0.5, ge=0, le=1, description="No verdict on a cohort with a smaller share of labels; for missing_label unlabelled only."
    )
    min_rows: int = Field(default=100, ge=1, description="No figure and no worst group from fewer outcomes.")

    @property
    def open_ms(self) -> int:
        """How long a cohort stays open after its end, in milliseconds: the longest horizon, grace and corrections."""
        return max(self.horizon) + self.grace + self.corrections

    def understood(self) -> str:
        """Say in one line what is done with labels, with all that was filled in.

        Examples
        --------
        >>> fields = {"id": "id", "label": "label"}
        >>> labels = LabelsConfig.model_validate({"topic": "t", "fields": fields, "horizon": ["2h", "1d"], "missing_label": "negative"})
        >>> labels.understood()
        'horizons 2h and 1d, grace 5m, corrections for 8h more; cohorts of 5m, seen first at 15m and 1h; without a label: negative'
        """
        several = "s" if len(self.horizon) > 1 else ""
        seen = f"seen first at {_listed(self.ages)}" if self.ages else "seen once matured"
        counted = f"; of {' and '.join(self.count)} labels only" if self.fields.source else ""
        return (
            f"horizon{several} {_listed(self.horizon)}, grace {duration_text(self.grace)}, "
            f"corrections for {duration_text(self.corrections)} more; cohorts of {duration_text(self.cohort)}, {seen}; "
            f"without a label: {self.missing_label}{counted}"
        )

    @model_validator(mode="after")
    def _durations_fit(self) -> LabelsConfig:
        found: list[tuple[KeyPath, str]] = []
        first = self.horizon[0]
        if self.ages and self.ages[-1] >= first:
            found.append(
                (("ages",), f"found {duration_text(self.ages[-1])!r}; expected less than the first horizon ({duration_text(first)})")
            )
        if self.open_ms > self.cohort * MAX_OPEN_COHORTS:
            message = (
                f"cohorts of {duration_text(self.cohort)} are {-(-self.open_ms // self.cohort)} within the longest horizon, grace and "
                f"corrections ({duration_text(self.open_ms)}); expected at most {MAX_OPEN_COHORTS}: wider cohorts, or a shorter horizon"
            )
            found.append((("cohort",) if "cohort" in self.model_fields_set else ("horizon",), message))
        if "count" in self.model_fields_set and self.fields.source is None:
            found.append((("count",), "needs 'fields.source': where a record says who labelled it"))
        if found:
            raise Misfit(found)
        return self

    def misfits(self, task: str) -> list[tuple[KeyPath, str]]:
        """What means nothing for a model of this task: path below the labels, and what is wrong there."""
        if task == "binary":
            return []
        values: tuple[tuple[str, str, str], ...] = (
            ("missing_label", self.missing_label, "negative"),
            ("retraction", self.retraction, "negative"),
            ("meaning", self.meaning, "time_to_event"),
        )
        return [
            ((key,), f"{value!r} means something for task 'binary' only; found task {task!r}")
            for key, value, binary_only in values
            if value == binary_only and key in self.model_fields_set
        ]
