"""Metrics: durations of jobs, workflows, batches and requests; and that dashboards and alerts name what there is."""

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import prometheus_client
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.architecture.source import ROOT
from tests.node_bench import ServedNode
from tests.web_bench import AgentBench, Client, ManagerBench, metrics_of, serve_agent, serve_manager

CONFIG = ROOT / "config"
NAME = re.compile(r"\b(?:caroni|process|python)_[a-z_]+\b")


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[tuple[AgentBench, Client]]:
    bench = AgentBench(slots=1)
    with serve_agent(bench, tmp_path) as server, Client(server) as client:
        yield bench, client


def test_jobs_are_measured_by_type_from_the_start_on(agent: tuple[AgentBench, Client]) -> None:
    bench, client = agent[0].bench, agent[1]
    first, second = (bench.place(bench.new_job())[0] for _ in range(2))
    assert not [name for name in metrics_of(client) if name.startswith("caroni_job_seconds")]
    bench.advance(3)
    bench.end(first)
    bench.advance(20)
    bench.end(second)
    for _ in range(2):
        found = metrics_of(client)
        assert found['caroni_job_seconds_count{job_type="upper"}'] == 2
        assert found['caroni_job_seconds_sum{job_type="upper"}'] == pytest.approx(23)
        assert found['caroni_job_seconds_bucket{job_type="upper",le="5.0"}'] == 1
        assert found['caroni_job_wait_seconds_sum{job_type="upper"}'] == pytest.approx(3)


def test_jobs_of_before_are_not_measured(tmp_path: Path) -> None:
    bench = AgentBench()
    (job,) = bench.bench.place(bench.bench.new_job())
    bench.bench.end(job)
    with serve_agent(bench, tmp_path) as server, Client(server) as client:
        assert not [name for name in metrics_of(client) if name.startswith("caroni_job_seconds")]


def test_workflows_are_measured_by_template_from_the_start_on(tmp_path: Path) -> None:
    with closing(ManagerBench(tmp_path)) as bench:
        bench.trigger(workflow="before")
        bench.service.call(lambda at: bench.reactor.cancel("before", at))
        with serve_manager(bench, tmp_path) as server, Client(server) as client:
            assert not [name for name in metrics_of(client) if name.startswith("caroni_workflow_seconds")]
            bench.trigger(workflow="w1")
            bench.service.now += 30
            bench.service.call(lambda at: bench.reactor.cancel("w1", at))
            for _ in range(2):
                found = metrics_of(client)
                assert found['caroni_workflow_seconds_count{template="test_simple"}'] == 1
                assert found['caroni_workflow_seconds_sum{template="test_simple"}'] == pytest.approx(30)
                assert found['caroni_workflow_seconds_bucket{le="15.0",template="test_simple"}'] == 0
                assert found['caroni_workflow_seconds_bucket{le="60.0",template="test_simple"}'] == 1


def test_requests_are_measured_by_route(tmp_path: Path) -> None:
    with closing(ServedNode(tmp_path)) as node, node.serve() as server, Client(server) as client:
        for number in range(3):
            client.get(f"/api/dead-letters/{number}")
        client.get("/nowhere/at/all")
        client.request("INVENTED", "/healthz")
        with client.stream("GET", "/live") as stream:
            assert stream.status_code == 200
        found = metrics_of(client)
    count = "caroni_http_request_seconds_count"
    assert found[f'{count}{{method="GET",route="/api/dead-letters/{{letter}}",status="404"}}'] == 3
    assert found[f'{count}{{method="GET",route="(none)",status="404"}}'] == 1
    assert not [name for name in found if "INVENTED" in name or "/live" in name or "/nowhere" in name]


def test_the_loop_is_measured(tmp_path: Path) -> None:
    with closing(ServedNode(tmp_path)) as node:
        node.loop.observe(0.002, 3)
        with node.serve() as server, Client(server) as client:
            found = metrics_of(client)
    assert found["caroni_batch_seconds_count"] == 1
    assert found['caroni_batch_items_bucket{le="5.0"}'] == 1


def test_disk_process_and_python_are_measured_in_a_registry_of_our_own(tmp_path: Path) -> None:
    with closing(ServedNode(tmp_path)) as node, node.serve() as server, Client(server) as client:
        found = metrics_of(client)
    assert found["caroni_disk_free_bytes"] > 0
    assert found["caroni_disk_floor_bytes"] == node.config.disk_floor_bytes
    assert found["process_resident_memory_bytes"] > 0
    assert any(name.startswith("python_info") for name in found)
    ours = [each.name for each in prometheus_client.REGISTRY.collect() if each.name.startswith("caroni")]
    assert not ours, "nothing of a node is global"


# --- What people are given to look at them ---------------------------------------------------------------------------


@pytest.fixture
def known(tmp_path: Path, agent: tuple[AgentBench, Client]) -> set[str]:
    """Return the names of all samples of both roles."""
    with (
        closing(ManagerBench(tmp_path / "m")) as bench,
        serve_manager(bench, tmp_path / "m") as server,
        Client(server) as client,
    ):
        client.get("/healthz")
        texts = [client.get("/metrics").text, agent[1].get("/metrics").text]
    families = [family for text in texts for family in text_string_to_metric_families(text)]
    names = {sample.name for family in families for sample in family.samples} | {each.name for each in families}
    return names | {
        f"{each.name}{end}" for each in families if each.type == "histogram" for end in ("_bucket", "_count")
    }


def expressions() -> list[str]:
    dashboard = json.loads((CONFIG / "grafana" / "caroni-edge.json").read_text())
    rules = yaml.safe_load((CONFIG / "prometheus" / "alerts.yaml").read_text())["groups"]
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    return asked + [rule["expr"] for group in rules for rule in group["rules"]]


def test_dashboard_and_alerts_name_metrics_that_there_are(known: set[str]) -> None:
    asked = {name for expression in expressions() for name in NAME.findall(expression)}
    assert len(asked) > 15
    assert not asked - known


def test_the_documentation_names_all_metrics(known: set[str]) -> None:
    text = (ROOT / "docs" / "metrics.md").read_text()
    named = set(re.findall(r"^\| `(caroni_[a-z_]+)`", text, re.MULTILINE))
    assert named == {
        name for name in known if name.startswith("caroni_") and not name.endswith(("_bucket", "_count", "_sum"))
    }
