"""Says of every key of the files that people write what it is, for docs/reference."""

import json
from collections.abc import Iterable, Iterator

from caroni_edge.agent import jobtype_keys
from caroni_edge.config.key import Key
from caroni_edge.config.keys import AGENT_KEYS, MANAGER_KEYS, NAMES, SWITCHES
from caroni_edge.config.kinds import NEVER, Kind
from caroni_edge.config.sources import PREFIX

ROLES = {"manager": MANAGER_KEYS, "agent": AGENT_KEYS}
ARTICLES = {"manager": "a", "agent": "an"}
ABOUT = f"""\
`{"`, `".join(SWITCHES)}` may be `false`: then it is off; that counts from the next start on.

**SIGHUP** (`systemctl reload`) reads the whole file anew, with the files that it names. *anew*: the new value is in
force then. *start*: it counts from the next start on, and the log says so. Where anything is wrong, all stays as it
was, and the log says why.

**The environment** comes before the file; an empty variable counts as not set. What is no text is written as YAML:
`{PREFIX}BROKER__URL='["mqtts://a.example", "mqtts://b.example"]'`. A variable with a secret also replaces
the file of that secret, and the other way round.
"""


def node_file(role: str) -> str:
    """Return the page about `manager.yaml` or `agent.yaml`."""
    keys = ROLES[role]
    lines = [
        f"# {role}.yaml",
        "",
        f"Every key of the configuration of {ARTICLES[role]} {role}.",
        f"[config/{role}.yaml](../../config/{role}.yaml) is an example with comments. Dots are levels: `broker.url` is",
        "`url` below `broker`; a part in capitals is any name.",
        f"Unknown keys are errors; `caroni-edge check-config {role}.yaml` names all that is wrong, each with its line.",
        "",
        *table(["key", "takes", "without it", "what it means", "SIGHUP", "from the environment"], rows(keys)),
        "",
        ABOUT,
        "## Values",
        "",
        *table(["what", "is written"], values({key.kind for key in keys})),
    ]
    return "\n".join(lines) + "\n"


def rows(keys: Iterable[Key]) -> Iterator[list[str]]:
    """Yield what is said of each key."""
    for key in keys:
        yield [
            f"`{key.name}`",
            key.kind.name,
            without(key),
            key.doc,
            "start" if key.at_start else "anew",
            f"`{variable(key)}`",
        ]


def without(key: Key) -> str:
    """Return what holds where a key is not given."""
    if key.required:
        return "**it must be given**"
    if key.default is not None:
        return f"`{key.default if isinstance(key.default, str) else json.dumps(key.default)}`"
    return f"what `{key.gives}` says" if key.gives else key.otherwise


def variable(key: Key) -> str:
    """Return the variable that can set a key."""
    return PREFIX + "__".join(f"<{part}>" if part in NAMES else part.upper() for part in key.name.split("."))


def values(kinds: set[Kind]) -> Iterator[list[str]]:
    """Yield how the kinds of values are written, of which their names do not say it."""
    written = {kind.name.removesuffix(f" or {NEVER}"): kind.written for kind in kinds}
    yield from ([name, written[name]] for name in sorted(written) if written[name])


def job_type_file() -> str:
    """Return the part about keys of the page about job types."""
    said = ([f"`{key.name}`", key.takes, key.otherwise or "**it must be given**", key.doc] for key in jobtype_keys.KEYS)
    return "\n".join(["## Keys", "", *table(["key", "takes", "without it", "what it means"], said)]) + "\n"


def table(head: list[str], body: Iterable[list[str]]) -> Iterator[str]:
    """Yield the lines of a table."""
    yield f"| {' | '.join(head)} |"
    yield "|---" * len(head) + "|"
    for cells in body:
        yield f"| {' | '.join(cells)} |"
