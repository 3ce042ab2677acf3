from __future__ import annotations

from pathlib import Path

import pytest

from schemas.config import Config
from streams.engine.sequencer import STALLED_AFTER
from streams.live.app import build_app


@pytest.mark.parametrize("static", [False, True])
def test_the_group_gives_up_on_a_dead_worker_before_the_engines_give_up_on_its_sources(static: bool, tmp_path: Path) -> None:
    source = {"topic": "f", "fields": {"id": "id", "features": "x"}}
    config = Config.model_validate(
        {"version": 1, "kafka": {"static_membership": static}, "models": [{"name": "m", "sources": {"features": source}}]}
    )
    conf = build_app(config, {}, instance_id="w", datadir=tmp_path).conf
    others_hear_of_it = conf.broker_session_timeout + 2 * conf.broker_heartbeat_interval
    assert others_hear_of_it < STALLED_AFTER
