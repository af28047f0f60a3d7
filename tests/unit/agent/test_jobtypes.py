"""Job types: what is read, and what is said of a file that cannot be taken."""

from pathlib import Path

import pytest

from caroni_edge.agent.jobtype_keys import INTERPRETER
from caroni_edge.agent.jobtypes import Command, JobType, Script, load_job_type, load_job_types
from caroni_edge.agent.needs import more_than_there_is
from caroni_edge.documents.documents import Problems
from caroni_edge.protocol.messages import VALUES_LIMIT_BYTES
from caroni_edge.values.parsing import parse_type
from caroni_edge.values.types import STRING


def write(directory: Path, text: str, name: str = "upper.yaml") -> Path:
    path = directory / name
    path.write_text(text)
    return path


def problems_of(directory: Path, text: str) -> list[str]:
    """Return what is wrong with a file, as `LINE: WHAT`."""
    path = write(directory, text)
    with pytest.raises(Problems) as raised:
        load_job_type(path)
    return [str(problem).removeprefix(f"{path}:") for problem in raised.value.problems]


FULL = """\
name: foojob0
inputs: {message: string, times: "int?"}
outputs: {jobout: string}
script: |
  echo hello
interpreter: [/usr/bin/env, python3]
environment: {LC_ALL: C.UTF-8}
limits: {timeout: 10m, memory: 512M, output: 16K, log: 1M, nice: 5}
repeat: false
"""


def test_everything_is_read(tmp_path: Path) -> None:
    job_type = load_job_type(write(tmp_path, FULL))
    assert job_type.name == "foojob0"
    assert job_type.inputs == {"message": STRING, "times": parse_type("int?")}
    assert job_type.outputs == {"jobout": STRING}
    assert job_type.runs == Script("echo hello\n", ("/usr/bin/env", "python3"))
    assert job_type.environment == {"LC_ALL": "C.UTF-8"}
    limits = job_type.limits
    assert (limits.timeout_s, limits.memory_bytes, limits.output_bytes) == (600.0, 512 << 20, 16 << 10)
    assert (limits.log_bytes, limits.nice, job_type.repeat) == (1 << 20, 5, False)


def test_little_is_enough(tmp_path: Path) -> None:
    job_type = load_job_type(write(tmp_path, "name: a\ncommand: [touch, here]\n"))
    assert job_type.runs == Command(("touch", "here"))
    assert (job_type.inputs, job_type.outputs, job_type.environment, job_type.repeat) == ({}, {}, {}, True)
    limits = job_type.limits
    assert (limits.timeout_s, limits.memory_bytes, limits.output_bytes) == (None, None, VALUES_LIMIT_BYTES)


def test_a_program_beside_the_file_is_found_there(tmp_path: Path) -> None:
    job_type = load_job_type(write(tmp_path, "name: a\ncommand: [./tool.sh, ./data]\n"))
    assert job_type.runs == Command((str(tmp_path / "tool.sh"), "./data"))
    script = load_job_type(write(tmp_path, "name: a\nscript: x\ninterpreter: [bin/run]\n"))
    assert script.runs == Script("x", (str(tmp_path / "bin/run"),))


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("name: x\ninputs: {a: string}\noutputs: {b: int}\nscript: echo\nlimits: {timeout: 1m}\n", "da90555657a2bc9c"),
        ("name: x\ninputs: {a: string}\ncommand: [touch, here]\nrepeat: false\n", "77183b3f1c7baa1c"),
        ("name: x\nscript: echo\ninterpreter: [/usr/bin/env, python3]\n", "5b56f46bdd0be31d"),
    ],
)
def test_a_new_release_of_the_program_is_no_other_version(tmp_path: Path, text: str, version: str) -> None:
    assert load_job_type(write(tmp_path, text)).version == version


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("10m", "11m"),
        ("echo hello", "echo hullo"),
        ('"int?"', '"long?"'),
        ("{LC_ALL: C.UTF-8}", "{LC_ALL: C}"),
        ("repeat: false", "repeat: true"),
        ("/usr/bin/env, python3", "/usr/bin/env, python"),
    ],
)
def test_a_change_is_another_version(tmp_path: Path, before: str, after: str) -> None:
    version = load_job_type(write(tmp_path, FULL)).version
    assert load_job_type(write(tmp_path, FULL.replace(before, after))).version != version


