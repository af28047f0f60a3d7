"""Jobs that may not be run twice by themselves (`repeat: false`)."""

import yaml

from tests.e2e.daemons import CONFIG, Fleet
from tests.support import wait_until


def test_a_failure_that_was_seen_fails_the_workflow_at_once(fleet: Fleet) -> None:
    types = fleet.directory / "once"
    types.mkdir()
    facts = yaml.safe_load((CONFIG / "jobtypes" / "foojob0.yaml").read_text())
    facts.pop("command", None)
    (types / "foojob0.yaml").write_text(yaml.safe_dump({**facts, "script": "exit 1", "repeat": False}))
    fleet.manager()
    fleet.agent(job_types=str(types))
    fleet.trigger({"template": "test_simple", "id": "once", "inputs": {"message": "x"}})
    wait_until(lambda: fleet.of("once", "caroni.workflow.failed"), what="the end")
    (failed,) = fleet.of("once", "caroni.step.failed")
    assert (failed["attempt"], failed["exit_code"]) == (1, 1)
    assert failed["reason"] == "exit status 1; its job type is never run again by itself (repeat: false)"
    assert not fleet.of("once", "caroni.step.retried")
