"""Measurements, on a real Kafka started for the purpose where they need one; each prints a Markdown table.

    python -m tests.bench live        CPU an event costs, beside the program a colleague would write
    python -m tests.bench latency     from the last record it needs to a readable alert
    python -m tests.bench memory      resident memory as events go by
    python -m tests.bench backtest    events a second over a file and over Kafka
    python -m tests.bench join        what a prediction that waits for its labels costs (without Kafka)

They are no gates: they say what this machine does today.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from streams.demo.kafka_local import KafkaCluster
from tests.bench import backtest, join, latency, live, memory
from tests.bench.tables import markdown


@contextmanager
def _machine() -> Iterator[tuple[str, Path]]:
    """A broker and a directory, thrown away at the end."""
    with tempfile.TemporaryDirectory(prefix="driftsonde-bench-") as directory, KafkaCluster() as kafka:
        yield kafka.bootstrap, Path(directory)


def _live(options: argparse.Namespace) -> None:
    with _machine() as (bootstrap, directory):
        costs = live.measure(
            bootstrap, directory, events=options.events, colleague_events=options.colleague_events, repeats=options.repeats
        )
    yardstick = costs[0].microseconds
    rows = [[c.program, f"{c.microseconds:.1f}", f"{1e6 / c.microseconds:,.0f}", f"{yardstick / c.microseconds:.1f}"] for c in costs]
    print(markdown(["program", "CPU µs an event", "events a CPU second", "times the colleague's"], rows), end="\n\n")
    ours = costs[1:]
    stages = [[c.program, *(f"{us:.2f}" for us in c.stages.values()), f"{c.microseconds - sum(c.stages.values()):.2f}"] for c in ours]
    print(markdown(["CPU µs an event", *live.STAGES, "all else: fetch, journal, Faust"], stages))


def _latency(options: argparse.Namespace) -> None:
    with _machine() as (bootstrap, directory):
        found = latency.measure(bootstrap, directory, rate=options.rate, seconds_between_shifts=options.between)
    row = [f"{options.rate:,}", found.alerts, f"{found.p50:.0f}", f"{found.p95:.0f}", f"{found.worst:.0f}"]
    print(markdown(["events a second", "alerts", "p50 ms", "p95 ms", "worst ms"], [row]))


def _memory(options: argparse.Namespace) -> None:
    with _machine() as (bootstrap, directory):
        found = memory.measure(bootstrap, directory, after=sorted(options.after), backlog=options.backlog)
    print(markdown(["events", "resident MB"], [[f"{m.events:,}", f"{m.megabytes:.0f}"] for m in found]))


def _backtest(options: argparse.Namespace) -> None:
    with _machine() as (bootstrap, directory):
        speeds = [
            backtest.measure_file(directory, events=options.events),
            backtest.measure_kafka(bootstrap, directory, events=options.events),
        ]
    rows = [[s.source, f"{s.events:,}", f"{s.seconds:.1f}", f"{s.events / s.seconds:,.0f}", f"{s.cpu_s:.1f}"] for s in speeds]
    print(markdown(["history in", "events", "s", "events a second", "CPU s"], rows))


def _join(options: argparse.Namespace) -> None:
    costs = join.measure(entries=options.entries, sqlite_entries=min(options.entries, options.sqlite_entries))
    rows = [
        [
            c.store,
            f"{c.entries / 1e6:g} M",
            *(f"{each / 1e3:,.0f}" for each in (c.inserts, c.joins, c.misses, c.expiry)),
            f"{c.memory:.0f}",
            f"{c.disk:.0f}",
            "" if c.restore_s is None else f"{c.restore_s:.1f}",
        ]
        for c in costs
    ]
    header = [
        "pending in",
        "entries",
        "1000 inserts/s",
        "1000 joins/s",
        "1000 misses/s",
        "1000 expired/s",
        "B memory",
        "B disk",
        "restore s",
    ]
    print(markdown(header, rows))


def main() -> None:
    """Run one of the measurements."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)

    def command(name: str, run: Callable[[argparse.Namespace], None]) -> argparse.ArgumentParser:
        sub = commands.add_parser(name)
        sub.set_defaults(run=run)
        return sub

    sub = command("live", _live)
    sub.add_argument("--events", type=int, default=500_000, help="for driftsonde")
    sub.add_argument("--colleague-events", type=int, default=100_000, help="for the colleague's program, which needs longer")
    sub.add_argument("--repeats", type=int, default=3, help="the least of these counts")
    sub = command("latency", _latency)
    sub.add_argument("--rate", type=int, default=10_000, help="events a second")
    sub.add_argument("--between", type=float, default=2.0, help="seconds from one shift to the next")
    sub = command("memory", _memory)
    sub.add_argument("--after", type=int, nargs="+", default=[1_000_000, 5_000_000], help="events")
    sub.add_argument("--backlog", type=int, default=50_000, help="events that the worker has to catch up with at a time")
    command("backtest", _backtest).add_argument("--events", type=int, default=1_000_000)
    sub = command("join", _join)
    sub.add_argument("--entries", type=int, default=10_000_000, help="predictions that wait")
    sub.add_argument("--sqlite-entries", type=int, default=1_000_000, help="for SQLite, which needs longer")
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
