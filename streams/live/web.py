"""The worker's own pages: /metrics, /healthz, /readyz and a light one at /. Faust's web server, which shows tables, stays off."""

from __future__ import annotations

import html
import logging
from collections.abc import Callable, Sequence
from socket import socket
from time import monotonic, time

from aiohttp import web
from mode import Service

from schemas.config import Config
from streams.engine.stats import EngineStats
from streams.live.agents import Live
from streams.telemetry import CheckpointStats, ShellStats, Telemetry

__all__ = ["Pages"]

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#1b1f23}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #d8dee4}"
    "td.n{text-align:right;font-variant-numeric:tabular-nums}.bad{color:#b42318;font-weight:600}.good{color:#1a7f37}"
)


class Pages(Service):
    """HTTP server of a worker; started before Faust, so that health can be asked for while it joins the group.

    Parameters
    ----------
    config : Config
        The configuration.
    live : Live
        The worker's parts.
    listener : socket
        Bound to where to listen.
    crashed : callable
        Returns the reason when the worker has crashed or is stopping, else None.
    ready : callable
        Whether partitions are assigned and restored.
    rebalances : callable
        Returns how many rebalances there have been.
    """

    logger = logging.getLogger("mode.pages")  # its own comings and goings, as those of Faust's services

    def __init__(
        self,
        config: Config,
        live: Live,
        *,
        listener: socket,
        crashed: Callable[[], str | None],
        ready: Callable[[], bool],
        rebalances: Callable[[], int],
    ) -> None:
        super().__init__()
        self._config, self._live, self._listener = config, live, listener
        self._why_down, self._ready, self._rebalances = crashed, ready, rebalances
        self._telemetry = Telemetry(engines=self._engines, shell=self._shell)
        self._runner: web.AppRunner | None = None

    async def on_start(self) -> None:
        """Listen."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/", self.index),
                web.get("/metrics", self.metrics),
                web.get("/healthz", self.healthz),
                web.get("/readyz", self.readyz),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.SockSite(self._runner, self._listener).start()

    async def on_stop(self) -> None:
        """Close all connections."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def metrics(self, _request: web.Request) -> web.Response:
        """Serve Prometheus' text format."""
        return web.Response(body=self._telemetry.text(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    async def healthz(self, _request: web.Request) -> web.Response:
        """503 when the worker should be restarted."""
        return _verdict(self._problems())

    async def readyz(self, _request: web.Request) -> web.Response:
        """200 when partitions are assigned and restored."""
        return _verdict(self._problems() or ([] if self._ready() else ["waiting for partitions, or restoring them"]))

    async def index(self, _request: web.Request) -> web.Response:
        """Serve a page for a human: what is watched, what is firing, what is wrong."""
        models = [model for stats in self._engines() for model in stats.models]
        problems = self._problems()
        verdict = "".join(f'<p class="bad">{html.escape(p)}</p>' for p in problems) or '<p class="good">healthy</p>'
        firing = [(m.model, a) for m in models for a in m.active]
        alerts = _table(
            ("model", "version", "segment", "subject", "kind", "severity"),
            [(model, a.version, a.segment, a.subject, a.kind, a.severity) for model, a in firing],
            empty="nothing is firing",
        )
        rows = _table(
            ("model", "rows", "held", "late", "gaps", "subjects", "firing"),
            [(m.model, sum(m.rows.values()), m.held, m.late, m.gaps, m.subjects, m.drifted) for m in models],
            empty="no model has been seen yet",
        )
        places = self._live.health.places.items()
        lag = _table(("partition", "next offset", "waiting"), [(f"{t}/{p}", place.offset, place.lag) for (t, p), place in sorted(places)])
        name = html.escape(self._config.application)
        body = f"<h1>{name}</h1>{verdict}<h2>Firing</h2>{alerts}<h2>Models</h2>{rows}<h2>Partitions of this worker</h2>{lag}"
        links = '<p><a href="/metrics">metrics</a> · <a href="/healthz">health</a> · <a href="/readyz">ready</a></p>'
        head = f'<meta charset="utf-8"><meta http-equiv="refresh" content="5"><title>{name}</title><style>{_STYLE}</style>'
        return web.Response(
            text=f"<!doctype html><html lang=en><head>{head}</head><body>{body}{links}</body></html>", content_type="text/html"
        )

    def _problems(self) -> list[str]:
        down = self._why_down()
        return ([] if down is None else [down]) + self._live.health.problems(now=monotonic())

    def _engines(self) -> Sequence[EngineStats]:
        return [tenure.slot.engine.stats() for tenure in self._live.checkpointer.tenures.values()]

    def _shell(self) -> ShellStats:
        live, tenures = self._live, self._live.checkpointer.tenures.items()
        return ShellStats(
            consumed=live.consumed,
            dead_letters=live.outlet.dead_letters,
            rereads=live.rereads,
            journal_records=live.outlet.journal_records,
            rebalances=self._rebalances(),
            alerts_sent=live.outlet.alerts,
            alerts_repeated=live.repeated,
            lag={partition: place.lag for partition, place in live.health.places.items()},
            checkpoints={p: CheckpointStats(t.saved_until(time()), t.seconds, t.snapshot_bytes) for p, t in tenures},
        )


def _verdict(problems: Sequence[str]) -> web.Response:
    return web.Response(text="\n".join(problems or ["ok"]) + "\n", status=503 if problems else 200)


def _table(head: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str = "none") -> str:
    if not rows:
        return f"<p>{empty}</p>"
    titles = "".join(f"<th>{title}</th>" for title in head)
    lines = "".join("<tr>" + "".join(_cell(cell) for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{titles}</tr>{lines}</table>"


def _cell(value: object) -> str:
    return f'<td class="n">{value:,}</td>' if isinstance(value, int) else f"<td>{html.escape(str(value))}</td>"
