"""An alert for tests of those who carry alerts about."""

from __future__ import annotations

from schemas.alerts import Alert


def an_alert(number: int, *, stream: str = "fraud/1/all/amount") -> Alert:
    data = {
        "state": "firing",
        "kind": "feature_drift",
        "severity": "warning",
        "model": "fraud",
        "model_version": "1",
        "segment": "all",
        "subject": "amount",
        "alert_key": "k",
        "stream": stream,
        "sequence": number,
        "started_at": "2026-01-05T10:00:00.000Z",
        "detected_at": "2026-01-05T10:00:00.000Z",
        "summary": "amount has moved",
        "config": "sha256:0",
        "position": {"topic": "f", "partition": 0, "offset": number},
    }
    return Alert.model_validate(
        {"id": str(number), "source": "/driftsonde/app", "subject": stream, "time": data["detected_at"], "data": data}
    )
