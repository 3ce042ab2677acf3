"""References from history hold what each version has, and nothing that only another version has."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from schemas.config import Config
from schemas.dead_letters import DeadLetter
from schemas.events import Announcement, End, Source
from streams.replay.reference_builder import build_references
from streams.replay.source import Read
from streams.replay.tally import Tally
from tests.worlds import START, block_of

F0 = Source("f", 0)
FEATURES = {"topic": "f", "fields": {"id": "id", "features": "x"}}
CONFIG = Config.model_validate({"version": 1, "models": [{"name": "fraud", "sources": {"features": FEATURES}}]})


class History:
    """Two versions taking turns; the second has a feature and a category more."""

    size = 1

    def read(self) -> Iterator[Read]:
        n = np.arange(400)
        second = n % 2 == 1
        numbers = {"both": np.sin(n), "new": np.where(second, np.cos(n), np.nan)}
        categories = {"kind": ["a" if row % 4 == 1 else "b" if row % 2 else None for row in n]}
        versions = np.where(second, "2", "1").tolist()
        block = block_of(F0, numbers, stamps=START + 1000 * n, categories=categories, version=versions)
        yield Read((Announcement("fraud", (F0,)), block, End("fraud", F0)), records=400, done=1)

    def place(self, letter: DeadLetter) -> str:
        raise NotImplementedError


def test_a_feature_that_only_another_version_has_is_not_in_the_reference():
    built = build_references(CONFIG, History(), origin="a test", tally=Tally())
    assert {version: sorted(r.profiles) for (_, version), r in built.items()} == {"1": ["both"], "2": ["both", "kind", "new"]}
    assert all(profile.missing == 0 for r in built.values() for profile in r.profiles.values())


def test_a_source_that_had_no_rows_is_told():
    predictions = {"topic": "p", "fields": {"id": "id", "prediction": "y"}}
    sources = {"features": FEATURES, "predictions": predictions}
    config = Config.model_validate({"version": 1, "models": [{"name": "fraud", "sources": sources}]})
    tally = Tally()
    build_references(config, History(), origin="a test", tally=tally)
    assert [note.partition(" is in")[0] for note in tally.notes] == ["nothing about predictions"] * 2
