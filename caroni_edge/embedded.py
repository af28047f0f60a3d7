"""A manager and an agent in this process, on a broker in memory: for one workflow, from its start to its end.

They are the nodes that the daemons run, with their databases in a directory that goes with them. One thread works for
both; only the agent's jobs are processes, as ever.
"""

import json
import shutil
import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from random import SystemRandom
from tempfile import TemporaryDirectory
from types import TracebackType

from caroni_edge.agent import daemon as agent_daemon
from caroni_edge.agent.jobtypes import JobTypes
from caroni_edge.agent.processes.homes import end_jobs
from caroni_edge.agent.processes.runner import Runner
from caroni_edge.base.moment import Moment
from caroni_edge.config import NodeConfig, load_agent, load_manager
from caroni_edge.manager import daemon as manager_daemon
from caroni_edge.manager.lifecycle import WorkflowState
from caroni_edge.manager.store.shown import ShownWorkflow, ShownWorkflowRows
from caroni_edge.manager.templates.library import Templates
from caroni_edge.manager.workflows.evaluator import Evaluator
from caroni_edge.node.calls import Call
from caroni_edge.node.locationfetches import LOCATED, LocationFetches
from caroni_edge.node.node import Node
from caroni_edge.node.service import now
from caroni_edge.node.startup import open_node
from caroni_edge.objects.transfer.rates import Flow
from caroni_edge.protocol.topics import Topics
from caroni_edge.protocol.triggers import Trigger
from caroni_edge.transport.base import Event
from caroni_edge.transport.memory import MemoryTransport
from caroni_edge.transport.memory_broker import MemoryBroker

STOP_WITHIN_S = 10.0
LOOK_AGAIN_S = 1.0


@dataclass
class _Member:
    """A node, and what it has not looked at."""

    node: Node
    items: list[Event | Call] = field(default_factory=list)


class Embedded:
    """A manager with some templates, and an agent where there are job types; left, all of it is ended and removed."""

    def __init__(self, templates: Templates, job_types: JobTypes, hosts: Iterable[str] = ()) -> None:
        """Prepare nodes that know these templates and these job types; files may be fetched from these hosts."""
        self._templates, self._job_types, self._hosts = templates, job_types, sorted(hosts)
        self._opened = ExitStack()
        self._broker = MemoryBroker(SystemRandom())
        self._inbox: SimpleQueue[tuple[_Member, Event | Call]] = SimpleQueue()
        self._members: list[_Member] = []

    def __enter__(self) -> "Embedded":
        try:
            self._directory = Path(self._opened.enter_context(TemporaryDirectory(prefix="caroni-edge-run-")))
            self._open_manager()
            if self._job_types.names():
                self._open_agent()
            for member in self._members:
                member.node.start(now())
        except BaseException:
            self._opened.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def run(self, trigger: Trigger) -> ShownWorkflow:
        """Start a workflow, and return it when it has ended.

        Raises:
            Refused: It cannot be started so.
        """
        manager = self._members[0]
        start = Call(lambda at: self._reactor.start_workflow(trigger, at))
        manager.items.append(start)
        rows = ShownWorkflowRows(manager.node.database.conn)
        while True:
            self._turn()
            if start.done.done():
                workflow, _ = start.done.result()
                found = rows.by_id(workflow)
                if found is not None and (found.ended is not None or found.status is WorkflowState.STALLED):
                    return found
            self._wait()

    def _turn(self) -> None:
        """Let the broker and the nodes do what is due."""
        at = now()
        self._broker.pump(at.now)
        self._look()
        for member in self._members:
            if member.items or member.node.next_due() <= at.now:
                items, member.items = member.items, []
                member.node.run_batch(items, at)

    def _wait(self) -> None:
        """Wait until something arrives, or is due."""
        due = min(self._broker.next_due(), *(member.node.next_due() for member in self._members))
        wait_s = min(max(0.0, due - now().now), LOOK_AGAIN_S)
        with suppress(Empty):
            self._put(*self._inbox.get(timeout=wait_s) if wait_s else self._inbox.get_nowait())

    def _look(self) -> None:
        while not self._inbox.empty():
            self._put(*self._inbox.get())

    @staticmethod
    def _put(member: _Member, item: Event | Call) -> None:
        member.items.append(item)

    def _open_manager(self) -> None:
        config = load_manager(self._configured("manager", {"templates": ".", "attempts": 1}), {})
        member = self._member(config)
        evaluator = Evaluator(
            lambda outcome: self._tell(member, lambda at: self._reactor.on_evaluated(outcome, at)),
        )
        self._reactor = manager_daemon.make_reactor(member.node, config, self._templates, evaluator.ask)
        member.node.attach(self._reactor)
        threading.Thread(target=evaluator.run, daemon=True).start()
        self._opened.callback(evaluator.close)
        self._connect(member)

    def _open_agent(self) -> None:
        # Its jobs are trusted as the command is that runs them, so that their logs need not say that no box is there.
        own: dict[str, object] = {"job_types": ".", "sandbox": "off", "files": {"hosts": self._hosts}}
        config = load_agent(self._configured("agent", own), {})
        self._opened.callback(end_jobs, config.state_dir, STOP_WITHIN_S)
        member = self._member(config)
        runner = Runner(
            config.state_dir,
            config.id,
            lambda news: self._tell(member, lambda at: reactor.on_news(news, at)),
            lambda found: self._tell(member, lambda at: reactor.on_taken_over(found, at), then=self._connect),
        )
        reactor = agent_daemon.make_reactor(member.node, config, self._job_types, runner)
        member.node.attach(reactor)
        for work in (runner.run, runner.empty_trash, runner.work_on_files):
            threading.Thread(target=work, daemon=True).start()
        self._opened.callback(runner.close)
        runner.fetches.locator = locator = LocationFetches(
            config.state_dir / LOCATED,
            config.files,
            runner.fetches.located,
            _in_thread,
            lambda: shutil.disk_usage(config.state_dir).free - config.disk_floor_bytes,
            Flow().down,
        )
        self._opened.callback(locator.close)

    def _tell(
        self, member: _Member, work: Callable[[Moment], None], then: Callable[[_Member], None] | None = None
    ) -> None:
        """Let a node do something; from any thread."""
        call = Call(work)
        if then is not None:
            call.done.add_done_callback(lambda _: then(member))
        self._inbox.put((member, call))

    def _member(self, config: NodeConfig) -> _Member:
        topics = Topics(config.topic_root, config.role, config.id)
        node = open_node(config, self._opened, transport=MemoryTransport(self._broker, topics.client_id))
        member = _Member(node)
        self._members.append(member)
        return member

    def _connect(self, member: _Member) -> None:
        member.node.transport.start(lambda event: self._inbox.put((member, event)))

    def _configured(self, role: str, more: dict[str, object]) -> Path:
        """Write the configuration of a node."""
        config = {
            "id": role,
            "state_dir": role,
            "broker": {"url": "mqtt://nowhere.invalid"},
            "disk_floor": "1M",
            "web": False,
            "log": {"level": "error"},
            **more,
        }
        path = self._directory / f"{role}.yaml"
        path.write_text(json.dumps(config), encoding="utf-8")
        return path


def _in_thread(name: str, work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread
