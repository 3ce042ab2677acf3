"""Whatever comes as a label: it is counted under its name, it costs bounded memory, and the model is not accused because of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

from schemas.alerts import Alert
from schemas.codec import Decoder, Raw
from schemas.config import Config
from schemas.events import Announcement, End, Role, Source
from schemas.snapshot import pack
from streams.engine import Engine
from streams.engine.join import orphans
from streams.engine.stats import ModelStats
from tests.worlds import START

N = 3_000
SECOND, MINUTE, YEAR = 1_000, 60_000, 365 * 86_400_000
#: From a prediction to its label.
DELAY = 2 * MINUTE
TOPICS: dict[Role, str] = {"predictions": "shop.predictions", "labels": "shop.labels"}
#: Predictions of the model's second version, whose labels are hostile or don't come: what is said of the first must not change.
VICTIMS = range(1_000, 2_000, 100)


class Record(NamedTuple):
    """A record that came at `at` (ms, data); its timestamp says so, unless it says something else."""

    at: int
    value: bytes | None
    stamp: int | None = None


@dataclass(frozen=True)
class Seen:
    """What came of a run."""

    stats: ModelStats
    alerts: list[Alert]
    dead: Counter[str]
    state_bytes: int

    @property
    def accused(self) -> bool:
        """Whether it was said that the model has got worse."""
        return any(alert.data.kind == "concept_drift" for alert in self.alerts)

    @property
    def counts(self) -> Counter[str]:
        """Labels and predictions by what became of them."""
        return Counter(self.stats.labels) + Counter(waiting=self.stats.orphans)

    @property
    def figures(self) -> list[tuple[str, int, bytes]]:
        """Everything known of the first version."""
        rows = [row for row in self.stats.performance if row.version == "1"]
        return [(row.series, row.start_ms, pack(row.tally.state(), header={})) for row in rows]


def run(hostile: Sequence[Record] = (), *, every: int = 1_000_000, **engine: Any) -> Seen:
    """Let the engine see a model that is wrong once in ten, and its labels, and among them the hostile ones; so many records at a time."""
    fields = {"id": "id", "time": "ts"}
    sources: dict[Role, dict[str, Any]] = {
        "predictions": {"fields": {**fields, "version": "v", "prediction": "y"}},
        "labels": {"fields": {**fields, "label": "y"}, "horizon": "10m", "learn": 500},
    }
    bound = {role: {"topic": TOPICS[role], **source} for role, source in sources.items()}
    model = {"name": "shop", "task": "binary", "references": {"default": {"learn": 500}}, "sources": bound}
    config = Config.model_validate({"version": 1, "engine": engine, "models": [model]})
    sources_of = {role: Source(topic, 0) for role, topic in TOPICS.items()}
    usual, dead = usual_records(), Counter[str]()
    records = {**usual, "labels": sorted([*usual["labels"], *hostile], key=lambda record: record.at)}
    made = Engine(config, {})
    alerts = made.process([Announcement("shop", tuple(sources_of.values()))])
    decoders = {role: Decoder(topic, config.source_topics()[topic]) for role, topic in TOPICS.items()}
    for start in range(0, max(map(len, records.values())), every):
        for role in TOPICS:
            some = records[role][start : start + every]
            raws = [Raw(start + i, record.at if record.stamp is None else record.stamp, record.value) for i, record in enumerate(some)]
            decoded = decoders[role].decode(0, raws, start=start, end=start + len(raws), now_ms=None)
            dead.update(letter.reason for letter in decoded.dead_letters)
            alerts += made.process(decoded.blocks)
    alerts += made.process([End("shop", source) for source in sources_of.values()])
    (stats,) = made.stats().models
    return Seen(stats, alerts, dead, len(pack(made.snapshot(), header={})))


def usual_records() -> dict[Role, list[Record]]:
    dice = np.random.default_rng(1)
    truth = dice.random(N) < 0.3
    said = truth ^ (dice.random(N) < 0.1)
    return {
        "predictions": [Record(time_of(i), prediction(i, said[i])) for i in range(N)],
        "labels": [Record(time_of(i) + DELAY, label(f"e{i}", time_of(i), int(truth[i]))) for i in range(N) if i not in VICTIMS],
    }


def time_of(i: int) -> int:
    return START + SECOND * i


def prediction(i: int, positive: bool) -> bytes:
    return json.dumps({"id": f"e{i}", "ts": time_of(i), "v": "2" if i in VICTIMS else "1", "y": int(positive)}).encode()


def label(id_: Any, time: Any, value: Any) -> bytes:
    return json.dumps({"id": id_, "ts": time, "y": value}).encode()


@pytest.fixture(scope="module")
def usual() -> Seen:
    return run()


def test_labels_that_are_as_they_should_be_are_joined(usual: Seen) -> None:
    assert usual.counts == {"predictions": N, "labels": N - len(VICTIMS), "joined": N - len(VICTIMS)}
    assert {series for series, *_ in usual.figures} == {"age 75s", "age 5m", "matured", "amended"}
    assert not usual.accused


#: Records that are no labels: the reason for which each is a dead letter, and how it is made of a victim and a time.
REJECTED: dict[str, tuple[str, Callable[[int, int], Record]]] = {
    "no id": ("missing_id", lambda _, at: Record(at, b'{"ts": %d, "y": 1}' % at)),
    "a null id": ("missing_id", lambda _, at: Record(at, label(None, at, 1))),
    "an empty id": ("missing_id", lambda _, at: Record(at, label("", at, 1))),
    "an id of a hundred thousand letters": ("missing_id", lambda _, at: Record(at, label("e" * 100_000, at, 1))),
    "a time that is none": ("bad_time", lambda i, at: Record(at, label(f"e{i}", "yesterday", 1))),
    "an ancient time": ("bad_time", lambda i, at: Record(at, label(f"e{i}", 12, 1))),
    "a time in the far future": ("future_timestamp", lambda i, at: Record(at, label(f"e{i}", at + 60 * YEAR, 1))),
    "a timestamp of 1970": ("bad_time", lambda i, at: Record(at, label(f"e{i}", at, 1), stamp=86_400_000)),
    "no label": ("bad_label", lambda i, at: Record(at, b'{"id": "e%d", "ts": %d}' % (i, at))),
    "a label that is an object": ("bad_label", lambda i, at: Record(at, label(f"e{i}", at, {"a": 1}))),
    "a label of a hundred thousand letters": ("bad_label", lambda i, at: Record(at, label(f"e{i}", at, "y" * 100_000))),
    "a label that is no number": ("bad_label", lambda i, at: Record(at, b'{"id": "e%d", "ts": %d, "y": NaN}' % (i, at))),
    "bytes that are no text": ("undecodable", lambda _, at: Record(at, b"\xff\xfe\x00rubbish")),
    "half a record": ("undecodable", lambda i, at: Record(at, label(f"e{i}", at, 1)[:20])),
    "a hundred thousand brackets": ("undecodable", lambda _, at: Record(at, b"[" * 100_000)),
    "nothing": ("undecodable", lambda _, at: Record(at, None)),
}


def test_records_that_are_no_labels_are_dead_letters_with_their_reasons(usual: Seen) -> None:
    seen = run([make(i, time_of(i) + DELAY) for i in VICTIMS for _, make in REJECTED.values()])
    assert seen.dead == Counter({reason: n * len(VICTIMS) for reason, n in Counter(reason for reason, _ in REJECTED.values()).items()})
    assert seen.counts == usual.counts
    assert seen.figures == usual.figures
    assert not seen.accused


#: Labels of one victim: what they are counted as, and how they are made.
TAKEN: dict[str, tuple[Counter[str], Callable[[int, int], list[Record]]]] = {
    "of an id that nobody knows": (
        Counter(labels=1, unmatched_label=1),
        lambda i, at: [Record(at, label(f"nobody-{i}", at, 1))],
    ),
    "of a class that is neither": (
        Counter(unusable_label=1, unexpected_class=1),
        lambda i, at: [Record(at, label(f"e{i}", at, "perhaps"))],
    ),
    "dated a year before its prediction": (
        Counter(labels=1, leakage_suspect=1),
        lambda i, at: [Record(at, label(f"e{i}", time_of(i) - YEAR, 1))],
    ),
    "dated a moment before its prediction": (
        Counter(labels=1, joined=1, clock_skew=1),
        lambda i, at: [Record(at, label(f"e{i}", time_of(i) - SECOND, 1))],
    ),
    "there before its prediction": (
        Counter(labels=1, joined=1),
        lambda i, _: [Record(time_of(i) - 5 * MINUTE, label(f"e{i}", time_of(i), 1))],
    ),
    "taken back": (
        Counter(labels=2, joined=1, retraction=1),
        lambda i, at: [Record(at, label(f"e{i}", at, 1)), Record(at + SECOND, label(f"e{i}", at, None))],
    ),
    "repeated": (
        Counter(labels=9, joined=1, dup_label=8),
        lambda i, at: [Record(at, label(f"e{i}", at, 1))] * 9,
    ),
    "changing its mind a thousand times": (
        Counter(labels=1000, joined=1, correction=99, excess_label=900),
        lambda i, at: [Record(at, label(f"e{i}", at, k % 2)) for k in range(1000)],
    ),
}


@pytest.mark.parametrize("kind", TAKEN)
def test_a_label_that_makes_no_sense_is_counted_and_changes_nothing_else(usual: Seen, kind: str) -> None:
    each, make = TAKEN[kind]
    seen = run([record for i in VICTIMS for record in make(i, time_of(i) + DELAY)])
    assert seen.counts - usual.counts == Counter({name: n * len(VICTIMS) for name, n in each.items()})
    assert usual.counts - seen.counts == Counter()
    assert seen.figures == usual.figures
    assert not seen.accused
    assert not seen.dead


def test_a_hundred_thousand_labels_of_one_prediction_cost_no_more_memory_than_a_few(usual: Seen) -> None:
    at = time_of(VICTIMS[0]) + DELAY
    few, many = (run([Record(at, label(f"e{VICTIMS[0]}", at, k % 2)) for k in range(n)]) for n in (200, 100_000))
    assert many.counts["excess_label"] == 100_000 - 100
    assert abs(many.state_bytes - few.state_bytes) < 1_000
    assert many.figures == usual.figures


def test_labels_that_nobody_asked_for_wait_up_to_a_number_and_then_the_oldest_go(usual: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orphans, "MAX_WAITING", 2_000)
    end = time_of(N) + DELAY
    flood = [Record(end, label(f"nobody-{k}", end, 1)) for k in range(50_000)]
    seen = run(flood)
    assert seen.counts - usual.counts == Counter(labels=50_000, waiting=2_000, orphans_dropped=48_000)
    assert seen.figures == usual.figures


def test_predictions_that_wait_beyond_what_is_allowed_are_given_up_from_the_oldest_and_counted() -> None:
    seen = run(max_pending=500)
    assert seen.stats.pending <= 500
    assert seen.counts["evicted"] > 0
    assert not seen.accused


def test_labels_that_come_when_all_is_over_are_told_of_at_the_same_label_however_the_logs_are_read() -> None:
    over = [Record(time_of(1_500) + 300 * i, label(f"e{i}", time_of(i), 1)) for i in range(1_500)]
    at_once, bit_by_bit = run(over), run(over, every=50)
    assert "label_unmatched" in {alert.data.subject for alert in at_once.alerts}
    assert [a.to_json() for a in bit_by_bit.alerts] == [a.to_json() for a in at_once.alerts]
    assert bit_by_bit.counts == at_once.counts
