"""Workflows of one step whose job notes that it runs, and ends when a test lets it go on."""

from pathlib import Path

import yaml

from tests.e2e.daemons import Daemon
from tests.support import wait_until

TEMPLATE = """\
cwlVersion: v1.2
class: Workflow
$namespaces: {caroni: "urn:caroni:cwl#"}
inputs: {message: string}
outputs: {result: {type: string, outputSource: only/jobout}}
steps:
  only:
    in: {message: message}
    out: [jobout]
    run:
      class: Operation
      inputs: {message: string}
      outputs: {jobout: string}
      hints: {caroni:JobType: {name: note}}
"""
LOOK_EVERY_S = 0.1


class Notes:
    """One-step workflows whose job notes that it runs, and ends when it is let go on."""

    def __init__(self, directory: Path) -> None:
        self._trace, self._go, self._fails = directory / "trace", directory / "go", directory / "fails"
        self.templates, self.types = directory / "templates", directory / "types"
        self.templates.mkdir()
        self.types.mkdir()
        (self.templates / "one.cwl").write_text(TEMPLATE)
        script = f"""
            echo "$CARONI_WORKFLOW/$CARONI_ATTEMPT" >> {self._trace}
            while [ ! -e {self._go} ]; do sleep 0.05; done
            [ ! -e {self._fails} ]
            printf 'jobout=%s\\n' "$CARONI_ENV_message" >> "$CARONI_OUTPUTS"
        """
        facts = {"name": "note", "inputs": {"message": "string"}, "outputs": {"jobout": "string"}, "script": script}
        (self.types / "note.yaml").write_text(yaml.safe_dump(facts))

    def once(self) -> None:
        """Let the job type be one that may not be repeated by itself."""
        path = self.types / "note.yaml"
        path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "repeat": False}))

    def go_on(self, *, fails: bool = False) -> None:
        """Let the jobs end."""
        if fails:
            self._fails.touch()
        self._go.touch()

    def runs(self) -> list[str]:
        """Return `workflow/attempt` of each start, sorted."""
        return sorted(self._trace.read_text().split()) if self._trace.exists() else []


def start(manager: Daemon, workflow: str) -> None:
    """Start a workflow by the API."""
    body = {"template": "one", "inputs": {"message": workflow}, "id": workflow}
    assert manager.post("/api/workflows", body).status_code == 201


def wait_completed(manager: Daemon, count: int) -> None:
    """Wait until so many workflows have completed."""
    path = "/api/workflows?status=completed&limit=1000"

    def completed() -> bool:
        return len(manager.get(path)["workflows"]) == count

    wait_until(completed, 120, f"{count} workflows to complete", every_s=LOOK_EVERY_S)
