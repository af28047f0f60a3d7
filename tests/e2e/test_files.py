"""Files that travel inside values: from a trigger through jobs on two hosts, to the outputs of the workflow."""

import json
import subprocess
from hashlib import sha1, sha256
from pathlib import Path
from typing import Any

from caroni_edge.objects.objects import Object
from caroni_edge.values import directories
from caroni_edge.values.carried import directory_value, file_value, object_value
from caroni_edge.values.directories import Entry
from caroni_edge.values.large import large_value
from caroni_edge.values.parsing import parse_type
from tests.certificates import make_certificates
from tests.e2e.daemons import PROGRAM, TOKEN, Daemon, Fleet
from tests.filehost import file_host
from tests.support import free_port, wait_until

BYTES = bytes(range(200, 216))

TEMPLATE = """\
cwlVersion: v1.2
class: Workflow
$namespaces: {caroni: "urn:caroni:cwl#"}
requirements: {ScatterFeatureRequirement: {}, StepInputExpressionRequirement: {}}
inputs: {photos: "File[]"}
steps:
  small:
    scatter: image
    run: {class: Operation, inputs: {image: File, name: string}, outputs: {thumb: File}}
    hints: {caroni:JobType: {name: thumbnail}}
    in: {image: photos, name: {valueFrom: "$(inputs.image.nameroot)-small"}}
    out: [thumb]
  pack:
    run: {class: Operation, inputs: {files: "File[]"}, outputs: {archive: File, list: File}}
    hints: {caroni:JobType: {name: pack}}
    in: {files: small/thumb}
    out: [archive, list]
outputs:
  archive: {type: File, outputSource: pack/archive}
  list: {type: File, outputSource: pack/list}
"""
THUMBNAIL = """\
name: thumbnail
inputs: {image: File, name: string}
outputs: {thumb: File}
script: |
  head --bytes 4 "$CARONI_ENV_image" > "$CARONI_ENV_name"
  echo "thumb=$CARONI_ENV_name" >> "$CARONI_OUTPUTS"
"""
PACK = """\
name: pack
inputs: {files: "File[]"}
outputs: {archive: File, list: File}
interpreter: [python3]
script: |
  import json, os, pathlib
  files = [pathlib.Path(each["path"]) for each in json.loads(os.environ["CARONI_ENV_files"])]
  pathlib.Path("archive.bin").write_bytes(b"".join(each.read_bytes() for each in files))
  pathlib.Path("list.txt").write_text("".join(f"{each.name}\\n" for each in files))
  pathlib.Path(os.environ["CARONI_OUTPUTS"]).write_text("archive=archive.bin\\nlist=list.txt\\n")
"""


NIGHT = """\
cwlVersion: v1.2
class: Workflow
$namespaces: {caroni: "urn:caroni:cwl#"}
inputs: {stars: int}
steps:
  shoot:
    run: {class: Operation, inputs: {stars: int}, outputs: {image: File}}
    hints: {caroni:JobType: {name: shoot}}
    in: {stars: stars}
    out: [image]
  count:
    run: {class: Operation, inputs: {image: File}, outputs: {stars: int, report: File}}
    hints: {caroni:JobType: {name: count}}
    in: {image: shoot/image}
    out: [stars, report]
outputs:
  stars: {type: int, outputSource: count/stars}
  report: {type: File, outputSource: count/report}
  image: {type: File, outputSource: shoot/image}
"""
SHOOT = """\
name: shoot
inputs: {stars: int}
outputs: {image: File}
script: |
  yes star | head --lines "$CARONI_ENV_stars" > m31.fits
  echo image=m31.fits >> "$CARONI_OUTPUTS"
"""
COUNT = """\
name: count
inputs: {image: File}
outputs: {stars: int, report: File}
script: |
  stars=$(grep --count star "$CARONI_ENV_image")
  echo "$stars stars" > report.txt
  echo "stars=$stars" >> "$CARONI_OUTPUTS"
  echo report=report.txt >> "$CARONI_OUTPUTS"
"""
STARS = 300_000
IMAGE = b"star\n" * STARS


def written(path: Path, text: str) -> str:
    """Write a file, and return its directory."""
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return str(path.parent)


