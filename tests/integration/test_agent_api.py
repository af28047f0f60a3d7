"""The agent's API over HTTP."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from caroni_edge.agent.jobtypes import JobTypes
from caroni_edge.agent.processes.outcome import Failed
from caroni_edge.agent.processes.port import JobEnded
from caroni_edge.agent.processes.usage import Usage
from caroni_edge.agent.secrets import Source
from caroni_edge.documents.documents import Problem
from caroni_edge.protocol.messages import OfferAccept
from tests.unit.agent.bench import completed, job_type
from tests.web_bench import AgentBench, Client, metrics_of, serve_agent


@pytest.fixture
def agent() -> AgentBench:
    return AgentBench(slots=1)


@pytest.fixture
def client(agent: AgentBench, tmp_path: Path) -> Iterator[Client]:
    with serve_agent(agent, tmp_path) as server, Client(server) as client:
        yield client


def place(agent: AgentBench, count: int = 1, manager: str = "m1") -> list[str]:
    bench = agent.bench
    return [bench.place(bench.new_job(priority=3), manager=manager)[0] for _ in range(count)]


def test_jobs_come_newest_first_by_page_and_filter(agent: AgentBench, client: Client) -> None:
    one, two = place(agent, 2)
    (three,) = place(agent, manager="m2")
    page = client.get("/api/jobs?limit=2").json()
    assert [each["id"] for each in page["jobs"]] == [three, two]
    rest = client.get("/api/jobs", params={"after": page["next"]}).json()
    assert ([each["id"] for each in rest["jobs"]], rest["next"]) == ([one], None)

    def found(query: str) -> list[str]:
        return [each["id"] for each in client.get(f"/api/jobs?{query}").json()["jobs"]]

    assert found("status=running") == [one]
    assert found("status=queued&manager=m1") == [two]
    assert found("manager=m2") == [three]
    assert client.get("/api/jobs?status=lost").status_code == 400


def test_a_job_shows_all_that_there_is_of_it(agent: AgentBench, client: Client) -> None:
    (job,) = place(agent)
    agent.bench.runner.logs[job] = "begün".encode()
    found = client.get(f"/api/jobs/{job}").json()
    assert (found["status"], found["manager"], found["attempt"], found["workflow"]) == ("running", "m1", 1, "w1")
    assert (found["inputs"], found["outputs"], found["data"]) == ({"message": "x"}, None, "delivered")
    assert found["reply_topic"] == "caroni/managers/m1/inbox/agents/a1"
    assert found["box"] == "shared"
    assert (found["log"], found["log_next"]) == ("begün", 6)
    agent.bench.end(job, completed({"out": "Y"}))
    found = client.get(f"/api/jobs/{job}").json()
    assert (found["status"], found["outputs"], found["exit_code"]) == ("completed", {"out": "Y"}, 0)
    assert (found["log"], found["log_next"]) == ("begün", None)
    assert found["ended"] == "2023-11-14T22:13:20.000Z"


def test_a_log_by_parts(agent: AgentBench, client: Client) -> None:
    (job,) = place(agent)
    agent.bench.runner.logs[job] = b"0123456789"
    answer = client.get(f"/api/jobs/{job}/log?offset=4")
    assert (answer.text, answer.headers["Caroni-Log"], answer.headers["Caroni-Log-Next"]) == ("456789", "coming", "10")
    agent.bench.end(job)
    assert client.get(f"/api/jobs/{job}/log").headers["Caroni-Log"] == "complete"


@pytest.mark.parametrize("path", ["/api/jobs/none", "/api/jobs/none/log"])
def test_an_unknown_job_is_404(client: Client, path: str) -> None:
    assert client.get(path).status_code == 404
    assert client.post("/api/jobs/none/kill").status_code == 404


def test_a_running_job_is_killed_when_its_processes_are_gone_and_a_waiting_one_at_once(
    agent: AgentBench, client: Client
) -> None:
    running, waiting = place(agent, 2)
    answer = client.post(f"/api/jobs/{waiting}/kill")
    assert (answer.status_code, answer.json()["status"]) == (200, "killed")
    assert "owner of agent a1" in answer.json()["reason"]
    answer = client.post(f"/api/jobs/{running}/kill")
    assert (answer.status_code, answer.json()["status"]) == (200, "running")
    assert "owner of agent a1" in answer.json()["killing"]
    assert list(agent.bench.runner.killed) == [running]
    agent.bench.end(running, Failed("killed"))
    assert client.get(f"/api/jobs/{running}").json()["killing"] is None
    again = client.post(f"/api/jobs/{running}/kill")
    assert again.status_code == 409
    assert "killed already" in again.json()["error"]


def test_job_types_with_what_is_wrong_with_others(agent: AgentBench, client: Client) -> None:
    broken = {"broken": (Problem("broken.yaml:2", "no script"),)}
    types = JobTypes({"upper": job_type("upper", repeat=False)}, broken)
    agent.call(lambda _at: agent.bench.reactor.reload(agent.bench.settings, types))
    found = client.get("/api/job-types").json()
    assert found["errors"] == {"broken": ["broken.yaml:2: no script"]}
    (upper,) = found["job_types"]
    assert (upper["name"], upper["inputs"], upper["repeat"], upper["script"]) == (
        "upper",
        {"message": "string"},
        False,
        "true",
    )
    assert upper["limits"]["timeout_s"] is None


def test_draining_and_back(agent: AgentBench, client: Client) -> None:
    place(agent, 2)
    none = {"pending": 0, "staging": 0, "queued": 0, "running": 0, "collecting": 0}
    left = {**none, "queued": 1, "running": 1}
    assert client.get("/api/drain").json() == {"drained": False, "paused": False, "jobs": left}
    assert client.post("/api/drain").json()["drained"] is True
    assert "*" in agent.bench.presences[-1]["refuses"]  # type: ignore[operator]
    assert client.get("/api/drain").json()["drained"] is True
    assert client.post("/api/drain", json={"on": False}).json()["drained"] is False


@pytest.mark.parametrize(("body", "status"), [(b"no JSON", 400), (b"[]", 400), (b'{"on": "yes"}', 422)])
def test_a_wrong_drain_changes_nothing(client: Client, body: bytes, status: int) -> None:
    answer = client.post("/api/drain", content=body)
    assert answer.status_code == status
    assert client.get("/api/drain").json()["drained"] is False


def test_the_agent_describes_and_counts_itself(agent: AgentBench, client: Client) -> None:
    place(agent, 2)
    found = metrics_of(client)
    assert found['caroni_jobs{status="queued"}'] == 1
    assert found['caroni_jobs{status="completed"}'] == 0
    assert found['caroni_jobs_unfinished{manager="m1",status="running"}'] == 1
    assert found["caroni_drained"] == 0
    paths = client.get("/schema/openapi.json").json()["paths"]
    assert {"/api/jobs", "/api/jobs/{job}", "/api/jobs/{job}/kill", "/api/job-types", "/api/drain"} <= set(paths)
    assert client.get("/api/node").json()["role"] == "agent"


def test_it_is_shown_what_the_host_has_and_which_jobs_have_it(tmp_path: Path) -> None:
    secrets = {"API_KEY": Source(file="/srv/api.key")}
    snap = replace(job_type("snap"), needs={"camera": 1, "memory": 2 << 30}, parallel=3, secrets=secrets)
    agent = AgentBench(types=[snap], slots=2, resources={"camera": 1, "memory": 16 << 30})
    (job,) = agent.bench.place(agent.bench.new_job("snap"))
    with serve_agent(agent, tmp_path) as server, Client(server) as client:
        camera, memory = client.get("/api/slots").json()["resources"]
        assert camera == {"name": "camera", "amount": 1, "taken": 1, "jobs": [job]}
        assert (memory["amount"], memory["taken"]) == (16 << 30, 2 << 30)
        metrics = metrics_of(client)
        assert metrics['caroni_resources{resource="camera"}'] == 1.0
        assert metrics['caroni_resources_taken{resource="memory"}'] == float(2 << 30)
        (shown,) = client.get("/api/job-types").json()["job_types"]
        assert (shown["needs"], shown["parallel"]) == ({"camera": 1, "memory": 2 << 30}, 3)
        assert "memory: 2G of 16G taken" in client.get("/").text
        assert "camera: 1, memory: 2G" in client.get("/job-types/snap").text
        assert shown["secrets"] == ["API_KEY"]
        assert "API_KEY" in client.get("/job-types/snap").text
        agent.bench.end(job)
        assert client.get("/api/slots").json()["resources"][0]["jobs"] == []


def test_slots_by_minute_and_by_manager_with_weights(tmp_path: Path) -> None:
    agent = AgentBench(slots=2, managers={"m1": 3.0, "*": 1.0})
    bench = agent.bench
    with serve_agent(agent, tmp_path) as server, Client(server) as client:
        (ended,), (runs,) = place(agent), place(agent, manager="m2")
        bench.advance(120.0)
        bench.end(ended)
        bench.advance(120.0)
        found = client.get("/api/slots?hours=1").json()
        assert (found["slots"], found["running"], found["hours"], len(found["busy"])) == (2, 1, 1, 60)
        assert found["busy"] == [*[0.0] * 55, 1.333, 2.0, 1.333, 1.0, 1.0]
        assert [(each["manager"], each["slot_time_s"], each["weight"]) for each in found["managers"]] == [
            ("m2", 240.0, 1.0),
            ("m1", 120.0, 3.0),
        ]
        assert [(round(each["share"], 3), each["due"]) for each in found["managers"]] == [(0.667, 0.25), (0.333, 0.75)]
        assert client.get("/api/slots?hours=25").status_code == 400
        bench.end(runs)
        assert client.get("/api/slots").json()["managers"][0]["slot_time_s"] == 240.0


def test_what_is_refused_and_what_was_turned_away(agent: AgentBench, client: Client) -> None:
    assert client.get("/api/refusals").json() == {"refuses": {}, "recent": []}
    agent.bench.send(OfferAccept(offer="nooffer1", jobs=tuple(agent.bench.new_job("none") for _ in range(2))))
    client.post("/api/pause")
    found = client.get("/api/refusals").json()
    assert list(found["refuses"]) == ["*"]
    assert [(each["manager"], each["job_type"]) for each in found["recent"]] == [
        (None, None),
        ("m1", "none"),
        ("m1", "none"),
    ]
    assert found["recent"][1]["reason"] == "the agent has no job type none"


def test_pausing_and_back(agent: AgentBench, client: Client) -> None:
    running, waiting = place(agent, 2)
    answer = client.post("/api/pause").json()
    assert (answer["paused"], answer["drained"]) == (True, False)
    assert answer["jobs"] == {"pending": 0, "staging": 0, "queued": 0, "running": 1, "collecting": 0}
    assert client.get(f"/api/jobs/{waiting}").json()["status"] == "failed"
    assert metrics_of(client)["caroni_paused"] == 1
    assert client.post("/api/pause", content=b"[]").status_code == 400
    assert client.post("/api/pause", json={"on": False}).json()["paused"] is False
    assert client.get(f"/api/jobs/{running}").json()["status"] == "running"


def test_what_a_job_uses_while_it_runs_and_what_it_has_used(agent: AgentBench, client: Client) -> None:
    (job,) = place(agent)
    assert client.get(f"/api/jobs/{job}").json()["cpu_s"] is None
    agent.bench.runner.used[job] = Usage(1.5, 4096)
    found = client.get("/api/jobs").json()["jobs"][0]
    assert (found["cpu_s"], found["memory_bytes"]) == (1.5, 4096)
    ended = JobEnded(job, completed({"out": "Y"}), agent.bench.date, cpu_s=2.5, memory_bytes=8192)
    agent.bench.call(lambda at: agent.bench.reactor.on_news(ended, at))
    found = client.get(f"/api/jobs/{job}").json()
    assert (found["cpu_s"], found["memory_bytes"]) == (2.5, 8192)
