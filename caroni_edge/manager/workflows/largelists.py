"""Lets steps be scattered over large values: the manager has these here (`Looks`), and takes them apart piece by piece.

Whatever is as large as the list is done outside of the loop, by whoever is asked after the commit: first the lists are
counted, and the step begins with as many parts; then, each time that instances are to be made, the items for some of
them come as a command, a mebibyte of text at most. Nothing of it is a row before it is an instance; so a process that
begins asks for what comes next.

An item that is large itself becomes an object, of which this manager is the place: its instance takes it as it would
take any large value.
"""

from collections.abc import Callable, Mapping, Sequence
from math import inf
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import msgspec

from caroni_edge.base.memory import MemorySet
from caroni_edge.base.moment import Moment
from caroni_edge.manager.context import Context
from caroni_edge.manager.holding.holdings import Holdings
from caroni_edge.manager.lifecycle import StepState
from caroni_edge.manager.store.steps import StepRow
from caroni_edge.manager.store.workflows import WorkflowRow
from caroni_edge.manager.workflows import scatter
from caroni_edge.manager.workflows.engine import Engine
from caroni_edge.manager.workflows.propagation import Propagation, StepFailed
from caroni_edge.node.parts import Part
from caroni_edge.objects.disk import Damaged, NoRoom
from caroni_edge.objects.objects import Object, ObjectId
from caroni_edge.values.carried import called, object_of
from caroni_edge.values.json import canonical
from caroni_edge.values.large import LARGE_MIN_BYTES, large_value, read_large
from caroni_edge.values.lists import NoList, item_type
from caroni_edge.values.parsing import TypeProblem, parse_type

ASKED_MAX = 20
"""For so many steps lists are with whoever takes them apart; one after the other is."""
PIECE_MAX_BYTES = 1 << 20
"""Items are read until they have so many bytes together."""
AGAIN_S = 10.0


class Reading(NamedTuple):
    """What is to be read of the large lists of a scattered step.

    Attributes:
        workflow: Seq of its workflow.
        step: The step.
        lists: What stands in the place of each list, by its input.
        begin: The first instance that items are for.
        rows: For each instance from there on the positions of its items in the lists; none: they are counted alone.
    """

    workflow: int
    step: int
    lists: Mapping[str, dict[str, Any]]
    begin: int = 0
    rows: tuple[tuple[int, ...], ...] = ()


class Items(NamedTuple):
    """What was read.

    Attributes:
        workflow: As it was asked.
        step: As it was asked.
        begin: As it was asked.
        lengths: How many items each list has.
        instances: For so many there are items.
        items: By input and position.
        made: The objects that large items have become; they lie here, and no row says so yet.
        giver: Under which name they were brought.
        problem: Why the step cannot be scattered, for people.
        lost: An object that was to lie here, and does not.
        no_room: Why large items cannot lie here now, for people.
    """

    workflow: int
    step: int
    begin: int = 0
    lengths: Mapping[str, int] = MappingProxyType({})
    instances: int = 0
    items: Mapping[str, Mapping[int, Any]] = MappingProxyType({})
    made: tuple[Object, ...] = ()
    giver: str = ""
    problem: str | None = None
    lost: ObjectId | None = None
    no_room: str | None = None


AskList = Callable[[Reading], object]
"""Has lists taken apart elsewhere, and returns at once; what is asked for may be lost with the process."""


def no_lists(reading: Reading) -> None:
    """Read nothing, where nobody does: a step that asks waits for a process that does."""


class Texts(Protocol):
    """The text of large lists, and where objects come to lie."""

    def bounds(self, found: Object, spec: Any) -> Sequence[int]:
        """Return where each item of a list of this type begins and ends in its text.

        Raises:
            NoList: It is none.
            Damaged: It does not lie here.
        """

    def read(self, found: Object, begin: int, end: int) -> bytes:
        """Return some of its text.

        Raises:
            Damaged: It does not lie here.
        """

    def make(self, contents: Sequence[bytes]) -> tuple[str, tuple[Object, ...]]:
        """Let bytes lie here as objects; return under which name they were brought, and what they are.

        Raises:
            NoRoom: There is none.
        """


