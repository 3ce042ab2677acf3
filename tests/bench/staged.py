"""`driftsonde` with a stopwatch at its stages: ``python -m tests.bench.staged OUT.json run -c …``; writes CPU microseconds by stage."""

from __future__ import annotations

import functools
import json
import sys
import time
from pathlib import Path

from streams.cli import main as driftsonde
from streams.live import worker
from streams.live.stages import Stages


def main() -> None:
    """Run the command line that follows the name of the output file."""
    output = Path(sys.argv.pop(1))
    stages = Stages(clock=time.thread_time)
    worker.build_app = functools.partial(worker.build_app, stages=stages)
    try:
        driftsonde()
    finally:
        output.write_text(json.dumps(stages.microseconds))


if __name__ == "__main__":
    main()
