"""Secrets of jobs on real daemons: what is nowhere, and a secret that is missing and comes."""

import base64
import signal
from pathlib import Path
from typing import Any

from tests.e2e.daemons import Fleet
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
