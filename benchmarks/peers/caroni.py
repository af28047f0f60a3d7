"""Caroni Edge: mosquitto, a manager and an agent with so many slots, in its configuration's own terms."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from benchmarks.chains import Client, start_daemon, start_mosquitto
from benchmarks.peers.contender import APPEND, MESSAGE, PREPEND, UPPER, serve

JOB_TYPE = """\
name: {name}
inputs: {{message: string}}
outputs: {{out: string}}
script: |
  set -- "$CARONI_ENV_message"
  {{ printf 'out='; {script}; echo; }} >> "$CARONI_OUTPUTS"
"""
TEMPLATE = """\
cwlVersion: v1.2
class: Workflow
$namespaces: {{caroni: "urn:caroni:cwl#"}}
inputs: {{message: string}}
outputs: {{result: {{type: string, outputSource: {last}/out}}}}
steps:
"""
STEP = """\
  {name}:
    in: {{message: {source}}}
    out: [out]
    run:
      class: Operation
      inputs: {{message: string}}
      outputs: {{out: string}}
      hints: {{caroni:JobType: {{name: {name}}}}}
"""
SCRIPTS = {"upper": UPPER, "prepend": PREPEND, "append": APPEND}


def main(slots: str) -> None:
    """Serve with so many slots."""
    with ExitStack() as opened:
        directory = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="caroni-peers-")))
        templates, types = directory / "templates", directory / "jobtypes"
        templates.mkdir()
        types.mkdir()
        for name, script in SCRIPTS.items():
            (types / f"{name}.yaml").write_text(JOB_TYPE.format(name=name, script=script))
        (templates / "chains.cwl").write_text(_template([*SCRIPTS]))
        (templates / "jobs.cwl").write_text(_template(["upper"]))
        port = start_mosquitto(directory, opened)
        start_daemon(directory, opened, "manager", "m1", port, {"templates": str(templates)})
        more = {"job_types": str(types), "slots": int(slots), "disk_floor": "1M"}
        start_daemon(directory, opened, "agent", "a1", port, more)
        client = Client(port, opened)

        def run(template: str, count: int) -> Iterator[str]:
            for body in client.completing(count, template, {"message": MESSAGE}):
                yield body["data"]["outputs"]["result"]

        list(run("chains", 2))
        serve({"chains": lambda count: run("chains", count), "jobs": lambda count: run("jobs", count)})


def _template(steps: list[str]) -> str:
    sources = ["message", *(f"{name}/out" for name in steps)]
    text = "".join(STEP.format(name=name, source=source) for name, source in zip(steps, sources, strict=False))
    return TEMPLATE.format(last=steps[-1]) + text


if __name__ == "__main__":
    main(sys.argv[1])