def test_files_go_from_host_to_host_inside_values(any_fleet: Fleet, tmp_path: Path) -> None:
    any_fleet.agent("a1", job_types=written(tmp_path / "t1" / "thumbnail.yaml", THUMBNAIL))
    any_fleet.agent("a2", job_types=written(tmp_path / "t2" / "pack.yaml", PACK))
    manager = any_fleet.manager(templates=written(tmp_path / "templates" / "album.cwl", TEMPLATE))
    photos = [{"class": "File", "basename": "m31.txt", "contents": "spiral"}, file_value("m42.bin", BYTES)]
    any_fleet.trigger({"template": "album", "inputs": {"photos": photos}, "id": "w1"})
    assert any_fleet.outputs("w1") == {
        "archive": file_value("archive.bin", b"spir" + BYTES[:4]),
        "list": file_value("list.txt", b"m31-small\nm42-small\n"),
    }
    assert manager.get("/api/workflows/w1")["steps"]["pack"]["agent"] == "a2"


def test_a_file_that_lies_elsewhere_is_refused_in_words(fleet: Fleet, tmp_path: Path) -> None:
    fleet.manager(templates=written(tmp_path / "templates" / "album.cwl", TEMPLATE))
    photos = [{"class": "File", "location": "ftp://example.org/m31.fits"}]
    fleet.trigger({"template": "album", "inputs": {"photos": photos}, "id": "w1"})
    [refused] = wait_until(fleet.rejections, what="the trigger to be refused")
    assert "a file that lies elsewhere" in refused["reason"]


def image() -> dict[str, Any]:
    """Return the value of the file that STARS stars give."""
    found = Object(sha256(IMAGE).hexdigest(), len(IMAGE))
    return object_value("m31.fits", found, sha1(IMAGE, usedforsecurity=False).hexdigest())


TWICE = """\
cwlVersion: v1.2
class: Workflow
$namespaces: {caroni: "urn:caroni:cwl#"}
inputs: {image: File}
steps:
  twice:
    run: {class: Operation, inputs: {image: File}, outputs: {both: File}}
    hints: {caroni:JobType: {name: twice}}
    in: {image: image}
    out: [both]
outputs:
  both: {type: File, outputSource: twice/both}
"""
TWICE_JOB = """\
name: twice
inputs: {image: File}
outputs: {both: File}
script: |
  cat "$CARONI_ENV_image" "$CARONI_ENV_image" > both.fits
  echo both=both.fits >> "$CARONI_OUTPUTS"
"""


def caroni_edge(manager: Daemon, *words: str) -> str:
    """Run a command on a manager's API, and return what it prints."""
    command = [*PROGRAM, *words, "--timeout", "5m", "--url", manager.url, "--token", TOKEN]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_large_file_goes_from_a_person_to_a_job_and_what_that_gives_comes_back(fleet: Fleet, tmp_path: Path) -> None:
    fleet.agent("a1", job_types=written(tmp_path / "t1" / "twice.yaml", TWICE_JOB))
    manager = fleet.manager(templates=written(tmp_path / "templates" / "twice.cwl", TWICE))
    (tmp_path / "m31.fits").write_bytes(IMAGE)
    caroni_edge(manager, "submit", "twice", "--id", "w1", "--file", f"image={tmp_path}/m31.fits", "--wait")
    assert caroni_edge(manager, "fetch", "w1", "both", "-o", str(tmp_path / "here")) == f"{tmp_path}/here/both.fits\n"
    assert (tmp_path / "here" / "both.fits").read_bytes() == IMAGE * 2


def test_a_file_at_an_address_goes_to_an_agent_that_may_fetch_it(fleet: Fleet, tmp_path: Path) -> None:
    with file_host() as host:
        host.files = {"/m31.fits": IMAGE}
        other = fleet.agent("a1", job_types=written(tmp_path / "t1" / "twice.yaml", TWICE_JOB))
        fleet.agent("a2", job_types=str(tmp_path / "t1"), files={"hosts": [host.authority]})
        manager = fleet.manager(templates=written(tmp_path / "templates" / "twice.cwl", TWICE))
        wait_until(lambda: len(manager.get("/api/agents")["agents"]) == 2, what="both agents to be known")
        checksum = f"sha256${sha256(IMAGE).hexdigest()}"
        file = {"class": "File", "location": host.url("/m31.fits"), "checksum": checksum}
        fleet.trigger({"template": "twice", "inputs": {"image": file}, "id": "w1"})
        assert fleet.outputs("w1", 300.0)["both"]["size"] == 2 * len(IMAGE)
        assert manager.get("/api/workflows/w1")["steps"]["twice"]["agent"] == "a2"
        assert other.get("/api/refusals")["recent"] == []


