"""What jobs need of a host beside a slot: `needs` and `parallel` of a job type, and `resources` of the host."""

from collections.abc import Mapping

from caroni_edge.config.units import amount, amount_text
from caroni_edge.documents.documents import Findings, nearest
from caroni_edge.protocol.fields import is_segment
from caroni_edge.values.json import shown

NEEDS, PARALLEL = "needs", "parallel"


def read_needs(value: Mapping[str, object], findings: Findings) -> dict[str, int]:
    """Return what stands below `needs`; what is wrong is noted."""
    needs: dict[str, int] = {}
    for name, given in value.items():
        if not is_segment(name):
            findings.error(f"{shown(name)} cannot name a resource: write 1 to 40 of a-z 0-9 _ -", NEEDS, name)
            continue
        try:
            needs[name] = amount(given)
        except ValueError as error:
            findings.error(f"{name}: {error}", NEEDS, name)
        else:
            if not needs[name]:
                findings.error(f"{name}: 0 would need nothing; leave it out", NEEDS, name)
    return needs


def read_parallel(value: object, findings: Findings) -> int | None:
    """Return what `parallel` says, None where it is not given; what is wrong is noted."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        findings.error(f"expected a whole number from 1 on, got {shown(value)}", PARALLEL)
        return None
    return value


def more_than_there_is(needs: Mapping[str, int], resources: Mapping[str, int]) -> str:
    """Return why no job with these needs can ever start on a host with these resources; empty where one can."""
    for name, count in needs.items():
        if name not in resources:
            near = nearest(name, resources)
            return f"its jobs need {name}, which the agent's configuration does not name under resources{near}"
        if count > resources[name]:
            there = amount_text(resources[name])
            return f"its jobs need {name}: {amount_text(count)}, and the agent's configuration has {name}: {there}"
    return ""
