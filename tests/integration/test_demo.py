from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.broker import Kafka

pytestmark = pytest.mark.kafka


def test_every_injected_drift_and_nothing_else_is_alerted_live_and_in_a_backtest(kafka: Kafka, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "streams.cli", "demo", "--bootstrap", kafka.bootstrap, "--dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every injected drift was alerted, and nothing else" in done.stdout
    assert re.search(r"backtest   of the same topics: the same \d+ alerts, ids included", done.stderr)