def both(path: Path) -> str:
    """Write both job types of a night."""
    written(path / "shoot.yaml", SHOOT)
    (path / "count.yaml").write_text(COUNT)
    return str(path)


def test_a_large_file_stays_on_its_host_and_steps_come_to_it(any_fleet: Fleet, tmp_path: Path) -> None:
    any_fleet.agent("a1", job_types=both(tmp_path / "t1"))
    any_fleet.agent("a2", job_types=written(tmp_path / "t2" / "count.yaml", COUNT))
    manager = any_fleet.manager(templates=written(tmp_path / "templates" / "night.cwl", NIGHT))
    for number in range(3):
        any_fleet.trigger({"template": "night", "inputs": {"stars": STARS}, "id": f"n{number}"})
    for number in range(3):
        assert any_fleet.outputs(f"n{number}") == {
            "stars": STARS,
            "report": file_value("report.txt", f"{STARS} stars\n".encode()),
            "image": image(),
        }
        steps = manager.get(f"/api/workflows/n{number}")["steps"]
        assert {step["agent"] for step in steps.values()} == {"a1"}


def test_a_large_file_goes_to_the_host_whose_job_takes_it(fleet: Fleet, tmp_path: Path) -> None:
    fleet.agent("a1", job_types=written(tmp_path / "t1" / "shoot.yaml", SHOOT))
    fleet.agent("a2", job_types=written(tmp_path / "t2" / "count.yaml", COUNT))
    manager = fleet.manager(templates=written(tmp_path / "templates" / "night.cwl", NIGHT))
    fleet.trigger({"template": "night", "inputs": {"stars": STARS}, "id": "n1"})
    assert fleet.outputs("n1", 120.0) == {
        "stars": STARS,
        "report": file_value("report.txt", f"{STARS} stars\n".encode()),
        "image": image(),
    }
    steps = manager.get("/api/workflows/n1")["steps"]
    assert {name: step["agent"] for name, step in steps.items()} == {"shoot": "a1", "count": "a2"}


def test_a_large_file_goes_straight_to_a_host_that_may_fetch_it_there(fleet: Fleet, tmp_path: Path) -> None:
    made, port = make_certificates(tmp_path / "tls", "IP:127.0.0.1"), free_port()
    web = {"port": port, "cert_file": str(made.certificate), "key_file": str(made.key)}
    url = f"https://127.0.0.1:{port}"
    giving = fleet.agent("a1", job_types=written(tmp_path / "t1" / "shoot.yaml", SHOOT), web=web, files={"url": url})
    files = {"hosts": [f"127.0.0.1:{port}"], "ca_file": str(made.ca)}
    asking = fleet.agent("a2", job_types=written(tmp_path / "t2" / "count.yaml", COUNT), files=files)
    fleet.manager(templates=written(tmp_path / "templates" / "night.cwl", NIGHT))
    fleet.trigger({"template": "night", "inputs": {"stars": STARS}, "id": "n1"})
    assert fleet.outputs("n1", 300.0)["stars"] == STARS
    asked = [line for line in giving.ask("/metrics").text.splitlines() if "/objects/{name" in line and "_count" in line]
    # On a machine that stood still for seconds it came over the broker.
    assert [line.rpartition(" ")[2] for line in asked] == ["1.0"] or "timed out" in asking.log, asked


def test_a_step_whose_file_lies_on_a_host_that_is_away_waits_and_says_so(fleet: Fleet, tmp_path: Path) -> None:
    first = fleet.agent("a1", job_types=written(tmp_path / "t1" / "shoot.yaml", SHOOT))
    manager = fleet.manager(templates=written(tmp_path / "templates" / "night.cwl", NIGHT))
    fleet.trigger({"template": "night", "inputs": {"stars": STARS}, "id": "n1"})
    wait_until(lambda: fleet.of("n1", "caroni.step.completed"), what="the image")
    first.stop()

    def why() -> str:
        return json.dumps(manager.get("/api/workflows/n1/steps/count/why"))

    second = fleet.agent("a2", job_types=written(tmp_path / "t2" / "count.yaml", COUNT))
    waits = 'once it has fetched the file \\"m31.fits\\" (1.5 MB) from agent a1 (offline since'
    wait_until(lambda: waits in why(), what="the step to wait for the host that has its file")
    [job] = second.get("/api/jobs")["jobs"]
    assert job["status"] == "staging"
    first.start()
    assert fleet.outputs("n1", 120.0)["stars"] == STARS


