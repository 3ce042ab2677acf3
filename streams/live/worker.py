"""Runs a live worker as this process: from the check of the brokers to the exit code."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import logging
import os
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

import faust

from schemas.config import Config
from schemas.errors import DriftsondeError
from streams.engine.monitors import References
from streams.live.app import LiveApp, build_app
from streams.live.preflight import preflight
from streams.live.web import Pages

__all__ = ["run_worker"]

logger = logging.getLogger(__name__)

#: Every fetched record is an object the cyclic collector tracks: by its default thresholds it takes half of the worker's time.
GC_THRESHOLDS = (50_000, 50, 100)
#: Seconds that a crash or an orderly stop may take before the process is ended: only what is dead gets restarted.
STOP_WITHIN = 30.0
_NOISY = ("faust", "mode", "aiokafka", "asyncio")


def run_worker(
    config: Config,
    references: References,
    *,
    web_host: str | None = "127.0.0.1",
    web_port: int = 6066,
    instance_id: str | None = None,
    log_level: str = "INFO",
) -> int:
    """Run until SIGTERM or SIGINT (0), or until something breaks (1).

    Parameters
    ----------
    config : Config
        The configuration.
    references : mapping
        References loaded from files, by (model, version).
    web_host, web_port : str or None, int
        Where to serve /metrics, /healthz, /readyz and /; None for not at all.
    instance_id : str, optional
        Name of this worker, unique in its group; the host's name when not given.
    log_level : str
        DEBUG, INFO, WARNING or ERROR; logs go to stderr.

    Raises
    ------
    DriftsondeError
        The address for the pages is taken.
    BrokerError
        The brokers can't be reached, or refuse something we need.
    ConfigError
        A client property can't be used.
    """
    _log_to_stderr(log_level)
    listener = None if web_host is None else _listen(web_host, web_port)
    preflight(config)
    with tempfile.TemporaryDirectory(prefix="driftsonde-") as datadir:
        app = build_app(config, references, instance_id=instance_id, datadir=Path(datadir))
        _end_if_stuck(app)
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        pages = [] if listener is None else [_pages(app, listener)]
        worker = _Worker(app, *pages, loop=loop, quiet=True, redirect_stdouts=False, override_logging=False)
        worker.spinner = None  # it would write to stdout
        try:
            worker.execute_from_commandline()
        except SystemExit as ended:
            return int(ended.code or 0)


class _Worker(faust.Worker):
    async def on_startup_finished(self) -> None:
        """Partitions are assigned and restored: what is there now stays, so the collector need not look at it again."""
        await super().on_startup_finished()
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        logger.info("ready")


def _pages(app: LiveApp, listener: socket.socket) -> Pages:
    def why_down() -> str | None:
        if app.crashed:
            return f"the worker has crashed: {app.crash_reason!r}"
        return "the worker is stopping" if app.should_stop else None

    def ready() -> bool:
        return not app.rebalancing and (app.live.positions.restored or app.unassigned)

    return Pages(app.live.config, app.live, listener=listener, crashed=why_down, ready=ready, rebalances=lambda: app.rebalancing_count)


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port))
    except OSError as error:
        raise DriftsondeError(f"can't serve the pages at http://{host}:{port}: {error.strerror}; choose another with --http") from error


def _log_to_stderr(level: str) -> None:
    logging.basicConfig(stream=sys.stderr, level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True)
    if logging.getLogger().level > logging.DEBUG:
        for name in _NOISY:
            logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))


def _end_if_stuck(app: faust.App) -> None:
    """End the process when the app has crashed or was told to stop and is still here `STOP_WITHIN` seconds later."""

    def watch() -> None:
        while not app.should_stop:
            time.sleep(0.5)
        time.sleep(STOP_WITHIN)
        faulthandler.dump_traceback(all_threads=True)
        os._exit(1)

    threading.Thread(target=watch, name="end-if-stuck", daemon=True).start()
