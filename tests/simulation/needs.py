"""A schedule in which jobs need more than their hosts have at a time, while agents crash, reboot and pause."""

from dataclasses import replace

from caroni_edge.agent.jobtypes import JobTypes
from tests.simulation.ahead import far_ahead
from tests.simulation.faults import FAULTS
from tests.simulation.federation import Federation
from tests.simulation.schedule import end

NEEDS = {"red": {"camera": 1}, "green": {"camera": 1, "memory": 2}}
RESOURCES = {"camera": 1, "memory": 2}
WORKFLOWS = 12
ROUNDS = 12
FAULTS_OF_AGENTS = ("crash", "reboot", "pause agent", "cancel", "slow jobs")


def much_is_needed(seed: int) -> list[str]:
    """Two agents have a camera each, and more slots; what they run needs it, in part."""
    with far_ahead():
        federation = Federation(f"needs {seed}", agents=2, slots=4, deep=64, say_running_after_s=0.05)
        for agent in federation.agents:
            types = {
                name: replace(each, needs=NEEDS.get(name, {}), parallel=2 if name == "blue" else None)
                for name, each in agent.types.loaded.items()
            }
            agent.types, agent.host.resources = JobTypes(types, {}), RESOURCES
            agent.settings = replace(agent.settings, resources=RESOURCES)
        federation.start()
        for number in range(WORKFLOWS):
            federation.users.submit("m0", "diamond" if number % 3 else "chain3")
        for _ in range(ROUNDS):
            federation.run(10.0 * federation.chance.random())
            federation.start()
            FAULTS[federation.chance.choice(FAULTS_OF_AGENTS)][1](federation)
        return end(federation)
