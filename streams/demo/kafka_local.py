"""A real Apache Kafka on this machine, one node or three, without Docker: for tests and for the demo.

One JVM per node runs straight from jars (`kafka_jars`); the data is thrown away at the end. ::

    python -m streams.demo.kafka_local fetch                # only the jars, once
    python -m streams.demo.kafka_local run --port 9092      # in the foreground until Ctrl-C
    with KafkaCluster(nodes=3) as kafka:
        kafka.nodes[0].kill()
        kafka.nodes[0].start()
"""

from __future__ import annotations

import argparse
import base64
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from types import TracebackType

from schemas.errors import InvariantError
from streams.demo.kafka_jars import FILES, VERSION, KafkaUnavailable, fetch, java
from streams.demo.processes import dying_with_parent

__all__ = ["KafkaCluster", "KafkaUnavailable", "Node", "fetch", "free_port"]

_JVM = ("-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true")


class Node:
    """One broker: started, stopped, killed, paused and resumed at will; its data outlives all of these.

    Parameters
    ----------
    cluster : KafkaCluster
        What it belongs to.
    node_id : int
        >= 1, unique in the cluster.
    port, controller_port : int
        Where it listens, on 127.0.0.1.
    """

    def __init__(self, cluster: KafkaCluster, node_id: int, port: int, controller_port: int) -> None:
        self.cluster = cluster
        self.id = node_id
        self.port = port
        self.controller_port = controller_port
        self.directory = cluster.directory / f"node{node_id}"
        self.log = self.directory / "server.log"
        self._properties = self.directory / "server.properties"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """``host:port``."""
        return f"127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        """Whether its process lives (a paused one does)."""
        return self._process is not None and self._process.poll() is None

    def start(self, *, timeout: float = 60) -> None:
        """Start it and wait until it serves; formats its directory the first time.

        Raises
        ------
        KafkaUnavailable
            It ended, or did not serve within `timeout` seconds; the message has the end of its log.
        """
        self.launch()
        self.wait_ready(timeout=timeout)

    def stop(self, *, timeout: float = 30) -> None:
        """Shut it down in good order; after `timeout` seconds, kill it."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """SIGKILL: the power cut."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    def pause(self) -> None:
        """SIGSTOP: a broker that hangs; its connections stay open and nothing answers."""
        self._live().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT: end a pause."""
        self._live().send_signal(signal.SIGCONT)

    def launch(self) -> None:
        """Start its process without waiting for it to serve: a quorum needs the other nodes first."""
        if self.running:
            raise InvariantError(f"Kafka node {self.id} is already running")
        if _is_taken(self.port):
            raise KafkaUnavailable(f"port {self.port} is taken by another program")
        if not (self.directory / "data" / "meta.properties").exists():
            self._format()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                dying_with_parent(self._java("kafka.Kafka", str(self._properties))),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def wait_ready(self, *, timeout: float, brokers: int = 1) -> None:
        """Wait until it serves and knows of `brokers` nodes."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if not self.running:
                raise KafkaUnavailable(f"Kafka node {self.id} ended while starting:\n{self.log_tail()}")
            if _brokers_known_to(self.port) >= brokers:
                return
            time.sleep(0.1)
        raise KafkaUnavailable(f"Kafka node {self.id} does not serve after {timeout:.0f} s:\n{self.log_tail()}")

    def log_tail(self, characters: int = 3000) -> str:
        """Return the end of its log."""
        return self.log.read_text(errors="replace")[-characters:] if self.log.exists() else ""

    def write_properties(self, overrides: Mapping[str, str]) -> None:
        """Write its server.properties; a key in `overrides` wins."""
        nodes = self.cluster.nodes
        text = (FILES / "server.properties").read_text()
        text = text.format(
            node_id=self.id,
            voters=",".join(f"{n.id}@127.0.0.1:{n.controller_port}" for n in nodes),
            port=self.port,
            controller_port=self.controller_port,
            data_dir=self.directory / "data",
            replication=min(3, len(nodes)),
            min_isr=2 if len(nodes) >= 3 else 1,
        )
        self.directory.mkdir(parents=True, exist_ok=True)
        self._properties.write_text(text + "".join(f"{key}={value}\n" for key, value in overrides.items()))

    def _live(self) -> subprocess.Popen[bytes]:
        if self._process is None or not self.running:
            raise InvariantError(f"Kafka node {self.id} is not running")
        return self._process

    def _format(self) -> None:
        command = self._java("kafka.tools.StorageTool", "format", "-t", self.cluster.cluster_id, "-c", str(self._properties))
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False
        )
        if done.returncode:
            raise KafkaUnavailable(f"Kafka's storage could not be formatted:\n{done.stdout[-3000:]}")

    def _java(self, main_class: str, *arguments: str) -> list[str]:
        logging = [f"-Dlog4j2.configurationFile={FILES / 'log4j2.xml'}", f"-Dkafka.logs.dir={self.directory}"]
        return [java(), *_JVM, *logging, "-cp", f"{self.cluster.jars}/*", main_class, *arguments]


