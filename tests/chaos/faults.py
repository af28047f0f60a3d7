"""What can happen to the broker and to nodes, and the threads that let it happen, as a seed has it."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from caroni_edge.base.failpoints import PLACES, VARIABLE
from tests.chaos.network import DOWN, UP
from tests.chaos.stage import Member, Stage
from tests.chaos.trace import Trace
from tests.keepers import keepers_of

LOOK_EVERY_S = 0.1
TINY_QUEUE, LARGE_QUEUE = 5, 1_000_000
KEEPER_PLACES = PLACES[PLACES.index("before-start-record") :]
NODE_PLACES = PLACES[: PLACES.index("before-start-request")]
AGENT_PLACES = PLACES[: PLACES.index("before-start-record")]
ARMED_SHARE, ARMED_CHANCE = 0.6, 0.02
LEAST_UP_S = 0.5
FULL = ("SQLITE_FULL", "database or disk is full", "No space left on device", "disk I/O error")
"""The last is what SQLite says where the file that it shares between processes finds no room; the small disks are in
memory, and have no other I/O errors."""
LINES_OF_AN_ERROR = 2
"""What a command says that fails: what is wrong, and what to do."""


@dataclass(frozen=True)
class Fault:
    """Something that begins and ends.

    Attributes:
        name: For people.
        begin: Lets it begin.
        end: Lets it end.
        weight: How often it is drawn, compared with others.
        cuts: Meanwhile nobody reaches who has it.
    """

    name: str
    begin: Callable[[], object]
    end: Callable[[], object] = lambda: None
    weight: float = 1.0
    cuts: bool = True


class Actor(threading.Thread):
    """Lets faults happen to one of those who take part, one after the other, until it is told to calm down.

    Attributes:
        name: Who it is.
        failure: What the thread has died of.
    """

    def __init__(self, name: str, seed: int, trace: Trace, calm: threading.Event) -> None:
        super().__init__(name=name, daemon=True)
        self.failure: BaseException | None = None
        self.rng, self.trace, self._calm = Random(f"{seed}/{name}"), trace, calm
        self._down_s, self._share = 1.0, 0.5
        self._cut_s, self._begun = 0.0, time.monotonic()

    def pace(self, down_s: float, share: float) -> None:
        """Let an outage last so long on average, and all that cut it off together this share of the time."""
        self._down_s, self._share = down_s, share

    def faults(self) -> Sequence[Fault]:
        """Return what can happen."""
        raise NotImplementedError

    def look(self) -> None:
        """See whether it has ended by itself."""

    def run(self) -> None:
        try:
            self._begun = time.monotonic()
            while not self._calm.is_set():
                faults = self.faults()
                (fault,) = self.rng.choices(faults, [fault.weight for fault in faults])
                self._stay_up(self._up_s(fault) * self.rng.uniform(0.2, 1.8))
                if not self._calm.is_set():
                    self.strike(fault)
        except BaseException as failure:  # noqa: BLE001 - reported by the campaign
            self.failure = failure
            self._calm.set()

    def strike(self, fault: Fault) -> None:
        """Let a fault happen for a while."""
        begin, begun = self.trace.note(self.name, fault.name), time.monotonic()
        fault.begin()
        try:
            self.rest()
        finally:
            fault.end()
            self.trace.ended(self.name, fault.name, begin, cuts=fault.cuts)
            self._cut_s += (time.monotonic() - begun) * fault.cuts

    def rest(self) -> None:
        """Stay as it is for as long as an outage lasts, or until all is to calm down."""
        self._calm.wait(self._down_s * self.rng.uniform(0.2, 1.8))

    def _up_s(self, fault: Fault) -> float:
        """Return how long to stay up, so that with the next fault it was cut off for its share of the time."""
        whole_s = (self._cut_s + self._down_s * fault.cuts) / self._share
        return max(LEAST_UP_S, whole_s - self._down_s - (time.monotonic() - self._begun))

    def _stay_up(self, up_s: float) -> None:
        for _ in range(max(1, int(up_s / LOOK_EVERY_S))):
            self.look()
            if self._calm.wait(LOOK_EVERY_S):
                return


class BrokerActor(Actor):
    """What can happen to the broker."""

    def __init__(self, stage: Stage, seed: int, trace: Trace, calm: threading.Event) -> None:
        super().__init__("broker", seed, trace, calm)
        self._broker, self._lines = stage.broker, [member.line for member in stage.members]

    def faults(self) -> Sequence[Fault]:
        broker = self._broker
        return (
            Fault("killed", partial(self._end, broker.kill), self._start),
            Fault("killed, and all sessions lost", partial(self._end, broker.kill), self._start_empty),
            Fault("stopped", partial(self._end, broker.stop), self._start),
            Fault("frozen", broker.pause, broker.resume),
        )

    def _end(self, end: Callable[[], None]) -> None:
        end()
        for line in self._lines:
            line.broker_is_away(True)

    def _start(self) -> None:
        queue = self.rng.choice((TINY_QUEUE, LARGE_QUEUE))
        self._broker.bound_queues(queue)
        self._broker.start()
        for line in self._lines:
            line.broker_is_away(False)
        self.trace.note("broker", f"started, keeps {queue} messages for who is away")

    def _start_empty(self) -> None:
        self._broker.forget()
        self._start()


class MemberActor(Actor):
    """What can happen to a manager or an agent."""

    def __init__(self, member: Member, seed: int, trace: Trace, calm: threading.Event) -> None:
        super().__init__(member.name, seed, trace, calm)
        self._member, self._daemon = member, member.daemon
        decks = (AGENT_PLACES, KEEPER_PLACES) if member.is_agent else (NODE_PLACES,)
        self._places = [self._in_turn(deck) for deck in decks]

    def faults(self) -> Sequence[Fault]:
        member, line, daemon = self._member, self._member.line, self._daemon
        found = [
            Fault("killed", daemon.kill, self.start_daemon, 2),
            Fault("stopped", daemon.stop, self.start_daemon),
            Fault("frozen", self._freeze, self._thaw),
            Fault("cut off, all dropped", partial(line.hold, UP, DOWN), line.heal),
            Fault("cut off, hears but is not heard", partial(line.hold, UP), line.heal),
            Fault("cut off, is heard but does not hear", partial(line.hold, DOWN), line.heal),
            Fault("cut off, refused", line.refuse, line.heal),
            Fault("a slow line", partial(line.slow, 0.1, 0.2, 50_000), line.heal, cuts=False),
        ]
        if member.namespace is not None:
            found.append(Fault("unplugged", member.namespace.unplug, member.namespace.plug, 2))
        if member.disk is not None:
            found.append(Fault("disk full", member.disk.fill, member.disk.free, cuts=False))
        return [*found, *self._keeper_faults()] if member.is_agent else found

    def _freeze(self) -> None:
        _signal([self._daemon.pid], signal.SIGSTOP)

    def _thaw(self) -> None:
        _signal([self._daemon.pid], signal.SIGCONT)

    def _keeper_faults(self) -> Sequence[Fault]:
        return (
            Fault("keeper killed", self._kill_keeper, cuts=False),
            Fault("keeper frozen", self._freeze_keeper, self._thaw_keeper, cuts=False),
            Fault("killed with its keeper", self._kill_both, self.start_daemon),
        )

    def _in_turn(self, places: Sequence[str]) -> Iterator[str]:
        """Yield all places again and again, each time in another order."""
        while True:
            yield from self.rng.sample(places, len(places))

    def _keeper(self) -> list[int]:
        return keepers_of(self._daemon.state_dir)

    def _kill_keeper(self) -> None:
        _signal(self._keeper(), signal.SIGKILL)

    def _freeze_keeper(self) -> None:
        _signal(self._keeper(), signal.SIGSTOP)

    def _thaw_keeper(self) -> None:
        _signal(self._keeper(), signal.SIGCONT)

    def _kill_both(self) -> None:
        self._daemon.kill()
        self._kill_keeper()

    def start_daemon(self) -> None:
        """Start it; sometimes it is to die at a place that is named in the code."""
        armed = [f"{next(places)}={ARMED_CHANCE}" for places in self._places if self.rng.random() < ARMED_SHARE]
        self._daemon.environ = {VARIABLE: ",".join(armed)} if armed else {}
        self._daemon.start(wait=False)
        self.trace.note(self.name, f"started {' '.join(armed)}")

    def look(self) -> None:
        """See whether it has died at a failpoint; start it again after a while. It must not end by itself.

        But for one case: who starts while its disk is full says so, and ends with an error.
        """
        if self._daemon.is_running():
            return
        last = self._daemon.log.rstrip().splitlines()[-LINES_OF_AN_ERROR:]
        if last[-1].startswith("failpoint "):
            self.strike(Fault(f"died at {last[-1]}", lambda: None, self.start_daemon))
        elif self._member.disk is not None and any(words in "".join(last) for words in FULL):
            self.strike(Fault("could not start, its disk was full", lambda: None, self.start_daemon))
        else:
            self.trace.problem(self.name, f"ended by itself: {' '.join(last)}")
            self.start_daemon()

    def disarm(self) -> None:
        """From now on nobody dies by itself; who has no failpoint goes on undisturbed."""
        self.look()
        if self._daemon.environ:
            self.trace.note(self.name, "started without failpoints")
            self._daemon.kill()
            self._daemon.environ = {}
            self._daemon.start(wait=False)
        if self._member.is_agent:
            for pid in self._keeper():
                if _is_armed(pid):
                    self.trace.note(self.name, "keeper killed that has failpoints")
                    _signal([pid], signal.SIGKILL)


def _signal(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _is_armed(pid: int) -> bool:
    try:
        return f"{VARIABLE}=".encode() in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
