"""Every SQL statement of the agent, by what it is about; nothing else."""

import sqlite3

from caroni_edge.agent.store.answers import Answers
from caroni_edge.agent.store.demands import Demands
from caroni_edge.agent.store.facts import Facts
from caroni_edge.agent.store.jobs import Jobs
from caroni_edge.agent.store.load import Load
from caroni_edge.agent.store.managers import Managers
from caroni_edge.agent.store.offers import Offers
from caroni_edge.agent.store.records import Records


class Store:
    """The agent's tables, on the node's writing connection."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        """Work on `conn`, inside the batch's transaction."""
        self.answers = Answers(conn)
        self.demands = Demands(conn)
        self.facts = Facts(conn)
        self.jobs = Jobs(conn)
        self.load = Load(conn)
        self.managers = Managers(conn)
        self.offers = Offers(conn)
        self.records = Records(conn)
