"""Rule R17: a backtest knows a label when the live worker would have known it, or says that it can't."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schemas.codec import Decoder, Raw
from schemas.config import Config
from schemas.errors import DataError
from schemas.events import Block
from streams.engine import Engine
from streams.replay.arrival import Arrivals
from streams.replay.files import FileSource
from streams.replay.runner import replay, unhurried
from tests.unit.replay.configs import PREDICTIONS, START, row, write_lines

HOUR = 3_600_000
LABELS: dict[str, Any] = {"topic": "l", "fields": {"id": "id", "time": "ts", "label": "y"}, "horizon": "1d", "min_rows": 10}


def config(labels: dict[str, Any] | None = LABELS, *, task: str = "binary") -> Config:
    sources = {"predictions": PREDICTIONS} | ({"labels": labels} if labels else {})
    return Config.model_validate({"version": 1, "models": [{"name": "fraud", "task": task, "sources": sources}]})


def mapped(**fields: str) -> dict[str, Any]:
    return {**LABELS, "fields": {**LABELS["fields"], **fields}}


def block(of: Config, topic: str, times: list[int], stamps: list[int]) -> Block:
    lines = [b'{"id": "r%d", "ts": %d, "y": 1, "score": 0.5, "label": "ok"}' % (i, time) for i, time in enumerate(times)]
    records = [Raw(i, stamp, line) for i, (line, stamp) in enumerate(zip(lines, stamps, strict=True))]
    (decoded,) = Decoder(topic, of.source_topics()[topic]).decode(0, records, start=0, end=len(records), now_ms=None).blocks
    return decoded


def arrivals(of: Config, *, stamped: bool = True, assume_delay_ms: int | None = None) -> Arrivals:
    return Arrivals(of.source_topics(), stamped=stamped, assume_delay_ms=assume_delay_ms)


def stamps_of(source: FileSource) -> dict[str, list[int]]:
    blocks = [m for read in source.read() for m in read.messages if isinstance(m, Block)]
    return {block.source.topic: block.stamps.tolist() for block in blocks}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    predictions = [{**row(i), "label": "1", "score": 0.5} for i in range(3)]
    labels = [{"id": f"r{i}", "ts": START + 1000 * i + HOUR, "y": 1} for i in range(3)]
    return {"p": write_lines(tmp_path / "p.jsonl", predictions), "l": write_lines(tmp_path / "l.jsonl", labels)}


def test_labels_of_a_file_that_does_not_say_when_they_arrived_are_refused(files: dict[str, Path]) -> None:
    source = FileSource(config(), files)
    with pytest.raises(DataError, match=r"'fraud': labels come from a file.*sources\.labels\.fields\.arrived.*--assume-delay.*0s"):
        replay(Engine(unhurried(config()), {}), source)


@pytest.mark.parametrize("of", [config(task="none"), config(None), config(mapped(arrived="at")), config(mapped(time="$timestamp"))])
def test_labels_that_are_not_joined_or_say_when_they_arrived_are_not_refused(of: Config) -> None:
    assert arrivals(of, stamped=False).refusal() is None


def test_predictions_of_a_file_without_labels_are_not_refused(files: dict[str, Path]) -> None:
    assert FileSource(config(), {"p": files["p"]}).arrivals.refusal() is None


def test_labels_arrive_the_assumed_delay_after_their_time_and_all_else_at_its_own(files: dict[str, Path]) -> None:
    source = FileSource(config(), files, assume_delay_ms=2 * HOUR)
    assert stamps_of(source) == {"p": [START + 1000 * i for i in range(3)], "l": [START + 1000 * i + 3 * HOUR for i in range(3)]}
    assert source.arrivals.refusal() is None
    assert source.arrivals.assumption() == "labels assumed to arrive 2h after their time"


def test_labels_may_arrive_at_their_own_time() -> None:
    assumed = arrivals(config(), stamped=False, assume_delay_ms=0)
    assert assumed.refusal() is None
    assert assumed.assumption() == "labels assumed to arrive 0s after their time"


def test_records_that_are_prediction_and_label_at_once_can_not_arrive_twice() -> None:
    shared = config({**LABELS, "topic": "p"})
    why = arrivals(shared, stamped=False, assume_delay_ms=HOUR).refusal()
    assert why is not None
    assert "labels and predictions are the same records (topic p)" in why
    assert arrivals(shared, stamped=False, assume_delay_ms=0).refusal() is None


def test_assuming_a_delay_moves_topics_to_their_own_times() -> None:
    of = config()
    now = START + 400 * 24 * HOUR
    assumed = arrivals(of, assume_delay_ms=HOUR)
    times = [START + i for i in range(20)]
    assert assumed.stamp(block(of, "p", times, [now] * 20)).stamps.tolist() == times
    assert assumed.stamp(block(of, "l", times, [now] * 20)).stamps.tolist() == [time + HOUR for time in times]
    assert assumed.refusal() is None


def test_a_model_without_labels_keeps_its_timestamps_whatever_is_assumed() -> None:
    of = config(task="none")
    kept = arrivals(of, assume_delay_ms=HOUR)
    assert kept.stamp(block(of, "p", [START], [START + 7])).stamps.tolist() == [START + 7]
    assert kept.assumption() is None


def test_timestamps_of_topics_stand_and_are_no_assumption() -> None:
    of = config()
    read = arrivals(of)
    times, stamps = [START + i for i in range(20)], [START + i + 20 * HOUR for i in range(20)]
    assert read.stamp(block(of, "l", times, stamps)).stamps.tolist() == stamps
    assert read.stamp(block(of, "p", times, [time + 5 for time in times])).stamps.tolist() == [time + 5 for time in times]
    assert (read.refusal(), read.assumption()) == (None, None)


@pytest.mark.parametrize(
    ("topic", "said"),
    [
        ("p", r"11 of 20 predictions \(topic p\) .* more than 1h after .*lateness\).*sources\.predictions\.fields\.arrived"),
        ("l", r"11 of 20 labels \(topic l\) .* more than 1d9h1m after .*corrections\).*sources\.labels\.fields\.arrived"),
    ],
)
def test_a_topic_most_of_which_came_too_late_looks_filled_afterwards(topic: str, said: str) -> None:
    of = config()
    times = [START + i for i in range(20)]
    stamps = np.array(times) + 5
    stamps[9:] += 40 * 24 * HOUR
    read = arrivals(of)
    read.stamp(block(of, topic, times[:10], stamps[:10].tolist()))
    read.stamp(block(of, topic, times[10:], stamps[10:].tolist()))
    assert re.search(said, read.refusal() or "")


def test_half_of_a_topic_or_a_few_rows_are_no_reason_to_refuse() -> None:
    of = config()
    times = [START + i for i in range(20)]
    late = [time + 40 * 24 * HOUR for time in times]
    half, few = arrivals(of), arrivals(of)
    half.stamp(block(of, "p", times, [*times[:10], *late[10:]]))
    few.stamp(block(of, "p", times[:9], late[:9]))
    assert (half.refusal(), few.refusal()) == (None, None)


def test_labels_that_come_up_to_the_last_correction_are_not_too_late() -> None:
    of = config()
    labels = of.models[0].sources.labels
    assert labels is not None
    times = [START + i for i in range(20)]
    read = arrivals(of)
    read.stamp(block(of, "l", times, [time + labels.open_ms + labels.skew for time in times]))
    assert read.refusal() is None
