"""Labels of agents: from a template to who is asked, why a step waits, and what people see of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from caroni_edge.documents.documents import Problems
from caroni_edge.manager.templates.library import load_templates, parse_template
from caroni_edge.protocol.codec import encode
from caroni_edge.protocol.jobtypes import JobTypeNotice
from caroni_edge.protocol.messages import JobOffer, Presence
from caroni_edge.web.server import WebServer
from tests.integration.conftest import Run
from tests.web_bench import Client, ManagerBench

SCAN = """\
cwlVersion: v1.2
class: Workflow
inputs: {site: string}
outputs: {}
steps:
  s:
    in: {site: site}
    out: [y]
    run: {class: Operation, inputs: {site: string}, outputs: {y: string}}
    hints: {caroni:JobType: {name: foojob0, labels: LABELS}}
"""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[ManagerBench]:
    templates = tmp_path / "templates"
    templates.mkdir()
    (templates / "scan.cwl").write_text(SCAN.replace("LABELS", "{gpu: a100, site: $(inputs.site)}"))
    (templates / "fixed.cwl").write_text(SCAN.replace("LABELS", "{site: south}"))
    bench = ManagerBench(tmp_path, load_templates(templates), directory=templates)
    yield bench
    bench.close()


def see(bench: ManagerBench, agent: str, **labels: str) -> None:
    types = {"foojob0": JobTypeNotice(inputs={"site": "string"}, outputs={"y": "string"})}
    bench.notice(agent, encode(Presence(online=True, boot="b", job_types=types, slots=2, labels=labels)))


def test_a_step_is_given_to_whom_its_labels_fit_and_why_says_whom_it_waits_for(bench: ManagerBench, run: Run) -> None:
    see(bench, "a1", site="north")
    bench.trigger("scan", "w1", site="north")
    said = run("why", "w1/s").stdout
    assert "may be taken by agents with the labels gpu=a100, site=north alone, and none that this manager" in said
    see(bench, "a2", site="north", gpu="a100")
    said = run("why", "w1/s").stdout
    assert "may be taken by agents with the labels gpu=a100, site=north alone\n" in said
    bench.message(
        "a2",
        JobOffer(offer="offer0000001", job_type="foojob0", serial=1, ready=1, labels={"gpu": "a100", "site": "north"}),
    )
    assert "w1" in run("status", "--agent", "a2").stdout


def test_people_see_the_labels(bench: ManagerBench, server: WebServer, run: Run) -> None:
    see(bench, "a2", site="north", gpu="a100")
    bench.trigger("scan", "w1", site="north")
    assert "gpu=a100 site=north" in run("agents").stdout
    assert "  labels gpu=a100 site=north" in run("agents", "a2").stdout.splitlines()
    with Client(server) as client:
        assert client.get("/api/agents/a2").json()["labels"] == {"gpu": "a100", "site": "north"}
        assert client.get("/api/workflows/w1").json()["steps"]["s"]["agents"] == ["gpu=a100", "site=north"]
        html = {"Accept": "text/html"}
        assert "site=north" in client.get("/agents/a2", headers=html).text
        assert "gpu=a100, site=north" in client.get("/runs/w1/steps/s", headers=html).text
        assert "which no" not in client.get("/api/templates/scan").text
        found = client.get("/api/templates/fixed").json()["agents"]
        assert [each["sentence"] for each in found] == ["step s is bound to site=south, and foojob0 is served by a2"]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ("{}", '"labels" are 1 to 16 labels'),
        ("[site]", '"labels" are 1 to 16 labels'),
        ("{Site: north}", '"Site" is no name of a label'),
        ("{site: 5}", "5 is no value of a label"),
        ("{site: 'a,b'}", '"a,b" is no value of a label'),
        ("{site: $(inputs.sit)}", 'the step has no input "sit" under "in" (did you mean "site"?)'),
        ("{site: north}, agent: a1", '"agent" names who may take the step, and "labels" what they are: keep one'),
    ],
)
def test_what_is_wrong_with_labels_of_a_step_is_told(labels: str, said: str) -> None:
    with pytest.raises(Problems) as raised:
        parse_template(SCAN.replace("LABELS", labels), Path("scan.cwl"))
    assert said in str(raised.value)
