"""What the agent's decisions share: what is in force, the store, and where messages and deeds go."""

from dataclasses import dataclass

from caroni_edge.agent.jobs.deeds import Deeds
from caroni_edge.agent.settings import InForce
from caroni_edge.agent.store import Store
from caroni_edge.base.memory import Journal
from caroni_edge.base.moment import Chance
from caroni_edge.node.reactor import Outbox
from caroni_edge.protocol.topics import Topics


@dataclass(frozen=True)
class Context:
    """What each part of the reactor is given.

    Attributes:
        in_force: Configuration and job types, as they are now.
        deeds: What is to be done about processes and files once the batch is committed.
        journal: Of the database that the store is in.
    """

    topics: Topics
    store: Store
    outbox: Outbox
    chance: Chance
    in_force: InForce
    deeds: Deeds
    journal: Journal
