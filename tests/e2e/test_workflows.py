"""Workflows from a trigger to their outputs, with real daemons and real jobs."""

import json
import shutil
import subprocess
from pathlib import Path

from tests.e2e.daemons import CONFIG, Fleet
from tests.support import WITHIN_S

UGLY = "a \"quoted\" 'word'\nsecond line\t\\ \\n é 漢字 🦜 $(touch /tmp/never) `id` ${HOME} %s %n ;|&<>*?[] "


def job_types(directory: Path, *names: str) -> str:
    """Copy some of the example job types into a directory of their own."""
    directory.mkdir()
    for name in names:
        shutil.copy(CONFIG / "jobtypes" / f"{name}.yaml", directory)
    return str(directory)


def test_a_chain_crosses_two_agents(any_fleet: Fleet, tmp_path: Path) -> None:
    any_fleet.agent("a1", job_types=job_types(tmp_path / "t1", "foojob0", "foojob2"))
    any_fleet.agent("a2", job_types=job_types(tmp_path / "t2", "foojob1"))
    manager = any_fleet.manager()
    any_fleet.trigger({"template": "test_simple", "inputs": {"message": "caronirocks"}, "id": "w1"})
    assert any_fleet.outputs("w1") == {"result": "prepended CARONIROCKSappend"}
    steps = manager.get("/api/workflows/w1")["steps"]
    agents = {name: step["agent"] for name, step in steps.items()}
    assert agents == {"upper": "a1", "prepend": "a2", "append": "a1"}
    assert [data["step"] for data in any_fleet.of("w1", "caroni.step.completed")] == ["upper", "prepend", "append"]


def test_values_of_any_kind_arrive_as_they_are(fleet: Fleet) -> None:
    fleet.agent()
    fleet.manager()
    fleet.trigger({"template": "test_simple", "inputs": {"message": UGLY}, "id": "ugly"})
    result = fleet.outputs("ugly")["result"]
    assert result.casefold() == f"prepended {UGLY}append".casefold()
    assert "\n" in result
    assert not Path("/tmp/never").exists()


def test_a_diamond_has_two_outputs(fleet: Fleet, tmp_path: Path) -> None:
    fleet.agent("a1", job_types=job_types(tmp_path / "t1", "tidy", "count"))
    fleet.agent("a2", job_types=job_types(tmp_path / "t2", "foojob0", "report"))
    fleet.manager()
    fleet.trigger({"template": "diamond", "inputs": {"text": "  three   small words "}, "id": "d1"})
    outputs = fleet.outputs("d1")
    assert outputs["words"] == 3
    assert outputs["report"] == "Report: THREE   SMALL WORDS (3 words)"


def test_stock_tools_are_enough(broker_fleet: Fleet) -> None:
    broker_fleet.agent()
    broker_fleet.manager()
    login = ["-p", str(broker_fleet.people.port), "-u", "alice", "-P", "x", "-I", "caroni-"]
    listening = ["-d", "-t", "caroni/managers/m1/events/+", "-W", "60"]
    listener = subprocess.Popen(
        ["stdbuf", "-oL", "mosquitto_sub", *login, *listening], stdout=subprocess.PIPE, text=True
    )
    assert listener.stdout is not None
    lines = iter(listener.stdout)
    next(line for line in lines if "SUBACK" in line)
    trigger = '{"template":"test_simple","inputs":{"message":"caronirocks"}}'
    command = ["mosquitto_pub", *login, "-q", "1", "-t", "caroni/managers/m1/workflows", "-m", trigger]
    subprocess.run(command, check=True)
    events = (json.loads(line) for line in lines if line.startswith("{"))
    completed = next(event for event in events if event["type"] == "caroni.workflow.completed")
    listener.terminate()
    listener.wait(WITHIN_S)
    assert completed["data"]["outputs"] == {"result": "prepended CARONIROCKSappend"}
