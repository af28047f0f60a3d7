"""Every SQL statement of the manager, by what it is about; nothing else."""

import sqlite3

from caroni_edge.manager.store.agents import Agents
from caroni_edge.manager.store.demands import Demands
from caroni_edge.manager.store.gates import Gates
from caroni_edge.manager.store.jobs import Jobs
from caroni_edge.manager.store.offers import Offers
from caroni_edge.manager.store.steps import Steps
from caroni_edge.manager.store.triggers import SeenTriggers
from caroni_edge.manager.store.unplaced import UnplacedSteps
from caroni_edge.manager.store.workflows import Workflows


class Store:
    """The manager's tables, on the node's writing connection."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        """Work on `conn`, inside the batch's transaction."""
        self.agents = Agents(conn)
        self.demands = Demands(conn)
        self.gates = Gates(conn)
        self.jobs = Jobs(conn)
        self.offers = Offers(conn)
        self.steps = Steps(conn)
        self.triggers = SeenTriggers(conn)
        self.unplaced = UnplacedSteps(conn)
        self.workflows = Workflows(conn)
