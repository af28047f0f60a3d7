"""`cwl-run`: what it prints, and what it exits with, where no job is run."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from caroni_edge import cli
from caroni_edge.values.carried import file_value

BACK = "inputs: {a: string, b: {type: int, default: 3}}\noutputs: {x: {type: string, outputSource: a}, "
BACK += "y: {type: int, outputSource: b}}\nsteps: {}\n"


def write(directory: Path, name: str, text: str) -> Path:
    path = directory / name
    path.write_text(text)
    return path


def flow(directory: Path, text: str = BACK, name: str = "flow.cwl") -> Path:
    return write(directory, name, f"cwlVersion: v1.2\nclass: Workflow\n{text}")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli.main, ["cwl-run", *map(str, arguments)])


def test_outputs_are_printed_as_json(tmp_path: Path) -> None:
    job = write(tmp_path, "job.yml", "a: hello\nother: 1\ncwl:requirements: []\n")
    done = run(flow(tmp_path), job)
    assert (json.loads(done.stdout), done.exit_code) == ({"x": "hello", "y": 3}, 0)
    assert done.stderr == f'{job}: warning: the workflow has no input "other"\n'
    assert run("--quiet", "--outdir=/nowhere", flow(tmp_path).as_uri(), job.as_uri()).stderr == ""


def test_a_part_of_a_file_is_run(tmp_path: Path) -> None:
    both = ", ".join(
        f"{{class: Workflow, id: {name}, inputs: {{}}, outputs: {{}}, steps: {{}}, label: {name}}}" for name in "ab"
    )
    path = write(tmp_path, "both.cwl", f"cwlVersion: v1.2\n$graph: [{both}]\n")
    assert (run(path).exit_code, run(f"{path}#b").stdout, run(f"{path}#c").exit_code) == (2, "{}\n", 2)


@pytest.mark.parametrize(
    ("text", "exit_code", "said"),
    [
        (
            "inputs: {a: {type: File, default: {class: File, path: b}}}\noutputs: {}\nsteps: {}\n",
            33,
            'a file that lies elsewhere ("b") is not served yet',
        ),
        ("inputs: {a: Fil}\noutputs: {}\nsteps: {}\n", 2, '"Fil" is no type'),
        (BACK, 1, "a is missing; it takes string"),
        (
            "inputs: {}\noutputs: {}\nsteps: {s: {in: {}, out: [], run: {class: Operation, inputs: {}, outputs: {}, "
            "hints: {caroni:JobType: {name: work}}}}}\n",
            2,
            "no job type is called work: --job-types names the folder that has it",
        ),
        (
            "inputs: {}\noutputs: {}\nsteps: {s: {in: {x: {default: 3}}, scatter: x, out: [], "
            "run: {class: Workflow, inputs: {x: Any}, outputs: {}, steps: {}}}}\n",
            1,
            "the workflow is failed: ",
        ),
    ],
)
def test_what_cannot_be_run_says_why(tmp_path: Path, text: str, exit_code: int, said: str) -> None:
    done = run(flow(tmp_path, text))
    assert (done.exit_code, done.stdout) == (exit_code, "")
    assert said in done.stderr


def test_inputs_are_names_and_values(tmp_path: Path) -> None:
    done = run(flow(tmp_path), write(tmp_path, "job.yml", "- a\n"))
    assert (done.exit_code, "a file of inputs is an object: names and values" in done.stderr) == (2, True)


FILES = """\
inputs: {one: File, folder: Directory}
outputs:
  one: {type: File, outputSource: one}
  folder: {type: Directory, outputSource: folder}
  all: {type: {type: array, items: File}, linkMerge: merge_nested, outputSource: [one, one]}
steps: {}
"""


def test_files_are_taken_along_and_written(tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for name in ("a.txt", "a.idx", "in/b.txt", "in/deep/c.txt"):
        write(tmp_path, name, name)
    one = {"class": "File", "location": "a.txt", "secondaryFiles": [{"class": "File", "path": "a.idx"}]}
    inputs = {"one": one, "folder": {"class": "Directory", "location": "in"}}
    job = write(tmp_path, "job.json", json.dumps(inputs))
    out = tmp_path / "out"
    outputs = json.loads(run("--outdir", out, flow(tmp_path, FILES), job).stdout)
    assert outputs["one"]["location"] == (out / "a.txt").as_uri()
    assert outputs["one"]["checksum"] == file_value("a.txt", b"a.txt")["checksum"]
    assert [each["path"] for each in outputs["one"]["secondaryFiles"]] == [str(out / "a.idx")]
    assert [each["basename"] for each in outputs["folder"]["listing"]] == ["b.txt", "deep"]
    assert [each["path"] for each in outputs["all"]] == [str(out / "1" / "a.txt"), str(out / "2" / "a.txt")]
    lying = {str(each.relative_to(out)): each.read_text() for each in out.rglob("*") if each.is_file()}
    assert lying["a.txt"] == "a.txt"
    assert lying["in/deep/c.txt"] == "in/deep/c.txt"
    assert json.loads(run(flow(tmp_path, FILES), job).stdout)["one"]["contents"] == "a.txt"


def test_files_that_belong_to_one_are_looked_for_beside_it(tmp_path: Path) -> None:
    text = "inputs: {a: {type: File, secondaryFiles: [.bai, ^.dict, .no?]}}\n"
    text += "outputs: {a: {type: File, outputSource: a}}\nsteps: {}\n"
    for name in ("a.bam", "a.bam.bai"):
        write(tmp_path, name, name)
    job = write(tmp_path, "job.json", json.dumps({"a": {"class": "File", "location": "a.bam"}}))
    said = run(flow(tmp_path, text), job).stderr
    assert 'the file "a.bam" comes without "a.dict", which is to be among its secondaryFiles' in said
    write(tmp_path, "a.dict", "x")
    found = json.loads(run(flow(tmp_path, text), job).stdout)["a"]
    assert [each["basename"] for each in found["secondaryFiles"]] == ["a.bam.bai", "a.dict"]


@pytest.mark.parametrize(
    ("location", "said"), [("absent", "cannot be read: No such file"), ("large", "has more than 16 KiB")]
)
def test_a_file_that_cannot_be_taken_along_is_told(tmp_path: Path, location: str, said: str) -> None:
    write(tmp_path, "large", "x" * 16_385)
    job = write(tmp_path, "job.json", json.dumps({"a": {"class": "File", "location": location}}))
    done = run(flow(tmp_path, "inputs: {a: File}\noutputs: {}\nsteps: {}\n"), job)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in str(done.exception or "") + done.stderr
