from __future__ import annotations

import asyncio

from schemas.config import Config
from schemas.dead_letters import DeadLetter
from schemas.events import Position
from streams.live.journal import MAX_BYTES
from streams.live.outlet import Outlet
from tests.unit.live.alerts import an_alert
from tests.unit.live.memory_log import MemoryLog, Written

CONFIG = Config.model_validate(
    {"version": 1, "models": [{"name": "fraud", "sources": {"features": {"topic": "f", "fields": {"id": "id", "features": "x"}}}}]}
)


def sent(*outgoing: object) -> list[Written]:
    log = MemoryLog({CONFIG.alerts.topic: 3, CONFIG.dead_letters.topic: 1})
    outlet = Outlet(CONFIG, log.produce)

    async def story() -> None:
        for one in outgoing:
            await (await outlet.send(one))  # type: ignore[arg-type]

    asyncio.run(story())
    return log.written


def test_alerts_of_one_stream_go_to_one_partition() -> None:
    written = sent(an_alert(1), an_alert(2))
    assert {w.key for w in written} == {b"fraud/1/all/amount"}
    assert len({w.partition for w in written}) == 1


def test_a_dead_letter_keeps_its_bytes_and_says_why() -> None:
    [written] = sent(DeadLetter(Position("f", 3, 41), "missing_id", "nothing at 'id'", b"{}", 5))
    assert (written.topic, written.key, written.value) == (CONFIG.dead_letters.topic, b"f/3/41", b"{}")
    assert written.headers["reason"] == b"missing_id"
    assert "truncated" not in written.headers


def test_a_dead_letter_that_no_broker_takes_is_cut_and_says_so() -> None:
    [written] = sent(DeadLetter(Position("f", 3, 41), "oversize", "too large", bytes(2_000_000), 5))
    assert len(written.value or b"") == MAX_BYTES
    assert written.headers["truncated"] == b"900000 of 2000000 bytes"