def take_apart(reading: Reading, texts: Texts) -> Items:
    """Read what is asked for."""
    asked = Items(reading.workflow, reading.step, reading.begin)
    name = ""
    try:
        bounds: dict[str, Sequence[int]] = {}
        for name, value in reading.lists.items():
            bounds[name] = texts.bounds(_object_of(value), value["type"])
        asked = asked._replace(lengths={name: len(found) // 2 for name, found in bounds.items()})
        return _with_items(asked, reading, texts, bounds)
    except (NoList, TypeProblem) as problem:
        return asked._replace(problem=f"input {name}: {called(name, reading.lists[name])}: {problem}")
    except Damaged as damaged:
        return asked._replace(lost=damaged.name)
    except NoRoom as problem:
        return asked._replace(no_room=str(problem))


def _with_items(asked: Items, reading: Reading, texts: Texts, bounds: Mapping[str, Sequence[int]]) -> Items:
    found: dict[str, dict[int, bytes]] = {name: {} for name in reading.lists}
    size = count = 0
    for row in reading.rows:
        for (name, value), at in zip(reading.lists.items(), row, strict=True):
            if at not in found[name]:
                begin, end = bounds[name][2 * at : 2 * at + 2]
                found[name][at] = texts.read(_object_of(value), begin, end)
                size += end - begin
        count += 1
        if size >= PIECE_MAX_BYTES:
            break
    items: dict[str, dict[int, Any]] = {}
    large: list[tuple[str, int]] = []
    for name, texts_of_items in found.items():
        items[name] = {at: read_large(text) for at, text in texts_of_items.items()}
        large += [(name, at) for at, text in texts_of_items.items() if len(text) > LARGE_MIN_BYTES]
    if not large:
        return asked._replace(instances=count, items=items)
    giver, made = texts.make([canonical(items[name][at]).encode() for name, at in large])
    for (name, at), each in zip(large, made, strict=True):
        items[name][at] = large_value(each, item_type(parse_type(reading.lists[name]["type"])))
    return asked._replace(instances=count, items=items, made=made, giver=giver)


def _object_of(value: dict[str, Any]) -> Object:
    found = object_of(value)
    assert found is not None
    return found


class LargeLists(Part):
    """Asks for what is due, a few steps at a time, and lets steps be scattered by what has come."""

    def __init__(self, context: Context, engine: Engine, holdings: Holdings, ask: AskList) -> None:
        """Let steps be scattered by `engine`, and large items be kept by `holdings`."""
        super().__init__(context.journal)
        self._context, self._store, self._engine, self._holdings = context, context.store, engine, holdings
        self._ask = ask
        self._due: MemorySet[tuple[int, int]] = MemorySet(context.journal)
        self._asked: MemorySet[tuple[int, int]] = MemorySet(context.journal)
        self._later: MemorySet[tuple[int, int]] = MemorySet(context.journal)
        self._again_due = inf
        self._last = (0, 0)  # the step that had the last turn
        self._to_ask: tuple[Reading, ...] = ()

    def want(self, row: WorkflowRow, step: StepRow) -> bool:
        """Have the lists read of a step, which lie here; return whether it is one that is scattered over any."""
        is_scattered = bool(self._engine.plan(row.plan).step_at(step.name).scatter) and step.scatter_index is None
        if is_scattered:
            self._due.add((row.seq, step.id))
        return is_scattered

    def settle(self, at: Moment) -> None:
        """Choose what is asked for when the batch is committed."""
        if at.now >= self._again_due:
            self._due.update(self._later)
            self._later.clear()
            self._again_due = inf
        for pair in sorted(self._askable(), key=lambda pair: (pair <= self._last, pair)):
            if len(self._asked) >= ASKED_MAX:
                return
            self._last, (workflow, step) = pair, pair
            self._due.discard(pair)
            reading = self._reading(workflow, step, at)
            if reading is not None:
                self._asked.add((workflow, step))
                self._to_ask = (*self._to_ask, reading)

    def _askable(self) -> list[tuple[int, int]]:
        return [each for each in self._due if each not in self._asked]

    def next_due(self) -> float:
        """Return when there is something to ask for."""
        return -inf if len(self._asked) < ASKED_MAX and self._askable() else self._again_due

    def committed(self) -> None:
        """Ask."""
        for each in self._to_ask:
            self._ask(each)
        self._to_ask = ()

    def _reading(self, workflow: int, step_id: int, at: Moment) -> Reading | None:
        """Return what is to be read for a step; None where nothing is."""
        if not self._store.looks.of(workflow, step_id):
            return None
        step, row = self._store.steps.by_id(step_id), self._store.workflows.by_seq(workflow)
        plan_step = self._engine.plan(row.plan).step_at(step.name)
        if step.status is StepState.CREATED:
            given = self._engine.instances.given(self._propagation(row, at), step)
            return Reading(workflow, step_id, scatter.large_lists(plan_step, given))
        kept = self._store.scattered.of(step_id)
        lists = scatter.large_lists(plan_step, msgspec.json.decode(kept.inputs))
        lengths = scatter.dimensions(plan_step, msgspec.json.decode(kept.inputs), kept.known_lengths)
        rows = []
        for index in self._engine.instances.scatters.next_instances(step):
            positions = scatter.positions(plan_step, lengths, index)
            rows.append(tuple(positions[name] for name in lists))
        return Reading(workflow, step_id, lists, step.made, tuple(rows)) if rows else None

    def _propagation(self, row: WorkflowRow, at: Moment) -> Propagation:
        return Propagation(row, self._engine.plan(row.plan), at)

    def on_items(self, items: Items, at: Moment) -> None:
        """Let a step be scattered by what has come, if that is still to be known."""
        pair = items.workflow, items.step
        self._asked.discard(pair)
        if not self._store.looks.of(*pair):
            self._give_back(items)
            return
        step, row = self._store.steps.by_id(items.step), self._store.workflows.by_seq(items.workflow)
        propagation = self._propagation(row, at)
        if items.lost is not None:
            self._context.looking.add(pair)
        elif items.no_room is not None:
            self._store.looks.explain_step(items.workflow, items.step, items.no_room)
            self._later.add(pair)
            self._again_due = min(self._again_due, at.now + AGAIN_S)
        elif items.problem is not None:
            self._engine.follow(propagation, [StepFailed(step, items.problem)])
        elif step.status is StepState.CREATED:
            self._engine.follow(propagation, self._engine.instances.begin_scatter(propagation, step, items.lengths))
        else:
            self._grow(propagation, step, items)

    def _grow(self, propagation: Propagation, step: StepRow, items: Items) -> None:
        if step.status is not StepState.RUNNING or step.made != items.begin:
            self._give_back(items)
            self._context.growing.add(step.id)
            return
        self._store.looks.explain_step(items.workflow, items.step, None)
        self._holdings.take_made(propagation.row, items.made, items.giver, propagation.at)
        scatters, plan_step = self._engine.instances.scatters, propagation.plan.step_at(step.name)
        self._engine.follow(propagation, scatters.make(step, plan_step, items.instances, items.items))

    def _give_back(self, items: Items) -> None:
        self._holdings.give_back([(each, items.giver) for each in items.made])
