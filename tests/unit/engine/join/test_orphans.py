from __future__ import annotations

from collections import Counter
from random import Random

import numpy as np

from streams.engine.join.orphans import Orphans
from tests.unit.engine.join.oracle import LabelRow
from tests.unit.engine.join.worlds import labels_of


def keys(*ids: int) -> np.ndarray:
    return np.array([(id_ // 2, id_) for id_ in ids], np.uint64).reshape(-1, 2)


def test_labels_are_found_by_key_in_the_order_of_their_log_however_many_have_come_and_gone() -> None:
    random, counts = Random(5), Counter[str]()
    orphans = Orphans(100, counts)
    waiting: list[LabelRow] = []
    taken = expired = number = 0
    for now in range(0, 4_000, 10):
        rows = [LabelRow(random.randrange(400), 0, now + random.randrange(10), float(number + i)) for i in range(random.randrange(60))]
        number += len(rows)
        orphans.add(labels_of(rows))
        waiting += rows
        asked = random.sample(range(400), random.choice([0, 1, 20]))
        index, found = orphans.take(keys(*asked))
        for at, id_ in enumerate(asked):
            assert found.values[index == at].tolist() == [row.value for row in waiting if row.id == id_]
        taken += len(index)
        waiting = [row for row in waiting if row.id not in asked]
        orphans.expire(now)
        expired += sum(row.clock + 100 < now for row in waiting)
        waiting = [row for row in waiting if row.clock + 100 >= now]
        assert len(orphans) == len(waiting)
        if random.random() < 0.05:
            orphans = Orphans(100, counts, orphans.state())
    assert +counts == {"unmatched_label": expired}
    assert min(taken, expired) > 1_000


def test_ids_that_share_half_a_key_are_apart() -> None:
    orphans = Orphans(100, Counter())
    orphans.add(labels_of([LabelRow(2, 0, 0, 7.0), LabelRow(3, 0, 0, 8.0), LabelRow(2, 0, 0, 9.0)]))
    assert orphans.take(keys(3))[1].values.tolist() == [8]
    assert orphans.take(keys(2))[1].values.tolist() == [7, 9]
    assert len(orphans) == 0
