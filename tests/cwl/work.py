#!/usr/bin/env -S python3 -IS
"""The jobs of the cases: a function for each job type, which cwltool runs as a command line tool.

As a program: `work.py JOB_TYPE inputs=JSON`; the outputs go to `cwl.output.json`.
"""

import json
import sys
from collections.abc import Mapping
from typing import Any


class JobFailed(Exception):
    """The job ends with an error."""


def do(job_type: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Do a job.

    Raises:
        JobFailed: It is a `fussy` one, and was given "bad".
    """
    given = {name: value for name, value in sorted(inputs.items()) if value is not None}
    match job_type:
        case "join":  # names all that it is given, so that every difference can be seen at the end
            return {"out": f"({'+'.join(json.dumps(value, sort_keys=True) for value in given.values())})"}
        case "split":
            return {"out": list(given["text"])}
        case "measure":
            size = len(given["text"])
            return {"size": size, "even": size % 2 == 0, "fact": {"text": given["text"], "sizes": [size, size + 1]}}
        case "maybe":
            return {"out": None if given["text"].startswith("n") else given["text"].upper()}
        case "fussy":
            if given["text"] == "bad":
                raise JobFailed
            return {"out": given["text"] + "!"}
    raise ValueError(job_type)


def main() -> int:
    """Do the job that the command line names."""
    try:
        outputs = do(sys.argv[1], json.loads(sys.argv[2].removeprefix("inputs=")))
    except JobFailed:
        return 1
    with open("cwl.output.json", "w", encoding="utf-8") as file:
        json.dump(outputs, file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
