"""What files of a workflow are to lie on more hosts than they do, and why depots do not have them yet."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from caroni_edge.base.text import on_one_line
from caroni_edge.manager.pages.fileviews import LackingCopies
from caroni_edge.manager.pages.sentences import NAMES_SAID, listed, reason_of
from caroni_edge.manager.pages.shapes import Reason
from caroni_edge.manager.pages.views import ManagerViews
from caroni_edge.manager.pages.whyfiles import called_all, where
from caroni_edge.manager.store.agents import NamedDepot
from caroni_edge.manager.store.places import ASKED, HolderRow
from caroni_edge.manager.store.shown import ShownStep, ShownWorkflow
from caroni_edge.protocol.depots import FULL, OPEN, SPEAKS_OF_DEPOTS
from caroni_edge.values.carried import objects_in


class CopyReasons:
    """Says which copies of files are wanted that no depot has yet."""

    def __init__(self, views: ManagerViews, depots: Collection[str]) -> None:
        """Explain what `views` shows; `depots` are those that the configuration names."""
        self._views, self._depots = views, depots

    def of_workflow(self, row: ShownWorkflow) -> Iterator[Reason]:
        """Say of the first files of a workflow that lack copies what they wait for."""
        lacking = self._views.lacking_copies(row, self._depots, NAMES_SAID + 1)
        yield from self._of(lacking[:NAMES_SAID])
        if len(lacking) > NAMES_SAID:
            said = f"more files than these {NAMES_SAID} have fewer copies than they are to have"
            yield reason_of("more_lack_copies", said, shown=NAMES_SAID)

    def of_step(self, row: ShownWorkflow, step: ShownStep) -> Iterator[Reason]:
        """Say of the first files that a step has given what copies they lack."""
        gave = objects_in(msgspec.json.decode(step.outputs)) if step.outputs else {}
        if gave:
            yield from self._of(self._views.lacking_copies(row, self._depots, NAMES_SAID, among=gave))

    def _of(self, lacking: Iterable[LackingCopies]) -> Iterator[Reason]:
        known = {each.agent: each for each in self._views.depots(self._depots)}
        for each in lacking:
            held = {holder.agent: holder for holder in each.holders}
            waits = {name: self._waits(name, known.get(name), held.get(name)) for name in sorted(self._depots)}
            waits = {name: said for name, said in waits.items() if said}
            yield _reason(each, waits, where(self._views, each.having), is_any=bool(self._depots))

    def _waits(self, name: str, depot: NamedDepot | None, holder: HolderRow | None) -> str:
        """Return why a depot does not have a copy yet that counts; empty where it has."""
        is_online, seen = self._views.seen(name)
        away = "" if is_online else f"is offline since {seen}" if seen else "has never been seen by this manager"
        has_it = holder is not None and holder.held > 0
        if depot is None or (away and not (has_it or depot.depot)):
            return away
        if depot.speaks < SPEAKS_OF_DEPOTS:
            return "runs a release that does not know depots"
        if has_it or depot.drains:
            return "drains" if depot.drains else ""
        if holder is not None and holder.held == ASKED:
            staging = on_one_line(self._views.staging(name))
            said = [f"and {away}"] if away else [f"and says: {staging}"] if staging else []
            return ", ".join(["is asked to fetch it", *said])
        return _not_asked(depot, holder)


def _not_asked(depot: NamedDepot, holder: HolderRow | None) -> str:
    """Return why a depot that is known is not asked for a file now."""
    if not depot.depot:
        return "may not be one, as its owner has it (files.depot in its agent.yaml)"
    if depot.depot != OPEN:
        return f"takes no more: {on_one_line(depot.depot.removeprefix(FULL))}"
    if holder is not None and holder.refusal:
        return f"has refused it: {on_one_line(holder.refusal)}; it is asked again within 5 minutes"
    return "is asked for it within 5 minutes"


def _reason(lacks: LackingCopies, waits: Mapping[str, str], lies_on: str, *, is_any: bool) -> Reason:
    of = f" of step {lacks.step}" if lacks.step else ""
    said = f"{called_all([lacks.value])}{of} lies on {len(lacks.having)} of {lacks.copies} hosts"
    said += f" ({lies_on})" if lacks.having else ""
    said += f", without those that drain ({listed(lacks.draining)})" if lacks.draining else ""
    if waits:
        said += ": " + "; ".join(f"depot {name} {why}" for name, why in [*waits.items()][:NAMES_SAID])
    else:
        said += ": the manager's configuration names no " + ("other depot" if is_any else "depot") + " (depots)"
    facts: dict[str, Any] = {"object": lacks.object, "copies": lacks.copies, "holders": [*lacks.having]}
    return reason_of("lacks_copies", said, **facts, of=lacks.step, depots=dict(waits))
