"""All rules of order at once: whatever is read, however, the sequencer does what a slow, plain one does."""

from __future__ import annotations

from collections import Counter
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import End, Message, Source
from schemas.snapshot import pack, unpack
from streams.engine.sequencer import Sequencer
from tests.unit.engine.logs import GRACE, MODEL, Row, announce, block, drain, sequencer, tick
from tests.unit.engine.naive_sequencer import NaiveSequencer

SOURCES = (Source("features", 0), Source("features", 1), Source("labels", 0))


@st.composite
def readings(draw: st.DrawFn) -> tuple[dict[Source, list[int]], list[Message], list[bool]]:
    """Logs; the blocks of one way to read them, cut, interleaved and repeated; and after which of them to release."""
    stamps = st.lists(st.integers(0, 12).map(lambda n: n * 500), max_size=12)
    logs = {source: draw(stamps) for source in SOURCES[: draw(st.integers(1, 3))]}
    steps = draw(st.lists(st.tuples(st.sampled_from(list(logs)), st.integers(0, 3), st.integers(0, 5)), max_size=20))
    read = dict.fromkeys(logs, 0)
    messages: list[Message] = []
    for source, back, n in [*steps, *((source, 0, len(log)) for source, log in logs.items())]:
        lo = max(0, read[source] - back)
        part = logs[source][lo : lo + n]
        if part:
            messages.append(block(source, part, start=lo))
            read[source] = max(read[source], lo + len(part))
    return logs, messages, draw(st.lists(st.booleans(), min_size=len(messages), max_size=len(messages)))


@given(readings())
def test_any_cut_any_interleaving_any_repetition_gives_the_order_of_keys(reading: tuple) -> None:
    logs, messages, stops = reading
    s = sequencer(*logs)
    out = []
    for message, stop in zip(messages, stops, strict=True):
        s.push(message)
        out += drain(s) if stop else []
    for source in logs:
        s.push(End(MODEL, source))
    out += drain(s)
    assert out == sorted(Row(clock, source, i) for source, log in logs.items() for i, clock in enumerate(accumulate(log, max)))
    assert s.counts.duplicates == sum(len(m) for m in messages) - sum(map(len, logs.values()))
    assert (s.counts.late, s.counts.gaps, s.held) == (0, 0, 0)


@st.composite
def journals(draw: st.DrawFn) -> list[Message]:
    """Anything a journal may hold: late rows, ticks old and new, gaps, repeats, announcements at odd times."""
    source = st.sampled_from(SOURCES)
    stamps = st.lists(st.integers(0, 12).map(lambda n: n * 500), min_size=1, max_size=5)
    idle = st.sampled_from([0, GRACE - 1, GRACE])
    message = st.one_of(
        st.tuples(st.just("rows"), source, stamps, st.integers(-2, 1)),
        st.tuples(st.just("tick"), source, idle, st.integers(-1, 1)),
        st.tuples(st.just("announce"), st.lists(source, max_size=2)),
    )
    read = dict.fromkeys(SOURCES, 3)
    messages: list[Message] = []
    for kind, *rest in draw(st.lists(message, max_size=30)):
        if kind == "rows":
            at, part, jump = rest
            messages.append(block(at, part, start=read[at] + jump))
            read[at] = max(read[at], read[at] + jump + len(part))
        elif kind == "tick":
            at, idle_ms, jump = rest
            messages.append(tick(at, read[at] + jump, idle_ms=idle_ms))
            read[at] = max(read[at], read[at] + jump)
        else:
            messages.append(announce(*rest[0]))
    return [*messages, announce(*SOURCES), *(End(MODEL, at) for at in SOURCES)]


@settings(max_examples=300)
@given(journals(), st.integers(1, 8), st.integers(1, 40), st.integers(0, 40), st.integers(2, 4))
def test_a_journal_gives_one_order_however_it_is_batched_and_wherever_it_is_restored(
    journal: list[Message], max_hold: int, every: int, restore_at: int, stalled_after: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("streams.engine.sequencer.STALLED_AFTER", stalled_after)
        naive = NaiveSequencer(grace_ms=GRACE, max_hold=max_hold, stalled_after=stalled_after)
        s = Sequencer(grace_ms=GRACE, max_hold=max_hold)
        out = []
        for i, message in enumerate(journal):
            naive.push(message)
            s.push(message)
            if i % every == 0 or i == restore_at:
                out += drain(s)
            if i == restore_at:
                _, state = unpack(pack(s.state(), header={}))
                s = Sequencer.from_state(state, grace_ms=GRACE, max_hold=max_hold)
        out += drain(s)
    assert out == naive.out
    told = s.counts
    assert (told.duplicates, told.forced, told.gaps) == (naive.duplicates, naive.forced, naive.gaps)
    assert (told.released, s.held) == (len(out), 0)
    assert told.late == sum(row.late for row in out)
    sent = Counter((m.source, o) for m in journal if hasattr(m, "offsets") for o in m.offsets.tolist())
    once = Counter((row.source, row.offset) for row in out)
    assert max(once.values(), default=1) == 1
    assert sent.total() == once.total() + told.duplicates
