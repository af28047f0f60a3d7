"""Every key of a job type's file, as data: what reads such files and the reference take them from here."""

from dataclasses import dataclass
from typing import Final

from caroni_edge.protocol.messages import VALUES_LIMIT_BYTES
from caroni_edge.values.large import LARGE_MAX_BYTES

INTERPRETER: Final = ("/bin/bash", "-e")
LOG_LIMIT_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class JobTypeKey:
    """One key of a job type's file.

    Attributes:
        name: Dotted, where it stands in a section.
        takes: What values it takes.
        doc: What it means, in a sentence.
        otherwise: What holds without it; empty where it must be given.
    """

    name: str
    takes: str
    doc: str
    otherwise: str = ""


KEYS: Final = (
    JobTypeKey("name", "1 to 40 of `a-z 0-9 _ -`", "What managers ask for; each on a host has its own."),
    JobTypeKey("inputs", "names and types", "What a job is given: `{message: string, image: File}`.", "nothing"),
    JobTypeKey("outputs", "names and types", "What a job must give, or its attempt has failed.", "nothing"),
    JobTypeKey(
        "script",
        "text",
        "What a job runs: the interpreter gets it as a file. Inputs are variables, and never part of the text.",
        "`command` must be given",
    ),
    JobTypeKey(
        "command",
        "list of a program and its arguments",
        "What a job runs. A program with a slash in its name is looked for from the folder of this file.",
        "`script` must be given",
    ),
    JobTypeKey(
        "interpreter",
        "list of a program and its arguments",
        "What runs the script; the path of the script's file follows its arguments.",
        f"`[{', '.join(INTERPRETER)}]`",
    ),
    JobTypeKey(
        "environment",
        "names and texts",
        "Variables of a job, beside those that every job has; none begins with `CARONI_`.",
        "none",
    ),
    JobTypeKey("limits.timeout", "duration", "How long a job may run; then it is ended, and has failed.", "for ever"),
    JobTypeKey(
        "limits.memory",
        "size",
        "How much memory all processes of a job may have together, and how much address space each of them; a job "
        "that has more is ended.",
        "no limit",
    ),
    JobTypeKey(
        "limits.output",
        f"size, to {LARGE_MAX_BYTES >> 20}M",
        "How large the outputs of a job may be together, as JSON; what is in large files is not among it.",
        f"{VALUES_LIMIT_BYTES >> 10}K",
    ),
    JobTypeKey(
        "limits.log",
        "size",
        "How large a job's standard error may become, and its standard output; one that writes more is ended.",
        f"{LOG_LIMIT_BYTES >> 20}M",
    ),
    JobTypeKey("limits.nice", "whole number from 0 to 19", "How polite a job is; 19 is the politest.", "as the agent"),
    JobTypeKey(
        "repeat",
        "true or false",
        "Whether it may be run again by itself once it may have begun. With `false` a failure fails the step at once, "
        "and an end that nobody saw waits for `retry`.",
        "true",
    ),
    JobTypeKey(
        "secrets",
        "names, each with `{file: PATH}` or `{credential: NAME}`",
        "What a job gets as `CARONI_SECRET_NAME`: text of a file of the host, or of a credential that systemd hands to "
        "the agent (`LoadCredential=`), read at each start. It is taken out of what the job writes, and shown nowhere.",
        "none",
    ),
    JobTypeKey(
        "needs",
        "names, each with a whole number or a size",
        "What a job holds while it runs, of the `resources` of the agent's configuration, as in `{camera: 1, memory: "
        "4G}`; it starts when that is free.",
        "nothing but a slot",
    ),
    JobTypeKey(
        "parallel",
        "whole number from 1",
        "How many jobs of this type may run on this host at a time.",
        "as many as slots",
    ),
    JobTypeKey(
        "sandbox.each",
        "true or false",
        "A box for each job: it sees programs, its own directory, and what `read` and `write` name. `sandbox: off` in "
        "the place of the section locks the jobs into nothing.",
        "the box that the agent's jobs share",
    ),
    JobTypeKey("sandbox.network", "true or false", "With `false` a job has no network; it means `each`.", "true"),
    JobTypeKey("sandbox.read", "list of paths", "What a job sees beside that; it means `each`.", "nothing"),
    JobTypeKey("sandbox.write", "list of paths", "What it sees and may change; it means `each`.", "nothing"),
    JobTypeKey(
        "sandbox.processes",
        "whole number from 1",
        "How many processes there may be of a job; one that has more is ended.",
        "no bound",
    ),
    JobTypeKey(
        "sandbox.disk",
        "size",
        "How much space the directory of a job may take, and how large a file that it writes may become, wherever that "
        "lies; a job that takes more is ended.",
        "no bound",
    ),
)


def names(section: str = "") -> tuple[str, ...]:
    """Return the keys and sections at the top of the file, or the keys in a section."""
    if section:
        return tuple(key.name.removeprefix(f"{section}.") for key in KEYS if key.name.startswith(f"{section}."))
    return tuple(dict.fromkeys(key.name.partition(".")[0] for key in KEYS))