def test_a_comment_is_no_other_version(tmp_path: Path) -> None:
    version = load_job_type(write(tmp_path, FULL)).version
    assert load_job_type(write(tmp_path, f"# said before\n{FULL}", "other.yaml")).version == version


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    text = """\
name: Upper.Case
inptus: {message: string}
inputs: {a b: string, message: strin}
script: echo
command: [echo]
interpreter: [bash]
environment: {CARONI_X: "1", COUNT: 3}
limits: {timeout: 10, memory: much, output: 65M, nice: -5, cpu: 1}
repeat: maybe
"""
    assert problems_of(tmp_path, text) == [
        '1: "Upper.Case" cannot name a job type: it becomes part of a topic, so use 1 to 40 of a-z, 0-9, _ and -',
        '2: unknown key "inptus" (did you mean "inputs"?)',
        '3: "a b" cannot be a name here: use 1 to 80 letters, digits, _ . and -',
        '3: message: "strin" is no type (did you mean "string"?)',
        '4: "script" and "command" are both given: leave one out',
        '6: "interpreter" belongs to a script; a command starts with its program',
        '7: "CARONI_X": names that begin with CARONI_ are the agent\'s own; choose another',
        '7: expected a string: write the value of COUNT in quotes, COUNT: "…"',
        '8: unknown key "cpu"',
        "8: timeout: 10 has no unit: write 10s, or another unit; it is a duration such as 10s, 5m or 90d",
        "8: output: at most 64M; give larger data as a File",
        '8: memory: expected a size such as 64K, 512M or 2G, got "much"',
        "8: nice: expected a number from 0 to 19, the politest, got -5",
        '9: expected true or false, got "maybe"',
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a\n", "1: a job type has the keys name, inputs, outputs, and script or command"),
        ("script: echo\n", '1: "name" is missing: write name: upper'),
        ("name: a\n", '1: nothing to run: write script: "…" or command: [/usr/bin/tool, --flag]'),
        ("name: 12\nscript: echo\n", "1: 12 cannot name a job type"),
        ("name: a\nscript: 5\n", "2: expected the text of a script, got 5"),
        ("name: a\nscript: ' '\n", '2: expected the text of a script, got " "'),
        ('name: a\nscript: "a\\0"\n', "2: a script cannot hold a NUL character"),
        (
            "name: a\ncommand: ls -l\n",
            "2: expected a list of a program and its arguments, as in [/usr/bin/tool, --flag];"
            ' a shell line would be script: "ls -l"',
        ),
        ("name: a\ncommand: []\n", "2: expected a list of a program"),
        ("name: a\ncommand: [sleep, 5]\n", '2: expected a string, got 5: write "5"'),
        ("name: a\ncommand:\n- ''\n", '3: "" cannot be part of a command'),
        ("name: a\nscript: x\ninputs: [message]\n", "3: expected names and types below inputs"),
        ("name: a\nscript: x\nlimits: {timeout: 0s}\n", "3: timeout: 0 would end every job at once"),
        ("name: a\nscript: x\nlimits: {nice: 20}\n", "3: nice: expected a number from 0 to 19"),
        ("name: a\nscript: x\nlimits: {nice: true}\n", "3: nice: expected a number from 0 to 19"),
        ("name: a\nscript: x\nenvironment: {A B: x}\n", '3: "A B" cannot name a variable'),
        ("name: a\nscript: x\nname: b\n", '3: the key "name" is there twice, first in line 1'),
    ],
)
def test_a_problem_says_what_would_be_right(tmp_path: Path, text: str, said: str) -> None:
    [problem] = problems_of(tmp_path, text)
    assert problem.startswith(said)


def test_outputs_may_be_as_large_as_a_message_holds(tmp_path: Path) -> None:
    text = f"name: a\nscript: x\nlimits: {{output: {VALUES_LIMIT_BYTES >> 10}K}}\n"
    assert load_job_type(write(tmp_path, text)).limits.output_bytes == VALUES_LIMIT_BYTES


@pytest.mark.parametrize("nice", [0, 19])
def test_a_job_may_be_as_polite_as_the_kernel_knows(tmp_path: Path, nice: int) -> None:
    job_type = load_job_type(write(tmp_path, f"name: a\nscript: x\nlimits: {{nice: {nice}}}\n"))
    assert job_type.limits.nice == nice


def test_an_unquoted_question_mark_in_flow_style(tmp_path: Path) -> None:
    """Some readers of YAML refuse it; ours takes it, or says that it wants quotes."""
    path = write(tmp_path, "name: a\nscript: x\ninputs: {note: string?, other: int}\n")
    try:
        job_type = load_job_type(path)
    except Problems as problems:
        assert "quotes" in str(problems)  # noqa: PT017 - either is right, and it depends on the version of libyaml
    else:
        assert job_type.inputs["note"].optional


def names(found: dict[str, JobType]) -> dict[str, str]:
    return {name: job_type.path.name for name, job_type in found.items()}


