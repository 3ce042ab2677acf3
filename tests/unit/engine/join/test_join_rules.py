from __future__ import annotations

import pytest

from schemas.config_model import Model
from streams.engine.join.rules import JoinRules

DAY = 86_400_000


def model(task: str = "binary", fields: dict[str, str] | None = None, **labels: object) -> Model:
    where = {"id": "id", "time": "ts", "label": "y", **(fields or {})}
    return Model.model_validate(
        {
            "name": "fraud",
            "task": task,
            "sources": {
                "predictions": {"topic": "p", "fields": {"id": "id", "score": "s"}},
                "labels": {"topic": "l", "fields": where, **labels},
            },
        }
    )


def test_rules_are_the_configuration_in_ms() -> None:
    given = {"horizon": ["7d", "30d"], "ages": ["1d", "36h"], "grace": "1h", "corrections": "2d", "wait": "3h", "lateness": "30m"}
    rules = JoinRules.of(model(**given, skew="5s", cohort="6h", missing_label="negative", meaning="time_to_event"), max_pending=9)
    assert rules == JoinRules(
        "binary",
        (7 * DAY, 30 * DAY),
        grace=3_600_000,
        corrections=2 * DAY,
        skew=5_000,
        wait=3 * 3_600_000,
        lateness=1_800_000,
        cohort=6 * 3_600_000,
        ages=(DAY, DAY * 3 // 2),
        missing_negative=True,
        retraction_negative=True,
        time_to_event=True,
        revisions=False,
        sources=False,
        max_pending=9,
    )
    assert [view.name for view in rules.views] == ["age 1d", "age 36h", "matured", "amended", "matured 30d", "amended 30d"]
    assert [view.horizon for view in rules.views] == [0, 0, 0, 0, 1, 1]


def test_revisions_and_sources_are_kept_where_labels_carry_them() -> None:
    rules = JoinRules.of(model(fields={"source": "who", "revision": "rev"}))
    assert (rules.revisions, rules.sources) == (True, True)


def test_a_model_without_a_task_has_nothing_to_join() -> None:
    with pytest.raises(ValueError, match="'fraud': nothing to join"):
        JoinRules.of(model(task="none"))
