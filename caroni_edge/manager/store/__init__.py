"""Every SQL statement of the manager, by what it is about; nothing else."""

import sqlite3

from caroni_edge.manager.store.agents import AgentRows
from caroni_edge.manager.store.answers import AnswerRows
from caroni_edge.manager.store.brought import BroughtRows
from caroni_edge.manager.store.bulks import BulkRows
from caroni_edge.manager.store.combined import CombinedRows
from caroni_edge.manager.store.copies import CopyRows
from caroni_edge.manager.store.demands import DemandRows
from caroni_edge.manager.store.evaluations import EvaluationRows
from caroni_edge.manager.store.gates import GateRows
from caroni_edge.manager.store.jobs import JobRows
from caroni_edge.manager.store.listed import ListedRows
from caroni_edge.manager.store.looks import LookRows
from caroni_edge.manager.store.notifications import NotificationRows
from caroni_edge.manager.store.offers import OfferRows
from caroni_edge.manager.store.pauses import PauseRows
from caroni_edge.manager.store.places import PlaceRows
from caroni_edge.manager.store.remakes import RemakeRows
from caroni_edge.manager.store.rules import RuleRows
from caroni_edge.manager.store.scattered import ScatteredRows
from caroni_edge.manager.store.schedules import ScheduleRows
from caroni_edge.manager.store.steps import StepRows
from caroni_edge.manager.store.triggers import TriggerRows
from caroni_edge.manager.store.unfetched import UnfetchedRows
from caroni_edge.manager.store.unplaced import UnplacedRows
from caroni_edge.manager.store.wantedplaces import WantedPlaceRows
from caroni_edge.manager.store.workflows import WorkflowRows
from caroni_edge.objects.store.keys import KeyRows
from caroni_edge.objects.store.rows import ObjectRows


class Store:
    """The manager's tables, on the node's writing connection."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        """Work on `conn`, inside the batch's transaction."""
        self.agents = AgentRows(conn)
        self.answers = AnswerRows(conn)
        self.brought = BroughtRows(conn)
        self.bulks = BulkRows(conn)
        self.combined = CombinedRows(conn)
        self.copies = CopyRows(conn)
        self.demands = DemandRows(conn)
        self.evaluations = EvaluationRows(conn)
        self.gates = GateRows(conn)
        self.jobs = JobRows(conn)
        self.lists = ListedRows(conn)
        self.looks = LookRows(conn)
        self.notifications = NotificationRows(conn)
        self.object_keys = KeyRows(conn)
        self.objects = ObjectRows(conn)
        self.offers = OfferRows(conn)
        self.pauses = PauseRows(conn)
        self.remakes = RemakeRows(conn)
        self.rules = RuleRows(conn)
        self.scattered = ScatteredRows(conn)
        self.schedules = ScheduleRows(conn)
        self.places = PlaceRows(conn)
        self.steps = StepRows(conn)
        self.triggers = TriggerRows(conn)
        self.unfetched = UnfetchedRows(conn)
        self.unplaced = UnplacedRows(conn)
        self.wanted_places = WantedPlaceRows(conn)
        self.workflows = WorkflowRows(conn)
