"""The alert event as consumers get it."""

from __future__ import annotations

from typing import Any

import jsonschema
import orjson
import pytest

from schemas.alerts import Alert, AlertData, AlertPosition, Evidence

REQUIRED = {
    "state": "firing",
    "kind": "concept_drift",
    "severity": "critical",
    "model": "fraud",
    "model_version": "3",
    "segment": "all",
    "subject": "loss",
    "alert_key": "k",
    "stream": "fraud/3/all/loss",
    "sequence": 1,
    "started_at": "2026-01-05T10:23:11.000Z",
    "detected_at": "2026-01-05T10:23:11.000Z",
    "summary": "s",
    "config": "sha256:0",
    "position": AlertPosition(topic="t", partition=0, offset=1),
}


def body(**more: Any) -> tuple[Alert, dict[str, Any]]:
    alert = Alert(id="i", source="s", subject="s", time="t", data=AlertData.model_validate(REQUIRED | more))
    return alert, orjson.loads(alert.to_json())["data"]


@pytest.mark.parametrize("provisional", [None, True, False])
@pytest.mark.parametrize("also_firing", [{}, {"feature_drift": 2, "silence": 1}])
def test_what_is_not_known_is_left_out_and_what_is_known_comes_back(provisional: bool | None, also_firing: dict[str, int]):
    alert, data = body(provisional=provisional, also_firing=also_firing)
    assert data.get("provisional") == provisional
    assert ("provisional" in data) == (provisional is not None)
    assert data.get("also_firing", {}) == also_firing
    assert ("also_firing" in data) == bool(also_firing)
    assert Alert.from_json(alert.to_json()) == alert
    jsonschema.validate(orjson.loads(alert.to_json()), dict(Alert.json_schema()))


def test_evidence_names_the_series_it_comes_from():
    shown = [Evidence(detector="esr", statistic=1, threshold=2, breached=False, series=series) for series in ("age 1h", None)]
    _, data = body(evidence=shown)
    assert [evidence.get("series", "none") for evidence in data["evidence"]] == ["age 1h", "none"]
