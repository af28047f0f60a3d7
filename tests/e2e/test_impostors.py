"""Stolen logins of nodes, on real daemons and mosquitto with the ACL that we ship: their lies cost nobody else."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from caroni_edge.protocol.topics import Role
from caroni_edge.values.json import hash_of
from tests.e2e.daemons import TOKEN, Daemon, Fleet
from tests.e2e.impostor import Impostor
from tests.e2e.test_faults import runs, slow_type
from tests.support import HTTP, wait_until

TYPES = {name: {"inputs": {"message": "string"}, "outputs": {"jobout": "string"}} for name in ("foojob0", "foojob1")}
DATABASE = "database-of-lies"
FAR = 2**53 - 1

MakeImpostor = Callable[..., Impostor]


@pytest.fixture
def impostor(fleet: Fleet) -> Iterator[MakeImpostor]:
    """Make impostors, who stay until the end of the test."""
    made: list[Impostor] = []

    def make(role: Role = "agents", node: str = "a2", peer: str = "m1") -> Impostor:
        made.append(Impostor(fleet.broker, role, node, peer))
        return made[-1]

    yield make
    for each in made:
        each.close()


def start(fleet: Fleet, workflow: str, template: str = "test_simple") -> None:
    fleet.trigger({"template": template, "inputs": {"message": "x"}, "id": workflow})


def known(manager: Daemon, workflow: str) -> dict[str, Any] | None:
    """Return what the manager says of a workflow; None as long as it does not know it."""
    found = HTTP.get(f"{manager.url}/api/workflows/{workflow}", headers={"Authorization": f"Bearer {TOKEN}"})
    return found.json() if found.status_code == 200 else None


def agents(manager: Daemon) -> dict[str, Any]:
    return {each["id"]: each for each in manager.get("/api/agents")["agents"]}


def offer(who: Impostor, number: int, places: int) -> None:
    facts = {"job_type": "foojob0", "serial": 0, "ready": places, "waiting": places, "database": DATABASE}
    who.say("JobOffer", offer=f"offer{number:07d}", **facts)


def rejected(who: Impostor) -> list[str]:
    return [message["offer"] for message in list(who.heard) if message["type"] == "OfferReject"]


def test_an_agent_that_resets_and_never_answers_holds_up_no_other(fleet: Fleet, impostor: MakeImpostor) -> None:
    fleet.manager()
    liar = impostor()
    liar.show(job_types=TYPES)
    liar.say("LinkReset")
    liar.wait_for("JobsWanted")
    fleet.agent()
    start(fleet, "w1")

    def completed() -> bool:
        liar.say("LinkReset")
        return bool(fleet.of("w1", "caroni.workflow.completed"))

    wait_until(completed, what="w1 to complete while another agent resets", every_s=0.5)


def test_a_manager_cannot_spoil_what_an_agent_says_to_others(fleet: Fleet, impostor: MakeImpostor) -> None:
    agent, manager = fleet.agent(), fleet.manager()
    start(fleet, "w1")
    fleet.outputs("w1")
    liar = impostor("managers", "m2", "a1")
    liar.say("JobsWanted", wanted="wanted000000", database="", known=0)
    here = liar.wait_for("JobsHere")
    assert "jobs" not in here, "what others have there is not told"
    liar.say("JobsWanted", wanted="wanted000001", database=here["database"], known=2**62)
    assert "JobsWanted" in str(liar.wait_for("MessageRejected"))
    liar.say("JobsWanted", wanted="wanted000002", database=here["database"], known=FAR)
    assert liar.wait_for("JobsHere", 2)["wanted"] == "wanted000002"
    start(fleet, "w2")
    fleet.outputs("w2")
    for daemon in (agent, manager):
        daemon.stop()
        daemon.start()
    start(fleet, "w3")
    fleet.outputs("w3")


def test_no_step_that_is_bound_to_another_agent_is_adopted(fleet: Fleet, impostor: MakeImpostor) -> None:
    templates = fleet.directory / "bound"
    templates.mkdir()
    run = {"class": "Operation", "inputs": {"message": "string"}, "outputs": {"jobout": "string"}}
    facts = {
        "cwlVersion": "v1.2",
        "class": "Workflow",
        "inputs": {"message": "string"},
        "outputs": {"result": {"type": "string", "outputSource": "only/jobout"}},
        "steps": {
            "only": {
                "run": run,
                "in": {"message": "message"},
                "out": ["jobout"],
                "hints": {"caroni:JobType": {"name": "foojob0", "agent": "a1"}},
            }
        },
    }
    (templates / "bound.cwl").write_text(yaml.safe_dump(facts))
    manager = fleet.manager(templates=str(templates))
    start(fleet, "w1", "bound")
    wait_until(lambda: known(manager, "w1"), what="the workflow")
    liar = impostor()
    liar.show(job_types=TYPES)
    liar.say("LinkReset")
    lie = {"job": "lie0lie0lie0", "workflow": "w1", "step": "only", "attempt": 1, "job_type": "foojob0", "serial": 1}
    lie |= {
        "status": "completed",
        "begun": True,
        "inputs_hash": hash_of({"message": "x"}),
        "outputs": {"jobout": "LIE"},
    }
    answer = {"wanted": liar.wait_for("JobsWanted")["wanted"], "database": DATABASE}
    liar.say("JobsHere", **answer, jobs=[lie])
    offer(liar, 1, 1)
    assert liar.wait_for("OfferReject"), "its answer has been taken"
    assert "LIE" not in str(known(manager, "w1"))
    fleet.agent()
    assert fleet.outputs("w1") == {"result": "X"}


@pytest.mark.parametrize("facts", [{"started": 1e300}, {"ended": -1e17}, {"serial": 2**62}, {"exit_code": 10**30}])
def test_what_no_calendar_holds_costs_its_own_attempt(
    fleet: Fleet, impostor: MakeImpostor, facts: dict[str, Any]
) -> None:
    manager = fleet.manager()
    liar = impostor()
    liar.show(job_types=TYPES)
    start(fleet, "w1")
    start(fleet, "w2")
    wait_until(lambda: known(manager, "w2"), what="the workflows")
    offer(liar, 1, 1)
    liar.wait_for("OfferAccept")
    (job,) = liar.jobs()
    liar.say("JobAccepted", jobs=[job])
    liar.say("JobStatusUpdate", **{"job": job, "serial": 1, "status": "failed", "begun": True, **facts})
    assert liar.wait_for("MessageRejected")["jobs"] == [job]
    for path in ("/api/workflows", "/api/workflows/w1", "/api/workflows/w1/why", "/api/workflows/w1/steps/upper/why"):
        assert manager.get(path)
    assert manager.post("/api/workflows/w1/cancel").status_code == 200
    fleet.agent()
    fleet.outputs("w2")


def test_an_offer_counts_for_what_presence_names_and_for_so_many_places(fleet: Fleet, impostor: MakeImpostor) -> None:
    manager, agent = fleet.manager(), fleet.agent()
    liar = impostor()
    liar.show(slots=10**9)
    offer(liar, 1, 10**9)
    start(fleet, "first")
    fleet.outputs("first")
    assert liar.jobs() == []
    agent.stop()
    for number in range(8):
        start(fleet, f"w{number}")
    wait_until(lambda: known(manager, "w7"), what="the workflows")
    liar.show(slots=1, backlog=1, pending=0, job_types=TYPES)
    wait_until(lambda: "foojob0" in str(agents(manager)["a2"]), what="the presence")
    offer(liar, 2, 10**9)  # where the first offer still stands, its turn has come already
    wait_until(lambda: len(liar.jobs()) == 2, what="the jobs for its two places")
    offer(liar, 3, 10**9)
    wait_until(lambda: "offer0000003" in rejected(liar), what="the rejection of an offer without a place")
    assert len(liar.jobs()) == 2
    agent.start()
    for number in range(2, 8):
        fleet.outputs(f"w{number}")


def test_a_job_type_that_is_entrusted_to_some_goes_to_no_other(fleet: Fleet, impostor: MakeImpostor) -> None:
    manager = fleet.manager(agents={"foojob0": ["a1"]})
    liar = impostor()
    liar.show(job_types=TYPES)
    wait_until(lambda: "foojob0" in str(manager.get("/api/agents")), what="the presence")
    start(fleet, "w1")
    wait_until(lambda: known(manager, "w1"), what="the workflow")
    offer(liar, 1, 1)
    assert liar.wait_for("OfferReject")["offer"] == "offer0000001"
    fleet.agent()
    fleet.outputs("w1")


def test_nobody_speaks_of_the_jobs_of_others(fleet: Fleet, impostor: MakeImpostor) -> None:
    """Neither an agent of those that another one runs, nor a manager of those that another one has placed."""
    trace = fleet.directory / "trace"
    agent, manager = fleet.agent(job_types=slow_type(fleet.directory / "types", trace)), fleet.manager()
    start(fleet, "w1")
    wait_until(lambda: runs(trace), what="the job to run")
    (job,) = [each["id"] for each in agent.get("/api/jobs?status=running")["jobs"]]
    other_agent, other_manager = impostor(), impostor("managers", "m2", "a1")
    other_agent.show(job_types=TYPES)
    lie = {"job": job, "serial": 9, "status": "completed", "begun": True, "outputs": {"jobout": "LIE"}}
    other_agent.say("JobStatusUpdate", **lie)
    other_agent.say("JobDecline", job=job, reason="a lie", begun=True)
    other_agent.say("JobLog", job=job, offset=0, data="TElF", end=True)
    offer(other_agent, 1, 1)
    other_manager.say("JobKill", job=job, reason="a lie")
    other_manager.say("JobDataReady", job=job, inputs={"message": "LIE"})
    other_manager.say("JobLogRequest", job=job)
    other_manager.say("JobStatusRequest", job=job)
    assert other_manager.wait_for("JobDecline")["job"] == job, "the agent says that it knows no such job"
    assert other_manager.wait_for("JobLog")["data"] == ""
    Path(f"{trace}.go").touch()
    assert fleet.outputs("w1") == {"result": "x"}
    assert sorted(runs(trace)) == ["w1/append/1", "w1/prepend/1", "w1/upper/1"]
    assert manager.get("/api/workflows/w1")["steps"]["upper"]["attempts"][0]["job"] == job


def test_a_login_speaks_for_no_other_node(fleet: Fleet, impostor: MakeImpostor) -> None:
    """Neither by a topic (the ACL), nor by a name in a frame."""
    manager = fleet.manager()
    liar = impostor()
    forged = b'{"v":1,"from":"a1","to":"m1","boot":"x","ack":[0,""],"first":1,"prev":"","messages":[{}]}'
    for topic in (
        "caroni/managers/m1/inbox/agents/a1",
        "caroni/presence/agents/a1",
        "caroni/managers/m1/events/w1",
        "caroni/agents/a1/inbox/managers/m1",
        "caroni/managers/m1/workflows",
        "caroni/requests/foojob0/m1",
    ):
        liar.publish(topic, b'{"template":"test_simple","inputs":{"message":"x"}}')
    liar.publish("caroni/managers/m1/inbox/agents/a2", forged)
    wait_until(lambda: "it says that it is from a1 to m1" in manager.log, what="the forged frame to be refused")
    assert manager.get("/api/workflows")["workflows"] == []
    assert "a1" not in agents(manager)
    assert fleet.client.events == [], "no trigger was refused, and no event is his"