def test_a_file_is_taken_by_the_agent_that_follows_one_that_was_killed(fleet: Fleet, tmp_path: Path) -> None:
    go = tmp_path / "go"
    slow = SHOOT.replace(
        "  echo image", f"  touch {tmp_path}/begun; while [ ! -e {go} ]; do sleep 0.05; done\n  echo image"
    )
    agent = fleet.agent("a1", job_types=both(tmp_path / "t1"))
    (tmp_path / "t1" / "shoot.yaml").write_text(slow)
    agent.stop()
    agent.start()
    fleet.manager(templates=written(tmp_path / "templates" / "night.cwl", NIGHT))
    fleet.trigger({"template": "night", "inputs": {"stars": STARS}, "id": "n1"})
    wait_until((tmp_path / "begun").exists, what="the job to begin")
    agent.kill()
    go.touch()
    agent.start()
    assert fleet.outputs("n1")["image"] == image()


FOLDERS = """\
cwlVersion: v1.2
class: Workflow
$namespaces: {caroni: "urn:caroni:cwl#"}
inputs: {}
steps:
  observe:
    run: {class: Operation, inputs: {}, outputs: {night: Directory, notes: Directory}}
    hints: {caroni:JobType: {name: observe}}
    in: {}
    out: [night, notes]
  list:
    run: {class: Operation, inputs: {night: Directory, notes: Directory}, outputs: {found: string}}
    hints: {caroni:JobType: {name: list}}
    in: {night: observe/night, notes: observe/notes}
    out: [found]
outputs:
  found: {type: string, outputSource: list/found}
  night: {type: Directory, outputSource: observe/night}
"""
OBSERVE = """\
name: observe
outputs: {night: Directory, notes: Directory}
script: |
  mkdir -p night/raw night/empty notes
  yes star | head --lines 300000 > night/raw/m31.fits
  printf '#!/bin/sh\\necho ran' > night/run; chmod +x night/run
  echo clear > notes/sky
  printf 'night=night\\nnotes=notes\\n' >> "$CARONI_OUTPUTS"
"""
LIST = """\
name: list
inputs: {night: Directory, notes: Directory}
outputs: {found: string}
script: |
  cd "$CARONI_ENV_night"
  found="$(find . | sort | xargs) $(grep --count star raw/m31.fits)"
  echo "found=$found $(./run) $(cat "$CARONI_ENV_notes/sky")" >> "$CARONI_OUTPUTS"
"""


def test_directories_go_to_the_host_whose_job_takes_them_and_to_people(fleet: Fleet, tmp_path: Path) -> None:
    fleet.agent("a1", job_types=written(tmp_path / "t1" / "observe.yaml", OBSERVE))
    fleet.agent("a2", job_types=written(tmp_path / "t2" / "list.yaml", LIST))
    manager = fleet.manager(templates=written(tmp_path / "templates" / "folders.cwl", FOLDERS))
    fleet.trigger({"template": "folders", "inputs": {}, "id": "f1"})
    outputs = fleet.outputs("f1", 120.0)
    assert outputs["found"] == f". ./empty ./raw ./raw/m31.fits ./run {STARS} ran clear"
    run = b"#!/bin/sh\necho ran"
    entries = [
        Entry("empty/"),
        Entry("raw/m31.fits", False, Object(sha256(IMAGE).hexdigest(), len(IMAGE))),
        Entry("run", True, Object(sha256(run).hexdigest(), len(run))),
    ]
    listing = directories.written(entries)
    assert outputs["night"] == directory_value("night", Object(sha256(listing).hexdigest(), len(listing)))
    here = tmp_path / "here"
    assert caroni_edge(manager, "fetch", "f1", "night", "-o", str(here)) == f"{here}/night\n"
    assert {str(path.relative_to(here)) for path in here.rglob("*")} == {
        "night",
        *(f"night/{path}" for path in ("empty", "raw", "raw/m31.fits", "run")),
    }
    assert (here / "night/raw/m31.fits").read_bytes() == IMAGE
    assert subprocess.run([here / "night/run"], capture_output=True, check=True).stdout == b"ran\n"


NIGHT_LIST = """\
cwlVersion: v1.2
class: Workflow
$namespaces: {caroni: "urn:caroni:cwl#"}
inputs: {night: Directory, notes: Directory}
steps:
  list:
    run: {class: Operation, inputs: {night: Directory, notes: Directory}, outputs: {found: string}}
    hints: {caroni:JobType: {name: list}}
    in: {night: night, notes: notes}
    out: [found]
outputs: {found: {type: string, outputSource: list/found}}
"""


