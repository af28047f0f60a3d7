"""`cwl-run`: what it prints, and what it exits with, where no job is run."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from caroni_edge import cli

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
