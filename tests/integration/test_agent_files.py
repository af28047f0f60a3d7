"""What an agent shows of the large files that its jobs wait for."""

from pathlib import Path

from caroni_edge.agent.offers.refusals import WAITING_FILES
from caroni_edge.agent.processes.port import JobCollecting
from caroni_edge.base.hosts import parse_host
from caroni_edge.config.model import FilesConfig
from caroni_edge.objects.filework import NoRoomForFiles
from caroni_edge.objects.locations import LocationId, LocationProgress
from caroni_edge.objects.objects import Object
from caroni_edge.objects.quota import OverQuota, Quota
from caroni_edge.objects.transfer.effects import FetchId
from caroni_edge.objects.transfer.progress import Moving, Progress
from caroni_edge.objects.transfer.tickets import Peer
from caroni_edge.protocol.objects import ObjectPlace
from caroni_edge.values.carried import object_value
from tests.unit.agent.bench import job_type
from tests.web_bench import AgentBench, Client, metrics_of, serve_agent

OBJECT = Object("a" * 64, 5 << 20)
FETCH = FetchId("m1", OBJECT.sha256)
FILE = object_value("m31.fits", OBJECT, "0" * 40)
PLACE = ObjectPlace(holder="agents/a2", generation=1, ticket="2" * 64)


def test_it_is_shown_how_far_a_file_at_an_address_is(tmp_path: Path) -> None:
    hosts = (parse_host("data.example.org"),)
    agent = AgentBench(types=[job_type("take", {"file": "File"})], slots=1, files=FilesConfig(hosts=hosts))
    file = {"class": "File", "location": "https://data.example.org/m31.fits"}
    (job,) = agent.bench.place(agent.bench.new_job("take", inputs={"file": file}))
    located = LocationId("m1", file["location"], "")
    with serve_agent(agent, tmp_path) as server, Client(server) as client:
        found = client.get(f"/api/jobs/{job}").json()["files"]
        assert (found["count"], found["bytes"], found["holders"]) == (1, 0, ["data.example.org"])
        progress = LocationProgress(3 << 20, 5 << 20, "it does not answer")
        agent.bench.runner.moves = Moving(locations={located: progress}, rate=1024.0)
        page = client.get(f"/jobs/{job}").text
        assert "2.0 MiB of 5.0 MiB still to come from data.example.org, 1.0 KiB a second" in page
        assert "it does not answer" in page
        assert metrics_of(client)["caroni_files_wanted_bytes"] == 2 << 20


def test_it_is_shown_how_far_the_files_are_that_a_job_waits_for(tmp_path: Path) -> None:
    agent = AgentBench(types=[job_type("take", {"file": "File"}), job_type("upper")], slots=1)
    (job,) = agent.bench.place(agent.bench.new_job("take", inputs={"file": FILE}, places=(PLACE,)))
    (other,) = agent.bench.place(agent.bench.new_job("upper"))
    waits = {"count": 1, "bytes": 5 << 20, "left_bytes": 5 << 20, "holders": [], "bytes_per_s": 0.0, "problem": None}
    with serve_agent(agent, tmp_path) as server, Client(server) as client:
        assert client.get(f"/api/jobs/{job}").json()["files"] == waits
        assert client.get(f"/api/jobs/{other}").json()["files"] is None
        assert client.get("/api/drain").json()["jobs"]["staging"] == 1
        progress = Progress(2 << 20, Peer("agents", "a2"))
        agent.bench.runner.moves = Moving({FETCH: progress}, 3 << 20, 7, 1024.0)
        (listed,) = client.get("/api/jobs?status=staging").json()["jobs"]
        assert listed["files"] == {
            **waits,
            "left_bytes": 2 << 20,
            "holders": ["agents/a2"],
            "bytes_per_s": 1024.0,
        }
        page = client.get(f"/jobs/{job}").text
        assert "2.0 MiB of 5.0 MiB still to come from agents/a2, 1.0 KiB a second" in page
        found = metrics_of(client)
        assert (found["caroni_files_wanted"], found["caroni_files_wanted_bytes"]) == (1, 2 << 20)
        assert (found["caroni_files_received_bytes"], found["caroni_files_sent_bytes"]) == (3 << 20, 7)
        assert found["caroni_files_stored"] == 0
        agent.bench.runner.moves = Moving(problem="the broker lets no chunk of 8 KiB through")
        assert client.get(f"/api/jobs/{job}").json()["files"]["problem"].startswith("the broker lets no chunk")
        assert "the broker lets no chunk of 8 KiB through" in client.get(f"/jobs/{job}").text


def test_it_is_shown_what_the_files_of_a_job_wait_for_that_has_ended(tmp_path: Path) -> None:
    agent = AgentBench(types=[job_type("upper")], slots=2, files_per_manager_bytes=100)
    (mine,) = agent.bench.place(agent.bench.new_job("upper"))
    (other,) = agent.bench.place(agent.bench.new_job("upper"), manager="m2")
    for job in (mine, other):
        collecting = JobCollecting(job, None, agent.bench.date)
        agent.bench.call(lambda at, told=collecting: agent.bench.reactor.on_news(told, at))
    with serve_agent(agent, tmp_path) as server, Client(server) as client:
        assert client.get(f"/api/jobs/{mine}").json()["reason"] is None
        short = Quota(per_manager=100).why_not("m1", 101)
        assert short is not None
        news = NoRoomForFiles(short.why, OverQuota("m1", short))
        agent.bench.call(lambda at: agent.bench.reactor.on_news(news, at))
        said = client.get(f"/api/jobs/{mine}").json()["reason"]
        assert said == f"{WAITING_FILES}: files.per_manager is 100 bytes, and these are 101"
        assert said[1:] in client.get(f"/jobs/{mine}").text
        assert client.get(f"/api/jobs/{other}").json()["reason"] is None