def test_a_directory_goes_from_a_person_to_a_job_and_again_to_one_that_is_run_again(
    fleet: Fleet, tmp_path: Path
) -> None:
    fleet.agent("a1", job_types=written(tmp_path / "t1" / "list.yaml", LIST))
    manager = fleet.manager(templates=written(tmp_path / "templates" / "list.cwl", NIGHT_LIST))
    night, notes = tmp_path / "night", tmp_path / "notes"
    for path in (night / "raw", night / "empty", notes):
        path.mkdir(parents=True)
    (night / "raw" / "m31.fits").write_bytes(IMAGE)
    (night / "run").write_text("#!/bin/sh\necho ran")
    (night / "run").chmod(0o755)
    (notes / "sky").write_text("clear")
    given = ["--file", f"night={night}", "--file", f"notes={notes}"]
    out = caroni_edge(manager, "submit", "list", "--id", "w1", *given, "--wait")
    found = {"found": f". ./empty ./raw ./raw/m31.fits ./run {STARS} ran clear"}
    assert json.loads(out) == found
    manager.post("/api/workflows/w1/rerun", {"id": "w2"})
    assert fleet.outputs("w2", 120.0) == found


CHAIN = """\
cwlVersion: v1.2
class: Workflow
$namespaces: {caroni: "urn:caroni:cwl#"}
inputs: {count: int}
steps:
  make:
    run: {class: Operation, inputs: {count: int}, outputs: {numbers: "int[]"}}
    hints: {caroni:JobType: {name: numbers}}
    in: {count: count}
    out: [numbers]
  turn:
    run: {class: Operation, inputs: {numbers: "int[]"}, outputs: {numbers: "int[]"}}
    hints: {caroni:JobType: {name: turn}}
    in: {numbers: make/numbers}
    out: [numbers]
  sum:
    run: {class: Operation, inputs: {numbers: "int[]"}, outputs: {first: int, sum: long}}
    hints: {caroni:JobType: {name: sum}}
    in: {numbers: turn/numbers}
    out: [first, sum]
outputs:
  first: {type: int, outputSource: sum/first}
  sum: {type: long, outputSource: sum/sum}
  numbers: {type: "int[]", outputSource: turn/numbers}
"""
NUMBERS = """\
name: numbers
inputs: {count: int}
outputs: {numbers: "int[]"}
limits: {output: 16M}
interpreter: [python3]
script: |
  import json, os
  numbers = list(range(int(os.environ["CARONI_ENV_count"])))
  open(os.environ["CARONI_OUTPUTS"], "w").write(json.dumps({"numbers": numbers}))
"""
WORK_ON_NUMBERS = """\
name: NAME
inputs: {numbers: "int[]"}
outputs: OUTPUTS
limits: {output: 16M}
interpreter: [python3]
script: |
  import json, os
  numbers = json.load(open(os.environ["CARONI_INPUTS"]))["numbers"]
  json.dump(GIVEN, open(os.environ["CARONI_OUTPUTS"], "w"))
"""


def test_a_value_of_5_mb_flows_through_a_chain_of_three(fleet: Fleet, tmp_path: Path) -> None:
    turn = WORK_ON_NUMBERS.replace("NAME", "turn").replace("OUTPUTS", '{numbers: "int[]"}', 1)
    add = WORK_ON_NUMBERS.replace("NAME", "sum").replace("OUTPUTS", "{first: int, sum: long}", 1)
    first, second = written(tmp_path / "t1" / "numbers.yaml", NUMBERS), tmp_path / "t2" / "sum.yaml"
    (tmp_path / "t1" / "turn.yaml").write_text(turn.replace("GIVEN", '{"numbers": numbers[::-1]}'))
    fleet.agent("a1", job_types=first)
    fleet.agent("a2", job_types=written(second, add.replace("GIVEN", '{"first": numbers[0], "sum": sum(numbers)}')))
    fleet.manager(templates=written(tmp_path / "templates" / "chain.cwl", CHAIN))
    count = 750_000
    fleet.trigger({"template": "chain", "inputs": {"count": count}, "id": "c1"})
    outputs = fleet.outputs("c1", 120.0)
    turned = json.dumps([*range(count)][::-1], separators=(",", ":")).encode()
    assert len(turned) > 5_000_000
    assert outputs == {
        "first": count - 1,
        "sum": count * (count - 1) // 2,
        "numbers": large_value(Object(sha256(turned).hexdigest(), len(turned)), parse_type("int[]")),
    }
