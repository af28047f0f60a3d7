"""What an agent keeps in memory of demand, and what the rows say of it."""

from dataclasses import replace
from typing import Any

from caroni_edge.agent.offers.demanded import Demanded
from caroni_edge.agent.store import Store
from caroni_edge.base.memory import Journal
from tests.unit.agent.bench import Bench


def kept(bench: Bench) -> dict[str, Any]:
    """Return what is kept."""
    return _shown(bench.reactor._offers._demanded)


def in_rows(bench: Bench) -> dict[str, Any]:
    """Return what would be kept by a process that begins now."""
    journal = Journal()
    context = replace(bench.reactor._context, store=Store(bench.database.conn, journal), journal=journal)
    demanded = Demanded(context)
    demanded.look(bench.now)
    return _shown(demanded)


def _shown(demanded: Demanded) -> dict[str, Any]:
    by_type = {"ready": demanded._ready, "waiting": demanded._waiting, "competing": demanded._competing}
    return {
        **{name: dict(managers.items()) for name, managers in by_type.items()},
        "candidates": dict(demanded.candidates.items()),
        "unsure": demanded.unsure,
        "due": demanded.next_due(),
    }
