"""What the golden traces show: in each scene one thing happens between a manager, an agent and a user."""

from collections.abc import Callable, Mapping
from pathlib import Path

from caroni_edge.node.calls import Call
from caroni_edge.protocol.codec import encode
from caroni_edge.protocol.triggers import Trigger
from caroni_edge.transport.memory import MemoryTransport
from caroni_edge.transport.memory_broker import Faults
from tests.configs import manager_config
from tests.golden.wire import Wire
from tests.simulation.federation import Federation

HERE = Path(__file__).parent
AT_ONCE, FOR_YEARS = 0.0, 1e8
"""How slow jobs are."""
A_WHILE_S = 20.0
LONG_S = 600.0


class Stage:
    """A manager `m0` and an agent `a0` on a broker without faults.

    Attributes:
        federation: All of it.
        wire: The broker, which writes down what it is sent.
    """

    def __init__(self, jobs: float = AT_ONCE) -> None:
        """Start all of it; jobs take no time, or years."""
        settings = manager_config(lost_after_s=None, attempts=2, retry_delay_s=10.0)
        self.federation = Federation("golden", agents=1, settings=settings, broker=Wire)
        assert isinstance(self.federation.broker, Wire)
        self.wire = self.federation.broker
        (self.manager,), (self.agent,) = self.federation.managers, self.federation.agents
        self.agent.host.slowness = jobs
        self._user = MemoryTransport(self.wire, "user")
        self._user.start(lambda _event: None)
        self.federation.start()
        self.go_on()

    @classmethod
    def acquainted(cls, jobs: float = AT_ONCE) -> "Stage":
        """Return a stage on which the two have talked before: their link has begun."""
        stage = cls()
        stage.trigger("chain1", "w0")
        stage.go_on()
        stage.agent.host.slowness = jobs
        stage.wire.clear()
        return stage

    def go_on(self, seconds: float = A_WHILE_S) -> None:
        """Let time pass."""
        self.federation.run(seconds)

    def wait_for(self, text: str) -> None:
        """Let time pass until this was said."""
        assert self.federation.run(LONG_S, lambda: any(text in line for line in self.wire.lines)), self.wire.lines

    def note(self, text: str) -> None:
        """Write down what happens next."""
        self.wire.note(self.federation.now, text)

    def trigger(self, template: str, workflow: str) -> None:
        """Let the user start a workflow."""
        self._user.publish(
            self.manager.topics.triggers, encode(Trigger(template=template, inputs={"x": "v"}, id=workflow)), qos=1
        )

    def cancel(self, workflow: str) -> None:
        """Let the user cancel a workflow over the manager's API."""
        self.note(f"a user cancels {workflow}")
        self.manager.tell(Call(lambda at: self.manager.reactor.cancel(workflow, at)))

    def drain(self, *, on: bool) -> None:
        """Let the agent's owner drain it, or end that."""
        self.note("a0 is drained" if on else "a0 is not drained any more")
        self.agent.tell(Call(lambda _at: self.agent.reactor.drain(on=on)))


def meeting() -> Stage:
    """Two nodes that have never heard of each other, and a workflow of one step: presence, then the first Hellos."""
    stage = Stage()
    stage.trigger("chain1", "w1")
    stage.go_on()
    return stage


def step() -> Stage:
    """A workflow of one step, from its trigger to its end."""
    stage = Stage.acquainted()
    stage.trigger("chain1", "w1")
    stage.go_on()
    return stage


def ahead() -> Stage:
    """Three steps in a row: two jobs are placed before their inputs exist."""
    stage = Stage.acquainted()
    stage.trigger("chain3", "w1")
    stage.go_on()
    return stage


def declined() -> Stage:
    """A job comes to an agent that has been drained since it offered; the step is asked for anew."""
    stage = Stage.acquainted()
    stage.trigger("chain1", "w1")
    stage.wait_for("JobOffer")
    stage.agent.transport.hold(1.0, up=False, down=True)
    stage.drain(on=True)
    stage.go_on()
    stage.drain(on=False)
    stage.go_on()
    return stage


def retried() -> Stage:
    """The first attempt fails, the second does not."""
    stage = Stage.acquainted()
    stage.agent.host.fail = 1.0
    stage.trigger("chain1", "w1")
    stage.wait_for("caroni.step.retried")
    stage.agent.host.fail = 0.0
    stage.go_on()
    return stage


def killed() -> Stage:
    """A workflow is cancelled while its job runs."""
    stage = _running()
    stage.cancel("w1")
    stage.go_on()
    return stage


def refused() -> Stage:
    """A trigger names a template that there is not."""
    stage = Stage.acquainted()
    stage.trigger("nix", "w1")
    stage.go_on()
    return stage


def lost_frame() -> Stage:
    """The broker acknowledges a frame and loses it."""
    stage = _running()
    stage.wire.faults = Faults(drop=1.0)
    stage.note("for a second the broker loses all that it is given")
    stage.cancel("w1")
    stage.go_on(1.0)
    stage.wire.faults = Faults()
    stage.go_on()
    return stage


def lost_database() -> Stage:
    """The database of an agent is lost while its job runs: the attempt has failed, and is made again."""
    stage = _running()
    stage.note("the database of a0 is lost; it starts with an empty one")
    stage.agent.crash()
    stage.agent.disk.wipe()
    stage.agent.host.slowness = AT_ONCE
    stage.federation.start()
    stage.go_on()
    return stage


def restored_database() -> Stage:
    """The database of a manager is restored from a copy in which a step waits for an agent; its job has ended since."""
    stage = Stage.acquainted()
    stage.agent.isolate()
    stage.trigger("chain1", "w1")
    stage.go_on()
    copy = stage.manager.disk.copy()
    stage.agent.heal()
    stage.wait_for("caroni.workflow.completed")
    stage.go_on()
    stage.wire.clear()
    stage.note("the database of m0 is restored from a copy")
    stage.manager.crash()
    stage.manager.disk.restore(copy)
    stage.federation.start()
    stage.go_on()
    return stage


def _running() -> Stage:
    """Return a stage on which the job of `w1` runs for years."""
    stage = Stage.acquainted(jobs=FOR_YEARS)
    stage.trigger("chain1", "w1")
    stage.go_on()
    stage.wire.clear()
    return stage


SCENES: Mapping[str, Callable[[], Stage]] = {
    scene.__name__: scene
    for scene in (
        *(meeting, step, ahead, declined, retried, killed, refused),
        *(lost_frame, lost_database, restored_database),
    )
}


def trace(name: str) -> str:
    """Play a scene, and return what went over the wire, below what the scene is."""
    scene = SCENES[name]
    return "\n".join([f"# {scene.__doc__}", *scene().wire.lines, ""])


def pinned(name: str) -> Path:
    """Return the file that holds the trace of a scene."""
    return HERE / f"{name}.txt"
