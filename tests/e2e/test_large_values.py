"""Large values into which a manager looks: it fetches them from the host that has made them, and takes them apart."""

import json
from hashlib import sha256
from pathlib import Path

from tests.e2e.daemons import Fleet
from tests.e2e.test_files import written

TEMPLATE = """\
cwlVersion: v1.2
class: Workflow
$namespaces: {caroni: "urn:caroni:cwl#"}
requirements: {ScatterFeatureRequirement: {}, MultipleInputFeatureRequirement: {}}
inputs: {count: int}
steps:
  make:
    run: {class: Operation, inputs: {count: int}, outputs: {chunks: "int[][]", flags: "boolean[]"}}
    hints: {caroni:JobType: {name: chunks}}
    in: {count: count}
    out: [chunks, flags]
  add:
    scatter: chunk
    when: $(inputs.flags[7])
    run: {class: Operation, inputs: {chunk: "int[]"}, outputs: {sum: long}}
    hints: {caroni:JobType: {name: add}}
    in: {chunk: make/chunks, flags: make/flags}
    out: [sum]
outputs:
  sums: {type: "long[]", outputSource: add/sum}
  first: {type: "int[]", outputSource: make/chunks, pickValue: first_non_null}
  flags: {type: "boolean[]", outputSource: [make/flags, make/flags], linkMerge: merge_flattened}
"""
CHUNKS = """\
name: chunks
inputs: {count: int}
outputs: {chunks: "int[][]", flags: "boolean[]"}
limits: {output: 16M}
interpreter: [python3]
script: |
  import json, os
  chunks = [list(range(at, at + 90_000)) for at in range(int(os.environ["CARONI_ENV_count"]))]
  given = {"chunks": chunks, "flags": [True] * 10_000}
  open(os.environ["CARONI_OUTPUTS"], "w").write(json.dumps(given))
"""
ADD = """\
name: add
inputs: {chunk: "int[]"}
outputs: {sum: long}
interpreter: [python3]
script: |
  import json, os
  chunk = json.load(open(os.environ["CARONI_INPUTS"]))["chunk"]
  print(json.dumps({"sum": sum(chunk)}))
"""
COUNT, LONG = 10, 90_000


def test_a_step_is_scattered_over_a_value_of_5_mb_that_is_on_another_host(fleet: Fleet, tmp_path: Path) -> None:
    fleet.agent("a1", job_types=written(tmp_path / "t1" / "chunks.yaml", CHUNKS))
    fleet.agent("a2", job_types=written(tmp_path / "t2" / "add.yaml", ADD))
    fleet.manager(templates=written(tmp_path / "templates" / "sums.cwl", TEMPLATE))
    fleet.trigger({"template": "sums", "inputs": {"count": COUNT}, "id": "w1"})
    sums = [sum(range(at, at + LONG)) for at in range(COUNT)]
    found = fleet.outputs("w1", 120.0)
    assert found["sums"] == sums
    first = json.dumps([*range(LONG)], separators=(",", ":"))
    flags = json.dumps([True] * 20_000, separators=(",", ":"))
    for name, text, kind in (("first", first, "int[]"), ("flags", flags, "boolean[]")):
        location = f"caroni:sha256:{sha256(text.encode()).hexdigest()}"
        assert found[name] == {"location": location, "size": len(text), "type": kind}
