"""`python -m tests.cluster`: workflows on a RabbitMQ cluster of three, whose nodes are killed one by one.

Sessions are quorum queues: what one node has acknowledged, two have. All nodes of ours know the three addresses
(`broker.url` is a list), each in another order. It takes minutes, so it is run by hand; docs/scaling.md shows what it
has printed.
"""

import argparse
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

from tests.brokers import BrokerProcess, find
from tests.e2e.daemons import CONFIG, Daemon
from tests.e2e.test_faults import runs, slow_type
from tests.made_brokers import Made
from tests.other_brokers import RabbitMq
from tests.support import free_port, wait_until

MEMBERS = 3
STEPS = ("upper", "prepend", "append")
WITHIN_S = 600.0
SETTINGS = """\
listeners.tcp = none
mqtt.listeners.tcp.1 = 127.0.0.1:{port}
mqtt.allow_anonymous = false
mqtt.prefetch = 100
mqtt.durable_queue_type = quorum
load_definitions = {definitions}
cluster_partition_handling = pause_minority
cluster_formation.peer_discovery_backend = classic_config
"""


class Member(RabbitMq):
    """One node of the cluster."""

    start_within_s = WITHIN_S

    def __init__(self, directory: Path, number: int, definitions: Path, epmd_port: int) -> None:
        super().__init__(directory / f"caroni{number}")
        self.node = f"caroni{number}@localhost"
        self._epmd_port = epmd_port
        peers = [f"cluster_formation.classic_config.nodes.{n} = caroni{n}@localhost\n" for n in range(1, MEMBERS + 1)]
        settings = SETTINGS.format(port=self.port, definitions=definitions) + "".join(peers)
        (self.directory / "rabbitmq.conf").write_text(settings)
        (self.directory / "plugins").write_text("[rabbitmq_mqtt].\n")

    def environ(self) -> dict[str, str]:
        home = {"HOME": str(self.directory.parent)}  # the cookie is one for all
        return {**super().environ(), **home, "RABBITMQ_NODENAME": self.node, "ERL_CRASH_DUMP": os.devnull}

    def begin(self) -> None:
        """Start it; the cluster's `epmd` is there."""
        BrokerProcess.start(self)

    def running(self) -> int:
        """Return how many nodes of the cluster run, as this one sees it."""
        command = [
            find("rabbitmqctl", "rabbitmq-server", first="/usr/lib/rabbitmq/bin"),
            "-n",
            self.node,
            "cluster_status",
            "--formatter",
            "json",
        ]
        said = subprocess.run(command, check=False, capture_output=True, text=True, env=self.environ())
        return len(json.loads(said.stdout)["running_nodes"]) if said.returncode == 0 else 0


@contextmanager
def epmd() -> Iterator[int]:
    """Run what tells Erlang's nodes each other's ports."""
    port = free_port()
    process = subprocess.Popen([find("epmd", "erlang-base"), "-address", "127.0.0.1", "-port", str(port)])
    try:
        yield port
    finally:
        process.kill()
        process.wait(10)


class Cluster:
    """Three members, a manager and two agents that know all of them."""

    def __init__(self, directory: Path, opened: ExitStack) -> None:
        self.trace = directory / "trace"
        made = Made(directory / "out", "rabbitmq")
        made.run("--manager", "m1", "--agent", "a1..a2", "--host", "127.0.0.1")
        port = opened.enter_context(epmd())
        definitions = made.install_dir / "caroni-definitions.json"
        self.members = [Member(directory, number, definitions, port) for number in range(1, MEMBERS + 1)]
        for member in self.members:
            opened.callback(member.kill)
            member.begin()
        wait_until(self.is_whole, WITHIN_S, "three nodes in one cluster")
        Path(f"{self.trace}.go").touch()
        self.manager = self._daemon(opened, made, "manager", "m1", 0, templates=str(CONFIG / "templates"))
        for number in (1, 2):
            types = slow_type(directory / f"types-a{number}", self.trace)
            self._daemon(opened, made, "agent", f"a{number}", number, job_types=types, slots=2)
        self.workflows: list[str] = []

    def is_whole(self) -> bool:
        """Tell whether every member sees all of them."""
        return all(member.running() == MEMBERS for member in self.members)

    def _daemon(self, opened: ExitStack, made: Made, role: str, name: str, first: int, **settings: Any) -> Daemon:
        urls = [member.url for member in (*self.members[first:], *self.members[:first])]
        section = {**made.broker_section(name), "url": urls}
        daemon = Daemon(made.directory.parent, role, name, self.members[0], broker=section, **settings)
        opened.callback(daemon.stop)
        return daemon.start()

    def start(self, count: int) -> None:
        """Start workflows."""
        for _ in range(count):
            workflow = f"w{len(self.workflows)}"
            body = {"template": "test_simple", "inputs": {"message": "hello"}, "id": workflow}
            self.manager.post("/api/workflows", body).raise_for_status()
            self.workflows.append(workflow)

    def completed(self) -> int:
        """Return how many workflows have completed."""
        page = self.manager.get("/api/workflows?status=completed&limit=1000")
        return len(page["workflows"])

    def wait(self) -> float:
        """Wait until all have completed; return for how long."""
        begun = monotonic()
        wait_until(lambda: self.completed() == len(self.workflows), WITHIN_S, "all workflows to complete")
        return monotonic() - begun

    def lose(self, *members: Member, count: int, may_go_on: bool) -> None:
        """Kill members while workflows run, and start them again."""
        self.start(count)
        wait_until(lambda: self.completed() > len(self.workflows) - count, WITHIN_S, "the first of them to complete")
        for member in members:
            member.kill()
        self.start(count)
        names = " and ".join(member.node.partition("@")[0] for member in members)
        if may_go_on:
            print(f"{names} killed: {2 * count} workflows completed without it {self.wait():.1f} s later", flush=True)
        for member in members:
            member.begin()
        wait_until(self.is_whole, WITHIN_S, "three nodes in one cluster")
        print(f"{names} back: all completed {self.wait():.1f} s after the cluster was whole", flush=True)


def main() -> None:
    """Run it, and say what was seen."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--workflows", type=int, default=20, help="So many before a node is killed, and after it.")
    count = options.parse_args().workflows
    with tempfile.TemporaryDirectory(prefix="caroni-cluster-") as name, ExitStack() as opened:
        cluster = Cluster(Path(name), opened)
        print("three nodes, one manager, two agents", flush=True)
        for member in cluster.members:
            cluster.lose(member, count=count, may_go_on=True)
        cluster.lose(*cluster.members[:2], count=count, may_go_on=False)
        expected = sorted(f"{workflow}/{step}/1" for workflow in cluster.workflows for step in STEPS)
        done = sorted(runs(cluster.trace))
        lost, twice = set(expected) - set(done), len(done) - len(set(done))
        print(f"{len(cluster.workflows)} workflows, {len(done)} jobs: {len(lost)} lost, {twice} run twice")
        assert done == expected


if __name__ == "__main__":
    main()
