"""A schedule in which much waits at the keepers of agents, while all goes wrong that can with that."""

from tests.simulation.ahead import far_ahead
from tests.simulation.faults import FAULTS
from tests.simulation.federation import Federation
from tests.simulation.schedule import end

WORKFLOWS = 30
ROUNDS = 25
FAULTS_OF_AGENTS = ("crash", "reboot", "pause agent", "cancel", "slow jobs")


def much_waits_at_keepers(seed: int) -> list[str]:
    """Two agents have more work than slots, and hand it over; they crash, reboot, pause, and are told to kill."""
    with far_ahead():
        federation = Federation(f"handed {seed}", agents=2, deep=64, say_running_after_s=0.05)
        federation.start()
        for number in range(WORKFLOWS):
            federation.users.submit("m0", "chain1" if number % 3 else "chain3")
        for _ in range(ROUNDS):
            federation.run(10.0 * federation.chance.random())
            federation.start()
            FAULTS[federation.chance.choice(FAULTS_OF_AGENTS)][1](federation)
        return end(federation)
