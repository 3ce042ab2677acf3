"""That everything is silent is told at the row after which it was so, however the journal was cut into batches."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.config import Config
from schemas.events import Announcement, Message, Source, Tick
from streams.engine import Engine
from tests.worlds import START, block_of, by_stream, told

F0 = Source("f", 0)
MINUTE = 60_000
FEATURES = {"topic": "f", "fields": {"id": "id", "features": "x"}}
CONFIG = Config.model_validate({"version": 1, "models": [{"name": "fraud", "sources": {"features": FEATURES}}]})


def journal() -> list[Message]:
    """Rows, a silence of twenty minutes, rows, and another one that lasts."""
    messages: list[Message] = [Announcement("fraud", (F0,))]
    for part in range(2):
        for first in (100 * part, 100 * part + 50):
            stamps = START + 1000 * np.arange(first, first + 50) + part * 30 * MINUTE
            messages.append(block_of(F0, {"x": np.zeros(50)}, stamps=stamps, first_offset=first))
        messages += [Tick("fraud", F0, 100 * part + 100, minutes * MINUTE) for minutes in (1, 14, 15, 16, 20)]
    return messages


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 100])
def test_silence_is_told_the_same_in_batches_of_any_size(size):
    messages, engine, alerts = journal(), Engine(CONFIG, {}), []
    for start in range(0, len(messages), size):
        alerts += engine.process(messages[start : start + size])
        engine = Engine(CONFIG, {}, state=engine.snapshot())
    said = {stream: lines for stream, lines in by_stream(alerts).items() if stream.endswith("all sources")}
    assert told(a for a in alerts if a.data.subject == "all sources") == [
        "firing silence warning fraud/feed/all/all sources #1 @99",
        "resolved silence warning fraud/feed/all/all sources #2 @100",
        "firing silence warning fraud/feed/all/all sources #3 @199",
    ]
    whole = by_stream(Engine(CONFIG, {}).process(messages))
    assert said == {"fraud/feed/all/all sources": whole["fraud/feed/all/all sources"]}


def test_a_source_that_never_had_a_row_is_not_missed():
    engine = Engine(CONFIG, {})
    assert engine.process([Announcement("fraud", (F0,)), Tick("fraud", F0, 10, 60 * MINUTE)]) == []