class KafkaCluster:
    """A local Kafka of one or more nodes; a context manager that starts it and throws it away.

    Parameters
    ----------
    nodes : int
        1, or 3 for replication (three copies, two in sync).
    port : int
        Of the first node, the others follow; 0 takes free ones.
    version : str
        Kafka release.
    directory : Path, optional
        Where data and logs go, and stay; without it a temporary one that is removed at the end.
    config : mapping, optional
        Further broker properties; they win over ours.

    Raises
    ------
    KafkaUnavailable
        No Java, no Maven, no jars, or a node that does not start.
    """

    def __init__(
        self,
        nodes: int = 1,
        *,
        port: int = 0,
        version: str = VERSION,
        directory: Path | None = None,
        config: Mapping[str, str] | None = None,
    ) -> None:
        self.version = version
        self.jars = fetch(version)
        self.cluster_id = _cluster_id()
        self._throw_away = directory is None
        self.directory = directory or Path(tempfile.mkdtemp(prefix="driftsonde-kafka-"))
        self.nodes = [Node(self, i + 1, port + i if port else free_port(), free_port()) for i in range(nodes)]
        for node in self.nodes:
            node.write_properties(config or {})

    @property
    def bootstrap(self) -> str:
        """All nodes as ``host:port,…``."""
        return ",".join(node.bootstrap for node in self.nodes)

    def start(self, *, timeout: float = 90) -> KafkaCluster:
        """Start all nodes and wait until each knows all the others; `timeout` in seconds, per node."""
        try:
            for node in self.nodes:
                node.launch()
            for node in self.nodes:
                node.wait_ready(timeout=timeout, brokers=len(self.nodes))
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        """Stop all nodes, also paused ones, and remove the data (unless a directory was given)."""
        for node in self.nodes:
            if node.running:
                node.resume()
        for node in self.nodes:
            node.stop(timeout=10)  # without its quorum a node can't shut down in good order: don't wait long
        if self._throw_away:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> KafkaCluster:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def _is_taken(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return True
    return False


def _cluster_id() -> str:
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass  # a leading dash would read as an option
    return text


def _brokers_known_to(port: int) -> int:
    """Count the brokers in a Metadata v1 reply: proof that a node is registered and serves, not just listens; 0 when it doesn't."""
    body = struct.pack(">hhih", 3, 1, 7, -1) + struct.pack(">i", 0)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as s:
            s.sendall(struct.pack(">i", len(body)) + body)
            with s.makefile("rb") as reply:
                reply.read(8)  # size, correlation id
                return int(struct.unpack(">i", reply.read(4))[0])
    except (OSError, struct.error):
        return 0


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m streams.demo.kafka_local", description="A real Apache Kafka on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("fetch", help="fetch the jars and stop")
    run = commands.add_parser("run", help="run in the foreground until Ctrl-C")
    run.add_argument("--nodes", type=int, default=1)
    run.add_argument("--port", type=int, default=9092)
    options = parser.parse_args()
    if options.command == "fetch":
        jars = fetch()
        print(f"{len(list(jars.glob('*.jar')))} jars of Kafka {VERSION} in {jars}")
        return
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    try:
        cluster = KafkaCluster(options.nodes, port=options.port).start()
    except KafkaUnavailable as error:
        sys.exit(f"error: {error}")
    with closing(cluster) as kafka:
        print(f"Kafka {kafka.version} at {kafka.bootstrap}", flush=True)
        while not done.wait(1):
            for node in kafka.nodes:
                if not node.running:
                    sys.exit(f"Kafka node {node.id} has ended:\n{node.log_tail()}")


if __name__ == "__main__":
    _main()
