from __future__ import annotations

import orjson

from schemas import blocks
from schemas.codec import Raw
from schemas.config import Config
from schemas.events import Announcement, Block, Source
from streams.live.batches import RecordBatch
from streams.live.journal import MAX_BYTES, Journal, journal_partition
from streams.live.progress import SourceProgress

NOW = 1_767_608_591_000


def config(*names: str, shared: bool = False) -> Config:
    fields = {"id": "id", "features": "x"} | ({"model": "model"} if shared else {})
    models = [{"name": name, "sources": {"features": {"topic": "features", "fields": fields}}} for name in names]
    return Config.model_validate({"version": 1, "models": models})


def batch(*values: object, first: int = 100, step: int = 1, after: int | None = None) -> RecordBatch:
    encoded = [value if isinstance(value, bytes) else orjson.dumps(value) for value in values]
    records = [Raw(first + i * step, NOW, value) for i, value in enumerate(encoded)]
    return RecordBatch("features", 0, records, first if after is None else after)


def event(model: str = "fraud", **features: object) -> dict[str, object]:
    return {"id": "a", "model": model, "x": features or {"amount": 1.0}}


def taken(journal: Journal, batch: RecordBatch, progress: SourceProgress) -> list[Block]:
    found = [blocks.decode(record.value) for record in journal.take(batch, progress, now_ms=NOW).records]
    assert all(isinstance(block, Block) for block in found)
    return [block for block in found if isinstance(block, Block)]


def progress(*models: str, start: int = 100) -> SourceProgress:
    return SourceProgress(Source("features", 0), models, start)


def test_records_become_a_block_keyed_by_its_model() -> None:
    done = Journal(config("fraud")).take(batch(event(), event()), progress("fraud"), now_ms=NOW)
    [record] = done.records
    assert (record.partition, record.key) == (journal_partition("fraud", 4), b"fraud")
    assert len(blocks.decode(record.value)) == 2


def test_a_block_starts_where_its_model_was_last_told_of_so_other_models_rows_are_no_gap() -> None:
    journal, source = Journal(config("fraud", "churn", shared=True)), progress("fraud", "churn")
    [fraud] = taken(journal, batch(event("fraud"), event("fraud")), source)
    [churn] = taken(journal, batch(event("churn"), first=102), source)
    assert (fraud.start, fraud.end) == (100, 102)
    assert (churn.start, churn.end) == (100, 103)


def test_offsets_that_the_log_does_not_have_are_covered() -> None:
    [block] = taken(Journal(config("fraud")), batch(event(), event(), first=110, step=5, after=100), progress("fraud"))
    assert (block.start, block.end, block.offsets.tolist()) == (100, 116, [110, 115])


def test_what_cannot_be_decoded_becomes_a_dead_letter_and_the_rest_goes_on() -> None:
    done = Journal(config("fraud")).take(batch(event(), b"{broken", event()), progress("fraud"), now_ms=NOW)
    assert [letter.reason for letter in done.dead_letters] == ["undecodable"]
    assert [len(blocks.decode(record.value)) for record in done.records] == [2]


def test_wide_rows_are_cut_into_blocks_that_a_broker_takes() -> None:
    wide = event(**{f"f{i}": float(i) for i in range(1000)})
    journal, source = Journal(config("fraud")), progress("fraud")
    found = taken(journal, batch(*[wide] * 300), source)
    assert all(len(blocks.encode(block)) <= MAX_BYTES for block in found)
    assert [(b.start, b.end) for b in found] == list(zip([100, *(b.end for b in found)], [b.end for b in found], strict=False))
    assert sum(map(len, found)) == 300
    assert source.told("fraud") == 400


def test_a_row_that_no_broker_takes_is_a_dead_letter() -> None:
    monster = event(**{f"{i}" + "n" * 300: float(i) for i in range(4000)})
    done = Journal(config("fraud")).take(batch(event(), monster, event()), progress("fraud"), now_ms=NOW)
    assert [(letter.reason, letter.position.offset) for letter in done.dead_letters] == [("oversize", 101)]
    assert sum(len(blocks.decode(record.value)) for record in done.records) == 2


def test_an_announcement_names_every_partition_of_every_topic_of_a_model() -> None:
    [record] = Journal(config("fraud")).announcements({"features": 2})
    assert blocks.decode(record.value) == Announcement("fraud", (Source("features", 0), Source("features", 1)))
