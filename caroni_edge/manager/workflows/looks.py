"""Has objects come that this manager must look inside, and lets the steps go on that wait for that.

Bytes stay where they are made; a manager needs them only where the values of a workflow decide something: an expression
looks into a large value, or a step is scattered over one. Such a step has a row of `looks` for each object:

- It *waits*: the object does not lie here. It is fetched as any that people ask for (`Copies`), a few at a time, first
  those that somebody has who is there; if it is nowhere any more, the step that gave it gives it again (`Remaking`).
- It is *here*: it is kept for the workflow, and this manager is a place of it for others too. When all objects of a
  step are, its expressions are worked out (`Evaluations`), which read them outside of the loop; the rows go with that.
  Those of a step that is scattered over large lists stay until all of its instances are made (`LargeLists`).

The rows end with the workflow. A process that begins goes on from them.
"""

from math import inf

import msgspec

from caroni_edge.base.moment import Moment
from caroni_edge.manager.context import Context
from caroni_edge.manager.holding.copies import WANTED_MAX, Copies, NotToBeHad
from caroni_edge.manager.holding.holdings import Holdings
from caroni_edge.manager.workflows.largelists import LargeLists
from caroni_edge.node.parts import Part
from caroni_edge.objects.objects import ObjectId
from caroni_edge.values.carried import is_directory

FETCHED_AT_ONCE = 20
"""So many objects are fetched at a time that are looked inside, beside all that people may want to have."""
STEPS_AT_ONCE = 200
LOOK_EVERY_S = 10.0


class Looks(Part):
    """Fetches what must be looked inside, and keeps it for its workflows."""

    def __init__(self, context: Context, copies: Copies, holdings: Holdings, lists: LargeLists) -> None:
        """Have objects brought by `copies`, and keep them by `holdings`; `lists` takes apart what is scattered over."""
        super().__init__(context.journal)
        self._lists = lists
        self._context, self._store, self._copies, self._holdings = context, context.store, copies, holdings
        self._me = context.topics.node
        self._look_due = inf

    def on_start(self, at: Moment) -> None:
        """Go on with what waited when the last process ended."""
        self._context.looking.update((each.workflow, each.step) for each in self._store.looks.steps())

    def on_here(self, name: ObjectId) -> None:
        """An object lies here now: let go on what has waited for it."""
        self._context.looking.update((each.workflow, each.step) for each in self._store.looks.met(name))

    def on_lost(self, name: ObjectId) -> None:
        """An object lies here no more: have it come again."""
        self._context.looking.update((each.workflow, each.step) for each in self._store.looks.lost(name))

    def settle(self, at: Moment) -> None:
        """Let steps go on whose objects are all here, and have others come."""
        for workflow, step in sorted(self._context.looking)[:STEPS_AT_ONCE]:
            self._context.looking.discard((workflow, step))
            self._go_on(workflow, step, at)
        if at.now >= self._look_due:
            self._fetch(at)

    def next_due(self) -> float:
        """Return when to look again."""
        return -inf if self._context.looking else self._look_due

    def _go_on(self, workflow: int, step: int, at: Moment) -> None:
        rows = self._store.looks.of(workflow, step)
        here = [self._store.objects.of(self._me, each.object) for each in rows]
        lacking = [each for each, found in zip(rows, here, strict=True) if found is None]
        for each in lacking:
            self._look_due = -inf
            if not self._store.places.of(workflow, each.object):
                self._context.lacking.add(workflow)
        if lacking or not rows:
            return
        row = self._store.workflows.by_seq(workflow)
        for each, found in zip(rows, here, strict=True):
            if found is not None and found.size != each.size:
                said = f"input {each.name}: {each.object} was to have {each.size} bytes, and it has {found.size}"
                self._lists.refuse(row, step, said, at)
                return
        for each in rows:
            self.on_here(each.object)
            if is_directory(msgspec.json.decode(each.value)):
                self._holdings.keep_list(row, each.object, at)
            else:
                self._holdings.keep(row, each.object, each.size, at)
        self._context.looking.discard((workflow, step))
        if not self._lists.want(row, step, at):
            self._store.evaluations.add(workflow, step)

    def _fetch(self, at: Moment) -> None:
        """Have objects fetched that somebody has; say of others why not."""
        for name in self._store.looks.wanted(FETCHED_AT_ONCE):
            if self._store.objects.of(self._me, name) is not None:
                self.on_here(name)
                continue
            try:
                self._copies.want(name, 0, at, most=WANTED_MAX + FETCHED_AT_ONCE)
            except NotToBeHad as problem:
                self._store.looks.explain(name, str(problem))
            else:
                self._store.looks.explain(name, None)
        self._look_due = at.now + LOOK_EVERY_S if self._store.looks.any_wait() else inf
