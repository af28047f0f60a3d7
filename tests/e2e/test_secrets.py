"""Secrets of jobs on real daemons: that they are nowhere, and what becomes of one that is missing and comes."""

import base64
import io
import signal
import tarfile
from pathlib import Path
from typing import Any

import yaml

from caroni_edge.transport.base import Arrived, Connected
from tests.brokers import WATCHER, Client
from tests.e2e.daemons import Fleet
from tests.integration.test_secrets import SECRETS, TOLD, WAYS
from tests.support import wait_until

SECRET = "s3cret/value+of-this-host"
CALL = """name: call
outputs: {done: string}
secrets: {API_KEY: {file: ../api.key}}
script: |
  env; env >&2; printf %s "$CARONI_SECRET_API_KEY" | base64; set -x; true "$CARONI_SECRET_API_KEY"
  echo done=yes > "$CARONI_OUTPUTS"
"""
LOOK = """name: look
script: |
  exec >&2; cat {path} || true; echo it has looked
"""


def test_a_secret_is_in_no_file_page_or_message_and_a_missing_one_comes_back_at_sighup(
    fleet: Fleet, tmp_path: Path
) -> None:
    (tmp_path / "types").mkdir()
    (tmp_path / "types" / "call.yaml").write_text(CALL)
    (tmp_path / "types" / "look.yaml").write_text(LOOK.format(path=tmp_path / "api.key"))
    agent = fleet.agent(job_types=str(tmp_path / "types"))
    said = agent.get("/api/job-types")
    assert "its secret API_KEY cannot be read" in str(said["errors"]["call"])
    (tmp_path / "api.key").write_text(f"{SECRET}\n")
    agent.signal(signal.SIGHUP)
    wait_until(lambda: not agent.get("/api/job-types")["errors"], what="the job type to come back")

    def tried(job_type: str) -> dict[str, Any]:
        job = agent.post(f"/api/job-types/{job_type}/try", {"inputs": {}}).json()["id"]

        def ended() -> Any:
            found = agent.get(f"/api/jobs/{job}")
            return found if found["ended"] else None

        found: dict[str, Any] = wait_until(ended, what=f"the trial of {job_type} to end")
        assert found["status"] == "completed", found
        return found

    found = tried("call")
    assert "CARONI_SECRET_API_KEY=***" in found["log"]
    told = (SECRET, base64.b64encode(SECRET.encode()).decode()[:-4])
    assert not [text for text in told if text in str(found)]
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "api.key"]
    assert len(files) > 5
    assert not [path for path in files if any(text.encode() in path.read_bytes() for text in told)]
    looked = tried("look")
    assert "it has looked" in looked["log"]
    # The box of before SIGHUP would have shown it.
    assert looked["box"].startswith("none") or SECRET not in looked["log"]


BY_PROGRAMS = [
    f"python3 -c 'import {module}, os; print({call})'"
    for module, call in {
        "json": 'json.dumps({"key": os.environ["CARONI_SECRET_KEY"]})',
        "urllib.parse": 'urllib.parse.quote(os.environ["CARONI_SECRET_KEY"], safe="")',
        "html": 'html.escape(os.environ["CARONI_SECRET_KEY"])',
        "pprint": "pprint.pformat(dict(os.environ))",
    }.items()
]
SAID = [*BY_PROGRAMS, *(way for way in WAYS if "IT_ENDS" not in way)]
"""What does not stand in the job type itself; the last one is the beginning of a secret, at the end of all."""

