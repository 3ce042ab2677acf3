from __future__ import annotations

from schemas.events import Source, Tick
from streams.live.progress import SourceProgress, Standing

SOURCE = Source("features", 0)


def progress(*models: str, start: int = 100) -> SourceProgress:
    return SourceProgress(SOURCE, models or ("fraud",), start)


def at(position: int, *, highwater: int | None = None, fetched: int | None = None, age: float = 0.1) -> Standing:
    return Standing(position, position if fetched is None else fetched, position if highwater is None else highwater, age)


def tick(model: str, end: int, idle_ms: int) -> Tick:
    return Tick(model, SOURCE, end, idle_ms)


def test_a_source_at_its_end_says_every_second_how_long_it_has_been_there() -> None:
    source = progress()
    assert [source.ticks(at(100), now=now) for now in (0.0, 1.0, 2.5)] == [
        [tick("fraud", 100, 0)],
        [tick("fraud", 100, 1000)],
        [tick("fraud", 100, 2500)],
    ]


def test_new_rows_start_the_idleness_anew() -> None:
    source = progress()
    source.ticks(at(100), now=0.0)
    source.advance(101)
    source.tell("fraud", 101)
    assert source.ticks(at(101), now=5.0) == [tick("fraud", 101, 0)]


def test_a_source_is_idle_only_up_to_where_the_broker_has_confirmed_it() -> None:
    source = progress()
    source.ticks(at(100, age=0.1), now=10.0)
    assert source.ticks(at(100, age=3.1), now=14.0) == [tick("fraud", 100, 1000)]


def test_time_without_an_answer_of_the_broker_is_not_idle_time() -> None:
    source = progress()
    source.ticks(at(100), now=0.0)
    source.ticks(at(100), now=1.0)
    assert source.ticks(at(100), now=9.0) == [tick("fraud", 100, 0)]
    assert source.ticks(at(100), now=10.0) == [tick("fraud", 100, 1000)]


def test_in_a_shared_topic_others_rows_do_not_end_a_models_idleness() -> None:
    source = progress("busy", "rare")
    for second in range(5):
        source.advance(101 + second)
        source.tell("busy", 101 + second)
        ticks = source.ticks(at(101 + second), now=float(second))
        assert ticks == [tick("busy", 101 + second, 0), tick("rare", 101 + second, 1000 * second)]


def test_a_source_that_moves_tells_only_the_models_that_got_no_rows() -> None:
    source = progress("fraud", "churn")
    source.tell("fraud", 110)
    source.advance(110)
    assert source.ticks(at(110, highwater=500), now=0.0) == [tick("churn", 110, 0)]
    assert source.ticks(at(110, highwater=500), now=1.0) == []


def test_a_source_that_neither_moves_nor_is_at_its_end_says_nothing() -> None:
    assert progress().ticks(at(100, highwater=101), now=0.0) == []


def test_without_a_fresh_answer_of_the_broker_nothing_is_known_about_the_end() -> None:
    assert progress().ticks(at(100, age=30.0), now=0.0) == []
    assert progress().ticks(None, now=0.0) == []


def test_records_that_were_fetched_but_not_journaled_keep_a_source_from_its_end() -> None:
    source = progress()
    assert source.ticks(at(120, fetched=120), now=0.0) == []
    assert source.lag(at(120, fetched=120)) == 20


def test_transaction_markers_at_the_end_of_the_log_do_not_keep_a_source_from_its_end() -> None:
    source = progress()
    source.advance(119)
    assert source.ticks(at(121, fetched=119), now=0.0) == [tick("fraud", 119, 0)]
    assert source.lag(at(121, fetched=119)) == 0


def test_after_deleted_records_the_next_block_starts_behind_them() -> None:
    source = progress()
    source.skip_to(150)
    assert source.told("fraud") == 150
    source.skip_to(120)
    assert source.told("fraud") == 150


def test_a_log_that_ends_before_what_was_read_is_believed_only_after_a_while() -> None:
    source = progress(start=100)
    assert not source.ends_early(at(90), now=0.0)
    assert not source.ends_early(at(90), now=29.0)
    assert source.ends_early(at(90), now=30.0)
    assert not source.ends_early(at(100), now=31.0)
    assert not source.ends_early(at(90), now=32.0)
