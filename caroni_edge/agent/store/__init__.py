"""Every SQL statement of the agent, by what it is about; nothing else."""

import sqlite3

from caroni_edge.agent.store.answers import AnswerRows
from caroni_edge.agent.store.aside import AsideRows
from caroni_edge.agent.store.bucket import BucketRows
from caroni_edge.agent.store.changed import Changed
from caroni_edge.agent.store.demands import DemandRows
from caroni_edge.agent.store.facts import AgentFactRows
from caroni_edge.agent.store.jobs import JobRows
from caroni_edge.agent.store.keeps import KeepRows
from caroni_edge.agent.store.load import LoadRows
from caroni_edge.agent.store.locations import LocationRows
from caroni_edge.agent.store.managers import ManagerRows
from caroni_edge.agent.store.objectanswers import ObjectAnswerRows
from caroni_edge.agent.store.offers import OfferRows
from caroni_edge.agent.store.records import RecordRows
from caroni_edge.agent.store.slottime import SlotTimeRows
from caroni_edge.agent.store.takers import TakerRows
from caroni_edge.agent.store.totals import ObjectTotalRows
from caroni_edge.agent.store.turnedaway import TurnedAwayRows
from caroni_edge.agent.store.versions import VersionRows
from caroni_edge.agent.store.wanted import WantedRows
from caroni_edge.base.memory import Journal
from caroni_edge.objects.store.keys import KeyRows
from caroni_edge.objects.store.rows import ObjectRows


class Store:
    """The agent's tables, on the node's writing connection.

    Attributes:
        changed: Of which managers the demand, an offer, or what is known of them has changed.
    """

    def __init__(self, conn: sqlite3.Connection, journal: Journal) -> None:
        """Work on `conn`, inside the batch's transaction; `journal`: of the same database."""
        self.changed = Changed(journal)
        self.answers = AnswerRows(conn)
        self.aside = AsideRows(conn)
        self.bucket = BucketRows(conn)
        self.demands = DemandRows(conn, self.changed.note)
        self.facts = AgentFactRows(conn)
        self.jobs = JobRows(conn)
        self.keeps = KeepRows(conn)
        self.load = LoadRows(conn)
        self.locations = LocationRows(conn)
        self.managers = ManagerRows(conn, self.changed.note)
        self.object_answers = ObjectAnswerRows(conn)
        self.object_keys = KeyRows(conn)
        self.object_totals = ObjectTotalRows(conn)
        self.objects = ObjectRows(conn)
        self.offers = OfferRows(conn, self.changed.note)
        self.records = RecordRows(conn)
        self.slot_time = SlotTimeRows(conn)
        self.takers = TakerRows(conn)
        self.turned_away = TurnedAwayRows(conn)
        self.versions = VersionRows(conn)
        self.wanted = WantedRows(conn)