TEMPLATE = """
cwlVersion: v1.2
class: Workflow
$namespaces: {caroni: "urn:caroni:cwl#"}
inputs: {leaks: boolean}
outputs: {out: {type: string, outputSource: one/out}}
steps:
  one:
    in: {leaks: leaks}
    out: [out]
    run:
      class: Operation
      inputs: {leaks: boolean}
      outputs: {out: string}
      hints: {caroni:JobType: {name: print}}
"""
PAGES = {
    "m1": ("/", "/runs/w1", "/runs/w1/steps/one", "/runs/w2", "/agents", "/agents/a1", "/node", "/metrics"),
    "a1": ("/", "/jobs/{job}", "/job-types", "/job-types/print", "/node", "/metrics"),
}
ANSWERS = {
    "m1": ("/api/workflows/w1", "/api/workflows/w2", "/api/workflows/w2/why", "/api/agents", "/api/support"),
    "a1": ("/api/jobs", "/api/jobs/{job}", "/api/job-types", "/api/job-types/print", "/api/support"),
}


def in_bundle(content: bytes) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(content)) as bundle:
        opened = [bundle.extractfile(each) for each in bundle.getmembers()]
        return b"".join(each.read() for each in opened if each is not None)


def test_a_secret_that_a_job_prints_in_20_ways_is_in_no_file_row_page_or_message(fleet: Fleet, tmp_path: Path) -> None:
    assert len(SAID) >= 20
    keys, types, templates = (tmp_path / name for name in ("keys", "types", "templates"))
    for directory in (keys, types, templates):
        directory.mkdir()
    (keys / "key").write_text(SECRETS["CARONI_SECRET_KEY"])
    (keys / "pem").write_text(SECRETS["CARONI_SECRET_PEM"])
    (templates / "print.cwl").write_text(TEMPLATE)
    leak = '[ "$CARONI_ENV_leaks" = false ] || printf "out=%s\\n" "$CARONI_SECRET_KEY" > "$CARONI_OUTPUTS"'
    job_type = {
        "name": "print",
        "inputs": {"leaks": "boolean"},
        "outputs": {"out": "string"},
        "secrets": {"KEY": {"file": str(keys / "key")}, "PEM": {"file": str(keys / "pem")}},
        "script": "\n".join(
            ['echo out=none > "$CARONI_OUTPUTS"', leak, *(f"({way})\necho" for way in SAID[:-1]), SAID[-1]]
        ),
    }
    (types / "print.yaml").write_text(yaml.safe_dump(job_type))
    spy = Client.of(fleet.people, "caroni-spy", username=WATCHER).start()
    spy.wait_for(Connected)
    spy.subscribe("#", 0)
    nodes = {
        "m1": fleet.manager(templates=str(templates), attempts=1),
        "a1": fleet.agent(job_types=str(types)),
    }
    for workflow, leaks in (("w1", False), ("w2", True)):
        fleet.trigger({"template": "print", "id": workflow, "inputs": {"leaks": leaks}})
    assert fleet.outputs("w1") == {"out": "none"}
    (failed,) = wait_until(lambda: fleet.of("w2", "caroni.workflow.failed"), what="w2 to fail")
    assert "output out: it holds a secret of its job type" in failed["reason"]

    def log() -> Any:
        answer = nodes["m1"].ask("/api/workflows/w1/steps/one/log")
        return answer.text if answer.headers["Caroni-Log"] == "complete" else None

    text = wait_until(log, what="the log to come to the manager")
    assert text.count("***") > len(SAID)
    shown = {"log": text.encode()}
    job = nodes["m1"].get("/api/workflows/w1")["steps"]["one"]["attempts"][0]["job"]
    for name, paths in [*PAGES.items(), *ANSWERS.items()]:
        for path in paths:
            answer = nodes[name].ask(path.format(job=job), "text/html" if paths in PAGES.values() else "*/*")
            shown[f"{name}{path}"] = in_bundle(answer.content) if path == "/api/support" else answer.content
    shown |= {f"message {n} on {each.topic}": each.payload for n, each in enumerate(spy.find(Arrived))}
    spy.stop()
    assert len([name for name in shown if "inbox" in name]) > 2
    assert len([name for name in shown if "/events/" in name]) > 2
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.parent != keys]
    shown |= {str(path): path.read_bytes() for path in files}
    assert [(name, told) for name, content in shown.items() for told in TOLD if told.encode() in content] == []