def test_a_directory_is_read_without_its_broken_files(tmp_path: Path) -> None:
    write(tmp_path, "name: a\nscript: x\n", "one.yaml")
    write(tmp_path, "name: b\nscript: x\n", "two.yml")
    write(tmp_path, "name: c\n", "broken.yaml")
    write(tmp_path, "not read", "README.md")
    write(tmp_path, "not: read", ".hidden.yaml")
    found = load_job_types(tmp_path)
    assert names(dict(found.loaded)) == {"a": "one.yaml", "b": "two.yml"}
    assert found.names() == ["a", "b"]
    assert found.get("c") is None
    assert list(found.errors) == ["broken"]


def test_two_files_with_one_name_are_an_error_in_both(tmp_path: Path) -> None:
    one = write(tmp_path, "name: a\nscript: x\n", "one.yaml")
    two = write(tmp_path, "# a copy\nname: a\nscript: y\n", "two.yaml")
    found = load_job_types(tmp_path)
    assert found.loaded == {}
    said = '"a" is the name of one.yaml and two.yaml: rename all but one'
    assert [str(problem) for problem in found.errors["a"]] == [f"{one}:1: {said}", f"{two}:2: {said}"]


def test_a_file_that_breaks_keeps_the_version_that_was_there(tmp_path: Path) -> None:
    path = write(tmp_path, "name: a\nscript: x\n", "one.yaml")
    write(tmp_path, "name: b\nscript: x\n", "two.yaml")
    gone = write(tmp_path, "name: c\nscript: x\n", "three.yaml")
    before = load_job_types(tmp_path)
    path.write_text("name: a\nscrpt: y\n")
    gone.unlink()
    after = load_job_types(tmp_path, before)
    assert after.names() == ["a", "b"]
    assert after.get("a") is before.get("a")
    assert list(after.errors) == ["a"]
    path.write_text("name: a\nscript: y\n")
    mended = load_job_types(tmp_path, after)
    assert (mended.get("a") or before.loaded["a"]).runs == Script("y", INTERPRETER)
    assert mended.errors == {}


def test_a_second_file_of_a_name_keeps_the_version_that_was_there(tmp_path: Path) -> None:
    write(tmp_path, "name: a\nscript: x\n", "one.yaml")
    before = load_job_types(tmp_path)
    write(tmp_path, "name: a\nscript: y\n", "copy.yaml")
    after = load_job_types(tmp_path, before)
    assert after.get("a") is before.get("a")
    assert len(after.errors["a"]) == 2


def test_a_directory_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(Problems, match="cannot be read: No such file or directory"):
        load_job_types(tmp_path / "missing")


def test_the_examples_are_job_types() -> None:
    examples = Path(__file__).parents[3] / "caroni_edge" / "starter" / "jobtypes"
    found = load_job_types(examples)
    assert found.errors == {}
    assert set(found.names()) >= {"foojob0", "foojob1", "foojob2"}


def test_needs_are_numbers_and_sizes_and_part_of_the_version(tmp_path: Path) -> None:
    plain = "name: snap\nscript: exit\n"
    found = load_job_type(write(tmp_path, f"{plain}needs: {{camera: 1, memory: 4G}}\nparallel: 2\n"))
    assert (found.needs, found.parallel) == ({"camera": 1, "memory": 4 << 30}, 2)
    assert len({found.version, load_job_type(write(tmp_path, plain)).version}) == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("needs: [camera]", "expected resources such as {camera: 1}"),
        ("needs: {Camera: 1}", '"Camera" cannot name a resource'),
        ("needs: {camera: 0}", "camera: 0 would need nothing"),
        ("needs: {camera: some}", "camera: expected a size"),
        ("needs: {camera: 1.5}", "camera: expected a whole number, such as 2, or a size"),
        ("parallel: 0", "expected a whole number from 1 on, got 0"),
        ("parallel: true", "expected a whole number from 1 on, got true"),
    ],
)
def test_needs_that_make_no_sense_are_told_with_their_line(tmp_path: Path, given: str, said: str) -> None:
    (problem,) = problems_of(tmp_path, f"name: snap\nscript: exit\n{given}\n")
    assert problem.startswith("3: ")
    assert said in problem


@pytest.mark.parametrize(
    ("needs", "said"),
    [
        ({"camera": 1}, ""),
        ({"camera": 2}, "its jobs need camera: 2, and the agent's configuration has camera: 1"),
        ({"camra": 1}, "need camra, which the agent's configuration does not name under resources (did you mean"),
    ],
)
def test_who_needs_more_than_there_is_hears_that(needs: dict[str, int], said: str) -> None:
    found = more_than_there_is(needs, {"camera": 1})
    assert bool(found) == bool(said)
    assert said in found
