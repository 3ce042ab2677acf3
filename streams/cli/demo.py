"""``driftsonde demo``: everything at once, with a verdict."""

from __future__ import annotations

import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from schemas.alerts import Alert
    from streams.demo.verdict import Verdict
    from streams.demo.workspace import Workspace

__all__ = ["demo"]

APPLICATION = "driftsonde-demo"


def demo(
    bootstrap: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="A running Kafka to use; topics of its own are created there.")
    ] = None,
    directory: Annotated[
        Path | None, typer.Option("--dir", metavar="DIR", help="Where to write configuration, reference and logs.")
    ] = None,
    kafka: Annotated[bool, typer.Option("--kafka/--no-kafka", help="Without Kafka, the same engine reads files in this process.")] = True,
    keep_open: Annotated[bool, typer.Option("--keep-open", help="Leave broker and worker running until interrupted.")] = False,
) -> None:
    """Publish traffic in which known things go wrong, run the live worker on it, and see whether exactly these are alerted.

    Kafka is the one given, else a real one started here from jars (Java 17 and Maven); without these, no Kafka at all.
    """
    from streams.cli.terminal import note
    from streams.demo.verdict import judge
    from streams.demo.workspace import prepare

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is stopped, however we are told to end
    place = directory or Path(tempfile.mkdtemp(prefix="driftsonde-demo-"))
    place.mkdir(parents=True, exist_ok=True)
    with ExitStack() as running:
        address, application = running.enter_context(_broker(bootstrap, kafka))
        workspace = prepare(place, bootstrap=address or "localhost:9092", application=application)
        note(f"prepared   {place}: configuration, 20 000 transactions of history, the reference built from them")
        found, same = (_without_kafka(workspace), True) if address is None else _with_kafka(workspace, running)
        verdict = judge(found)
        _report(verdict)
        inputs = " ".join(f"--input {path.stem}={path}" for path in workspace.traffic.values())
        note(f"\nplay on with\n  driftsonde backtest -c {workspace.config_path} {inputs}")
        if keep_open and address is not None:
            note(f"  driftsonde alerts list -c {workspace.config_path}\nuntil Ctrl-C")
            threading.Event().wait()
    raise typer.Exit(0 if verdict.passed and same else 1)


@contextmanager
def _broker(bootstrap: str | None, wanted: bool) -> Iterator[tuple[str | None, str]]:
    """Yield the address of a Kafka (None when there is none), and an application's name that is free there."""
    from streams.cli.terminal import note
    from streams.demo.kafka_local import KafkaCluster, KafkaUnavailable

    if bootstrap is not None:
        from streams.demo.publish import unused_application

        yield bootstrap, unused_application(bootstrap, APPLICATION)
        return
    if not wanted:
        yield None, APPLICATION
        return
    try:
        cluster = KafkaCluster().start()
    except KafkaUnavailable as error:
        note(f"NO KAFKA   {error}\n           the same engine reads the same traffic from files, in this process")
        yield None, APPLICATION
        return
    try:
        note(f"Kafka      {cluster.version} at {cluster.bootstrap}, started here")
        yield cluster.bootstrap, APPLICATION
    finally:
        cluster.close()


def _with_kafka(workspace: Workspace, running: ExitStack) -> tuple[list[Alert], bool]:
    """Watch the traffic with a live worker, which goes on until `running` is left; say whether a backtest alerts the same."""
    from streams.cli.terminal import note
    from streams.demo.live import alerts_of_worker, running_worker
    from streams.demo.publish import create_topics

    create_topics(workspace.config.kafka.bootstrap_servers, workspace.topics.values())
    worker = running.enter_context(running_worker(workspace))
    note(f"worker     {worker.url}/ (page), {worker.url}/metrics, log in {workspace.directory / 'worker.log'}")
    note(f"traffic    105 000 records, twelve days of data time; from topic {workspace.config.alerts.topic}, as they come:\n")
    found, same = alerts_of_worker(workspace, worker, _show)
    if same:
        note(f"\nbacktest   of the same topics: the same {len(found)} alerts, ids included")
    else:
        note("\nbacktest   of the same topics: OTHER ALERTS (was anything late? see driftsonde_events_late_total)")
    return found, same


def _without_kafka(workspace: Workspace) -> list[Alert]:
    from streams.cli.terminal import note
    from streams.demo.offline import alerts_of_files

    note("traffic    105 000 records, twelve days of data time; alerts as they come:\n")
    return alerts_of_files(workspace, _show)


def _show(alert: Alert) -> None:
    from streams.cli.terminal import alert_line, stdout

    stdout().print(alert_line(alert), soft_wrap=True)


def _report(verdict: Verdict) -> None:
    """Say which faults were found, how soon, and what should not have been said."""
    from streams.cli.terminal import print_table

    rows = []
    for outcome in verdict.outcomes:
        found = ", ".join(f"{alert.data.subject} after {_delay(outcome.injection.begins, alert)}" for alert in outcome.fired)
        good = "found" if outcome.injection.kind else "nothing to say"
        rows.append([outcome.injection.story, found, "; ".join(f"MISSING: {what}" for what in outcome.missing) or good])
    typer.echo()
    print_table(["what happened", "alerted", "verdict"], rows)
    for alert in verdict.extra:
        typer.echo(f"EXTRA: {alert.data.state} {alert.data.kind} {alert.subject}: {alert.data.summary}")
    typer.echo(
        "\nevery injected drift was alerted, and nothing else" if verdict.passed else "\nthe alerts are not those that were expected"
    )


def _delay(begins: int, alert: Alert) -> str:
    from datetime import datetime

    from streams.demo.synthetic import time_of

    seconds = datetime.fromisoformat(alert.data.detected_at).timestamp() - time_of(begins) / 1000
    return f"{seconds / 3600:.0f} hours" if seconds >= 2 * 3600 else f"{seconds / 60:.0f} minutes"
