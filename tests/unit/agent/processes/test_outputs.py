"""What a job gave: both forms of outputs, their types, and what is said of those that cannot be taken."""

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from caroni_edge.agent.processes import outputs, workfiles
from caroni_edge.agent.processes.collecting import NeedsStore
from caroni_edge.agent.processes.outputs import RAW_FACTOR, Declared, Given, OutputProblem, UnfitOutputs, read_outputs
from caroni_edge.objects.disk import ObjectFiles
from caroni_edge.objects.objects import Object
from caroni_edge.values.carried import bytes_of, directory_value, file_value, misfit_of
from caroni_edge.values.directories import Entry, read
from caroni_edge.values.large import LARGE_MAX_BYTES, large_value
from caroni_edge.values.parsing import parse_type

LIMIT_BYTES = 48 * 1024


def declare(types: dict[str, Any], limit_bytes: int = LIMIT_BYTES) -> Declared:
    return Declared({name: parse_type(spec) for name, spec in types.items()}, limit_bytes)


def values(given: Given) -> Any:
    return json.loads(given.outputs)


ONE = declare({"jobout": "string"})


class Directory:
    """A job's directory with what the job wrote."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, declared: Declared, *, file: str | bytes = "", stdout: str | bytes = "") -> Given:
        for name, text in (("outputs", file), ("stdout", stdout)):
            (self.path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_outputs(str(self.path), declared)

    def problem(self, declared: Declared, **written: str | bytes) -> str:
        return str(self.raised(declared, **written))

    def raised(self, declared: Declared, **written: str | bytes) -> OutputProblem:
        with pytest.raises(OutputProblem) as raised:
            self.read(declared, **written)
        return raised.value


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    return Directory(tmp_path)


TEXTS = [
    "",
    "plain",
    "with = and << in it",
    "quotes \" and ' and \\",
    "$(rm -rf /) `id` $HOME",
    "größer → 🎉",
    " spaced ",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_line_gives_its_text_as_it_is(directory: Directory, text: str) -> None:
    assert values(directory.read(ONE, file=f"jobout={text}\n")) == {"jobout": text}


@pytest.mark.parametrize("text", [*TEXTS, "two\nlines", "\n", "ends\n", "\n\nEND OF\nEND2", "=", "<<", "cr\r\nlf"])
def test_lines_up_to_a_mark_give_any_text(directory: Directory, text: str) -> None:
    declared = declare({"jobout": "string", "other": "string"})
    given = directory.read(declared, file=f"jobout<<END\n{text}\nEND\nother=x\n")
    assert values(given) == {"jobout": text, "other": "x"}


@pytest.mark.parametrize("text", TEXTS)
def test_json_in_the_file(directory: Directory, text: str) -> None:
    assert values(directory.read(ONE, file=json.dumps({"jobout": text}))) == {"jobout": text}
    assert values(directory.read(ONE, stdout=json.dumps({"jobout": text}, indent=2))) == {"jobout": text}


def test_no_line_in_between_is_no_value(directory: Directory) -> None:
    declared = declare({"a": "string", "b": "string"})
    assert values(directory.read(declared, file="a<<X\nX\n\nb=1")) == {"a": "", "b": "1"}


@pytest.mark.parametrize(
    ("spec", "text", "value"),
    [
        ("int", "3", 3),
        ("double", "2.5", 2.5),
        ("boolean", "true", True),
        ("string[]", '["a", "b"]', ["a", "b"]),
        ("string?", "null", "null"),
        ("int?", "null", None),
        ("Any", '{"a": [1]}', {"a": [1]}),
        ({"type": "enum", "symbols": ["red", "green"]}, "red", "red"),
        (["null", {"type": "enum", "symbols": ["red"]}], "red", "red"),
        (["string", "int"], '"x"', "x"),
    ],
)
def test_a_value_that_is_no_string_is_read_as_json(directory: Directory, spec: Any, text: str, value: Any) -> None:
    assert values(directory.read(declare({"x": spec}), file=f"x={text}\n")) == {"x": value}


def test_an_optional_output_may_be_missing(directory: Directory) -> None:
    declared = declare({"jobout": "string", "note": "string?"})
    assert values(directory.read(declared, file="jobout=x")) == {"jobout": "x", "note": None}
    assert values(directory.read(declare({"note": "string?"}))) == {"note": None}


def test_standard_output_counts_only_without_the_file(directory: Directory) -> None:
    given = directory.read(ONE, file="jobout=file", stdout='{"jobout": "stdout"}')
    assert (values(given), given.from_stdout) == ({"jobout": "file"}, False)
    given = directory.read(ONE, stdout='{"jobout": "stdout"}')
    assert (values(given), given.from_stdout) == ({"jobout": "stdout"}, True)


def test_without_declared_outputs_standard_output_is_log(directory: Directory) -> None:
    assert directory.read(declare({}), stdout="done\n") == Given("{}")


@pytest.mark.parametrize("written", [{"file": "jobout=x\nextra=1\n"}, {"stdout": '{"extra": 1, "jobout": "x"}'}])
def test_what_is_not_declared_is_dropped_and_said(directory: Directory, written: dict[str, str]) -> None:
    given = directory.read(ONE, **written)
    assert values(given) == {"jobout": "x"}
    assert given.notes == ('output "extra" is dropped: the job type does not declare it',)


def test_of_many_that_are_dropped_some_are_named(directory: Directory) -> None:
    given = directory.read(ONE, file="jobout=x\n" + "".join(f"n{number}=\n" for number in range(25)))
    assert len(given.notes) == 21
    assert given.notes[19:] == (
        'output "n19" is dropped: the job type does not declare it',
        "5 more outputs are dropped",
    )


KEYS = [f"k{number}" for number in range(50_000)]


@pytest.mark.parametrize(
    "text",
    [
        "{" + ",".join(f'"{key}":1' for key in [*KEYS, KEYS[-1]]) + "}",
        "".join(f"{key}=1\n" for key in [*KEYS, KEYS[-1]]),
        "".join(f"output_namber_{key}=1\n" for key in KEYS[:20_000]),
    ],
    ids=["json", "lines", "names"],
)
def test_outputs_cost_no_more_than_their_length(directory: Directory, text: str) -> None:
    declared = declare({f"output_number_{number}": "string" for number in range(200)})
    begun_s = time.process_time()
    assert directory.problem(declared, file=text)
    assert time.process_time() - begun_s < 2.0


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({}, "output jobout is missing: nothing was written to $CARONI_OUTPUTS or to standard output"),
        (
            {"file": "jobuot=x"},
            'output jobout is missing: $CARONI_OUTPUTS does not name it (did you mean "jobuot"?)',
        ),
        ({"stdout": "{}"}, "output jobout is missing: the JSON object on standard output does not name it"),
        ({"stdout": '{"jobout": 3}'}, "output jobout: expected string, got 3"),
        ({"stdout": '{"jobout": null}'}, "output jobout: expected string, got null"),
        (
            {"stdout": "hello"},
            "output jobout is missing: nothing was written to $CARONI_OUTPUTS, and standard output is no JSON object: "
            "Expecting value: line 1 column 1 (char 0)",
        ),
        (
            {"stdout": '["jobout"]'},
            "output jobout is missing: nothing was written to $CARONI_OUTPUTS, and standard output is no JSON object, "
            "but a list",
        ),
        ({"file": '{"jobout": "a", "jobout": "b"}'}, '$CARONI_OUTPUTS: the key "jobout" is given twice'),
        ({"file": '{"jobout": {"a": 1, "a": 2}}'}, '$CARONI_OUTPUTS: the key "a" is given twice'),
        ({"file": '{"jobout": NaN}'}, "$CARONI_OUTPUTS: NaN is no number that JSON has"),
        ({"file": '{"jobout": ' + "[" * 100_000 + "}"}, "$CARONI_OUTPUTS: too many levels inside each other"),
        ({"file": '{"jobout": "x"'}, "$CARONI_OUTPUTS is no JSON object: Expecting ',' delimiter: line 1 column 15"),
        ({"file": "jobout=a\njobout=b\n"}, "line 2 of $CARONI_OUTPUTS: jobout is given twice"),
        ({"file": "jobout<<E\na\nE\njobout=b\n"}, "line 4 of $CARONI_OUTPUTS: jobout is given twice"),
        ({"file": "hello\n"}, 'line 1 of $CARONI_OUTPUTS: expected name=value or name<<END, got "hello"'),
        ({"file": "\n job out=x\n"}, "line 2 of $CARONI_OUTPUTS: expected name=value or name<<END"),
        ({"file": "=x\n"}, "line 1 of $CARONI_OUTPUTS: expected name=value or name<<END"),
        ({"file": "jobout<<END\nx\n"}, 'line 1 of $CARONI_OUTPUTS: no line "END" ends the value'),
        ({"file": "jobout<<\nx\n"}, "line 1 of $CARONI_OUTPUTS: expected name<<END, with a word for END"),
        ({"file": b"ok=1\njobout=\xff\n"}, "$CARONI_OUTPUTS is not UTF-8 (line 2)"),
        ({"stdout": b'{"jobout": "\xe4"}'}, "standard output is not UTF-8 (line 1)"),
        ({"file": '{"jobout": "\\ud800"}'}, "output jobout: expected string, got"),
    ],
)
def test_a_problem_says_which_output_and_why(directory: Directory, written: dict[str, str], said: str) -> None:
    assert directory.problem(ONE, **written).startswith(said)


def test_a_value_of_the_wrong_type_in_a_line(directory: Directory) -> None:
    assert directory.problem(declare({"n": "int"}), file="n=many") == 'output n: expected int as JSON, got "many"'
    assert directory.problem(declare({"n": "int"}), file='n="3"') == 'output n: expected int, got "3"'
    assert directory.problem(declare({"n": "Any"}), file='n={"a":1,"a":2}') == 'output n: the key "a" is given twice'


def test_all_outputs_that_are_missing_are_named(directory: Directory) -> None:
    problem = directory.problem(declare({f"o{number}": "int" for number in range(7)}), file="x=1\n")
    assert problem.count("is missing") == 5
    assert problem.endswith("; and 2 more")


def test_the_limit_is_on_what_is_declared_as_json(directory: Directory) -> None:
    limit_bytes = len('{"jobout":"12345"}')
    declared = declare({"jobout": "string"}, limit_bytes)
    assert values(directory.read(declared, file="jobout=12345\nextra=not counted\n")) == {"jobout": "12345"}
    said = "the outputs have 19 bytes as JSON, and 18 are allowed together"
    assert directory.problem(declared, file="jobout=123456") == said
    assert directory.problem(declared, file="jobout=1234ä") == said


@pytest.mark.parametrize(("name", "called"), [("file", "$CARONI_OUTPUTS"), ("stdout", "standard output")])
def test_no_more_is_read_than_outputs_can_be(directory: Directory, name: str, called: str) -> None:
    size_bytes = LIMIT_BYTES * RAW_FACTOR + 1
    problem = directory.problem(ONE, **{name: "x" * size_bytes})
    assert problem == f"{called} has {size_bytes} bytes, and no more than {size_bytes - 1} are read"


def test_what_a_job_may_have_put_in_the_place_of_its_files(directory: Directory) -> None:
    outputs = directory.path / "outputs"
    (directory.path / "stdout").write_text('{"jobout": "x"}')
    assert values(read_outputs(str(directory.path), ONE)) == {"jobout": "x"}
    os.mkfifo(outputs)
    with pytest.raises(OutputProblem, match="CARONI_OUTPUTS is not a regular file any more"):
        read_outputs(str(directory.path), ONE)
    outputs.unlink()
    outputs.mkdir()
    with pytest.raises(OutputProblem, match="is not a regular file any more"):
        read_outputs(str(directory.path), ONE)
    outputs.rmdir()
    outputs.symlink_to("/etc/passwd")
    with pytest.raises(OutputProblem, match="cannot be read: Too many levels of symbolic links"):
        read_outputs(str(directory.path), ONE)


def test_what_is_declared_is_kept_with_the_job() -> None:
    declared = declare({"a": "int[]?", "b": {"type": "enum", "symbols": ["x"]}}, 1000)
    assert Declared.read(declared.facts()) == declared
    assert Declared.read({}) == declare({})


def test_no_record_allows_more_than_values_can_have() -> None:
    declared = Declared.read({"outputs": {"out": "string"}, "output_bytes": 1 << 40})
    assert declared.limit_bytes == LARGE_MAX_BYTES


@pytest.mark.parametrize(
    ("written", "is_unfit"),
    [
        ({"file": "jobout=x\nn=many\n"}, True),
        ({"file": 'jobout=x\nn="3"\n'}, True),
        ({"stdout": '{"jobout": 3}'}, True),
        ({"file": f"n=1\njobout={'x' * LIMIT_BYTES}"}, True),
        ({"stdout": " " * (LIMIT_BYTES * RAW_FACTOR + 1)}, True),
        ({}, False),
        ({"file": "n=1"}, False),
        ({"stdout": '{"jobout": broken'}, False),
        ({"stdout": "[]"}, False),
        ({"file": '{"jobout": "x", "n": 1, "n": 1}'}, False),
        ({"file": "jobout=x\nn=[NaN]\n"}, False),
        ({"file": b"jobout=\xff\nn=1"}, False),
    ],
)
def test_what_could_be_read_and_does_not_fit_would_not_fit_again(
    directory: Directory, written: dict[str, Any], is_unfit: bool
) -> None:
    problem = directory.raised(declare({"jobout": "string", "n": "int"}), **written)
    assert isinstance(problem, UnfitOutputs) is is_unfit


@pytest.mark.parametrize("text", ["jobout=x\n", '{"jobout": "x"}'])
def test_a_mark_at_the_beginning_is_no_part_of_the_text(directory: Directory, text: str) -> None:
    """Some editors and shells begin each file with a BOM."""
    assert values(directory.read(ONE, file="\ufeff" + text)) == {"jobout": "x"}


class Work(Directory):
    """A job's directory in which the job has made files."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.work = path / "work"
        self.work.mkdir()

    def make(self, name: str, data: bytes = b"text\n") -> Path:
        path = self.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(tmp_path)


FILE = declare({"file": "File"})
TEXT = file_value("a.txt", b"text\n")


@pytest.mark.parametrize(
    "written",
    [
        "file=a.txt\n",
        "file=./a.txt\n",
        "file={HERE}/a.txt\n",
        'file={"class": "File", "path": "a.txt"}\n',
        '{"file": "a.txt"}',
        '{"file": {"class": "File", "path": "{HERE}/a.txt"}}',
        '{"file": {"class": "File", "location": "a.txt"}}',
        '{"file": {"class": "File", "location": "file://{HERE}/a.txt"}}',
        '{"file": {"class": "File", "basename": "a.txt", "contents": "text\\n"}}',
    ],
)
def test_a_file_is_given_by_its_path(work: Work, written: str) -> None:
    work.make("a.txt")
    assert values(work.read(FILE, file=written.replace("{HERE}", str(work.work)))) == {"file": TEXT}


def test_files_come_in_lists_and_with_those_that_belong_to_them(work: Work) -> None:
    for name in ("a.txt", "deep/er/b.txt", "c.txt"):
        work.make(name)
    declared = declare({"all": "File[]", "main": "File", "none": "File?"})
    main = {"class": "File", "path": "a.txt", "format": "plain", "secondaryFiles": ["c.txt"]}
    found = values(work.read(declared, file=json.dumps({"all": ["a.txt", "deep/er/b.txt"], "main": main})))
    assert found["all"] == [TEXT, {**TEXT, "basename": "b.txt"}]
    assert found["main"] == {**TEXT, "format": "plain", "secondaryFiles": [{**TEXT, "basename": "c.txt"}]}
    assert found["none"] is None


def test_a_file_that_is_no_text_is_taken_too(work: Work) -> None:
    work.make("a.png", b"\x89PNG\xff")
    assert bytes_of(values(work.read(FILE, file="file=a.png\n"))["file"]) == b"\x89PNG\xff"


def test_a_link_is_followed_inside_the_working_directory(work: Work) -> None:
    work.make("deep/a-1.0.txt")
    (work.work / "a.txt").symlink_to("deep/a-1.0.txt")
    assert values(work.read(FILE, file="file=a.txt\n")) == {"file": TEXT}


def test_nothing_outside_the_working_directory_is_taken(work: Work, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (work.work / "link").symlink_to(tmp_path / "secret")
    (work.work / "up").symlink_to(tmp_path)
    for path in ("../secret", str(tmp_path / "secret"), "link", "up/secret", "up/work/../secret", "..", "/"):
        assert "is not in the working directory of the job" in work.problem(FILE, file=f"file={path}\n"), path


def test_a_link_that_takes_the_place_of_the_working_directory_leads_nowhere(work: Work, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.txt").write_text("secret")
    work.work.rmdir()
    work.work.symlink_to(outside)
    assert "cannot be read" in work.problem(FILE, file="file=a.txt\n")


def test_only_regular_files_are_taken(work: Work) -> None:
    os.mkfifo(work.work / "pipe")
    (work.work / "folder").mkdir()
    for name in ("pipe", "folder", "."):
        said = work.problem(FILE, file=f"file={name}\n")
        assert said.startswith(f'output file: the file "{name}"'), said


def test_a_file_that_the_job_may_not_read_any_more_is_taken(work: Work) -> None:
    work.make("deep/a.txt").chmod(0)
    (work.work / "deep").chmod(0)
    assert values(work.read(FILE, file="file=deep/a.txt\n")) == {"file": TEXT}


DEEP = '{"class": "File", "path": "a.txt", "secondaryFiles": ['


@pytest.mark.parametrize(
    ("written", "said", "is_final"),
    [
        ("file=b.txt", 'output file: there is no file "b.txt" in the working directory of the job', False),
        ("file=", "output file: a job gives a file by its path, and not as", True),
        ('{"file": 5}', "output file: expected File, got 5", True),
        ('{"file": {"class": "File", "location": "https://x/y"}}', "and not as", True),
        ('{"file": {"class": "File", "path": "a.txt", "secondaryFiles": 5}}', "is a list of 1000 files", True),
        ('{"file": {"class": "File", "path": "a.txt", "secondaryFiles": ["a.txt"]}}', 'both called "a.txt"', True),
        ('{"file": {"class": "File", "path": "a.txt", "basename": "../x"}}', '"basename" is the name', True),
        (f'{{"file": {DEEP * 200}{"]}" * 200}}}', "levels", True),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_taken_is_told(work: Work, written: str, said: str, *, is_final: bool) -> None:
    work.make("a.txt")
    problem = work.raised(FILE, file=written)
    assert said in str(problem)
    assert isinstance(problem, UnfitOutputs) is is_final


def test_a_large_file_is_taken_into_the_store(work: Work, tmp_path: Path) -> None:
    data = b"x" * 16385
    work.make("large.bin", data)
    work.make("large.idx", b"y" * 20_000)
    (work.path / "outputs").write_text(
        '{"file": {"class": "File", "path": "large.bin", "secondaryFiles": ["large.idx"]}}'
    )
    with pytest.raises(NeedsStore):
        read_outputs(str(work.path), FILE)
    given = read_outputs(str(work.path), FILE, store=ObjectFiles(tmp_path / "state"))
    value = values(given)["file"]
    large, index = given.objects
    assert large == Object(hashlib.sha256(data).hexdigest(), 16385)
    assert value["location"] == f"caroni:{large.id}"
    assert (value["basename"], value["size"]) == ("large.bin", 16385)
    assert value["secondaryFiles"][0]["location"] == f"caroni:{index.id}"
    assert misfit_of(parse_type("File"), value, objects=True) is None


def test_a_store_that_is_gone_is_not_taken_for_a_file_that_is_gone(
    work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work.make("large.bin", b"x" * 16_385)
    (work.path / "outputs").write_text("file=large.bin\n")
    store = ObjectFiles(tmp_path / "state")

    def take(_: object) -> None:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(store, "take", take)
    with pytest.raises(OutputProblem, match=r'the file "large\.bin" cannot be stored: No such file or directory'):
        read_outputs(str(work.path), FILE, store=store)


def test_many_files_are_not_read_without_end(work: Work) -> None:
    work.make("a", b"x" * 16384)
    said = work.problem(declare({"all": "File[]"}), file=json.dumps({"all": ["a"] * 1000}))
    assert said == "output all: the files of the outputs have too many bytes together"


def test_a_file_that_a_power_cut_may_have_cut_is_not_taken(work: Work) -> None:
    work.make("a.txt")
    (work.path / "outputs").write_text("file=a.txt\n")
    with pytest.raises(OutputProblem, match="the host was restarted before the file was taken"):
        read_outputs(str(work.path), FILE, is_whole=False)
    (work.path / "outputs").write_text("jobout=x\n")
    assert values(read_outputs(str(work.path), ONE, is_whole=False)) == {"jobout": "x"}


# Directories

DIRECTORY = declare({"dir": "Directory"})


def text(name: str) -> dict[str, Any]:
    return {**TEXT, "basename": name}


@pytest.mark.parametrize("written", ["dir=out", "dir=./out/", '{"dir": {"class": "Directory", "path": "out"}}'])
def test_a_small_directory_is_in_its_value_with_all_its_files(work: Work, written: str) -> None:
    for name in ("out/b.txt", "out/sub/deep/c.txt"):
        work.make(name)
    (work.work / "out" / "empty").mkdir()
    (work.work / "out" / "a.txt").symlink_to("b.txt")
    (work.work / "out" / "tool").symlink_to("../elsewhere")
    work.make("elsewhere/d.txt")
    assert values(work.read(DIRECTORY, file=written))["dir"] == {
        "class": "Directory",
        "basename": "out",
        "listing": [
            text("a.txt"),
            text("b.txt"),
            {"class": "Directory", "basename": "empty", "listing": []},
            {
                "class": "Directory",
                "basename": "sub",
                "listing": [{"class": "Directory", "basename": "deep", "listing": [text("c.txt")]}],
            },
            {"class": "Directory", "basename": "tool", "listing": [text("d.txt")]},
        ],
    }


def test_a_job_may_give_its_whole_working_directory_and_lists_of_its_own(work: Work) -> None:
    work.make("a.txt")
    listing = {"class": "Directory", "basename": "made", "listing": [{"class": "File", "path": "a.txt"}]}
    declared = declare({"dirs": "Directory[]"})
    found = values(work.read(declared, file=json.dumps({"dirs": [".", listing]})))["dirs"]
    assert [each["basename"] for each in found] == ["work", "made"]
    assert [each["listing"] for each in found] == [[TEXT], [TEXT]]


def test_a_large_directory_is_an_object_with_its_files(work: Work, tmp_path: Path) -> None:
    for name, data in (("out/b.bin", b"x" * 20_000), ("out/sub/a.txt", b"text\n"), ("out/same", b"x" * 20_000)):
        work.make(name, data)
    (work.work / "out" / "empty").mkdir()
    (work.work / "out" / "sub" / "a.txt").chmod(0o700)
    (work.path / "outputs").write_text("dir=out\n")
    with pytest.raises(NeedsStore):
        read_outputs(str(work.path), DIRECTORY)
    store = ObjectFiles(tmp_path / "state")
    given = read_outputs(str(work.path), DIRECTORY, store=store)
    value = values(given)["dir"]
    [listing], [directory] = given.objects, given.directories
    large, small = (Object(hashlib.sha256(data).hexdigest(), len(data)) for data in (b"x" * 20_000, b"text\n"))
    assert directory == (listing, tuple(sorted([large, small])))
    assert read(store.read(listing)) == (
        Entry("b.bin", False, large),
        Entry("empty/"),
        Entry("same", False, large),
        Entry("sub/a.txt", True, small),
    )
    assert value == directory_value("out", listing)
    assert misfit_of(parse_type("Directory"), value, objects=True) is None


def test_a_directory_of_many_small_files_or_of_programs_is_an_object(work: Work, tmp_path: Path) -> None:
    store = ObjectFiles(tmp_path / "state")
    for number in range(101):
        work.make(f"many/{number}", b"")
    work.make("programs/run").chmod(0o755)
    for name in ("many", "programs"):
        (work.path / "outputs").write_text(f"dir={name}\n")
        assert "location" in values(read_outputs(str(work.path), DIRECTORY, store=store))["dir"]


def hostile(work: Work, tmp_path: Path) -> None:
    """Make all kinds of directories that nobody should take."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("secret")
    for name, target in (
        ("out", tmp_path / "secret"),
        ("file", tmp_path / "secret" / "key"),
        ("up", ".."),
        ("me", "."),
    ):
        (work.work / name).mkdir()
        (work.work / name / "link").symlink_to(target)
    (work.work / "outside").symlink_to(tmp_path / "secret")
    (work.work / "gone_link").mkdir()
    (work.work / "gone_link" / "a").symlink_to("missing")
    (work.work / "nowhere").mkdir()
    (work.work / "nowhere" / "a").symlink_to("b")
    (work.work / "nowhere" / "b").symlink_to("a")
    (work.work / "ring").mkdir()
    (work.work / "ring" / "b").symlink_to("../other")
    (work.work / "other").mkdir()
    (work.work / "other" / "a").symlink_to("../ring")
    (work.work / "pipe").mkdir()
    os.mkfifo(work.work / "pipe" / "pipe")
    work.make("names/a\nb")
    os.close(os.open(os.fsencode(work.work / "names") + b"/\xff", os.O_CREAT))
    (work.work / "bytes").mkdir()
    os.close(os.open(os.fsencode(work.work / "bytes") + b"/\xff", os.O_CREAT))
    (work.work / "/".join(["deep"] * 40)).mkdir(parents=True)
    for name in ("a", "b"):
        with work.make(f"sparse/{name}").open("r+b") as file:
            file.truncate(9_000_000_000)
    work.make("plain")


@pytest.mark.parametrize(
    ("name", "said", "is_final"),
    [
        ("out", 'the directory "out" has a link, "link", that is not in the working directory of the job', False),
        ("file", 'has a link, "link", that is not in the working directory', False),
        ("up", "has a link that leads back to where it lies", False),
        ("me", "has a link that leads back to where it lies", False),
        ("ring", "has a link that leads back to where it lies", False),
        ("outside", 'the directory "outside" is not in the working directory of the job', False),
        ("..", "is not in the working directory of the job", False),
        ("/etc", "is not in the working directory of the job", False),
        ("nowhere", "leads nowhere", False),
        ("gone_link", "leads nowhere", False),
        ("pipe", 'has "pipe" in it, which is no regular file', False),
        ("names", "is no name of a file", True),
        ("bytes", "is no name of a file", True),
        ("deep", "more than 32 folders inside each other", True),
        ("sparse", "has more than 10000000000 bytes", True),
        ("plain", 'the directory "plain" cannot be read: Not a directory', False),
        ("gone", 'there is no directory "gone" in the working directory of the job', False),
    ],
)
def test_a_directory_that_cannot_be_taken_is_told(
    work: Work, tmp_path: Path, name: str, said: str, *, is_final: bool
) -> None:
    hostile(work, tmp_path)
    (work.path / "outputs").write_text(f"dir={name}\n")
    with pytest.raises(OutputProblem) as raised:
        read_outputs(str(work.path), DIRECTORY, store=ObjectFiles(tmp_path / "state"))
    assert said in str(raised.value)
    assert isinstance(raised.value, UnfitOutputs) is is_final
    assert list(ObjectFiles(tmp_path / "state").sizes()) == []


def test_a_directory_of_too_many_files_is_refused_before_any_is_taken(
    work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workfiles, "FILES_MAX", 5)
    for number in range(6):
        work.make(f"out/{number}")
    (work.path / "outputs").write_text("dir=out\n")
    with pytest.raises(UnfitOutputs, match="has too many files"):
        read_outputs(str(work.path), DIRECTORY, store=ObjectFiles(tmp_path / "state"))


# Large values

MANY = declare({"a": "int[]", "b": "string", "c": "string?", "f": "File?"}, 1 << 20)


def stored(tmp_path: Path, work: Work, written: Any, declared: Declared = MANY) -> tuple[Any, dict[Object, Any]]:
    """Return what is told of outputs, and what lies in the store then."""
    (work.path / "outputs").write_text(json.dumps(written))
    store = ObjectFiles(tmp_path / "state")
    given = read_outputs(str(work.path), declared, store=store)
    return values(given), {each: json.loads(store.read(each)) for each in given.objects}


def test_outputs_that_can_be_told_stay_values(work: Work, tmp_path: Path) -> None:
    given = {"a": list(range(8000)), "b": "x", "c": None, "f": None}
    assert stored(tmp_path, work, given) == (given, {})


def test_a_value_that_cannot_be_told_is_an_object_with_its_type(work: Work, tmp_path: Path) -> None:
    numbers = list(range(50_000))
    given = {"a": numbers, "b": "x" * 20_000, "c": "y" * 10_000, "f": None}
    (work.path / "outputs").write_text(json.dumps(given))
    with pytest.raises(NeedsStore):
        read_outputs(str(work.path), MANY)
    told, kept = stored(tmp_path, work, given)
    assert list(kept.values()) == [numbers, "x" * 20_000]
    [first, second] = kept
    assert told == {
        "a": large_value(first, parse_type("int[]")),
        "b": large_value(second, parse_type("string")),
        "c": "y" * 10_000,
        "f": None,
    }


def test_of_many_small_values_the_largest_are_objects_and_those_named_first(work: Work, tmp_path: Path) -> None:
    declared = declare(dict.fromkeys("edcba", "string"), 1 << 20)
    told, kept = stored(
        tmp_path, work, {name: name * (11_000 if name == "d" else 10_000) for name in "abcde"}, declared
    )
    assert list(kept.values()) == ["d" * 11_000]
    assert [name for name, value in told.items() if isinstance(value, dict)] == ["d"]


def test_values_beyond_the_limit_of_their_job_type_are_refused(work: Work) -> None:
    (work.path / "outputs").write_text(json.dumps({"a": [], "b": "x" * (1 << 20)}))
    with pytest.raises(UnfitOutputs, match="1048576 are allowed together"):
        read_outputs(str(work.path), MANY, store=ObjectFiles(work.path / "state"))


def test_a_long_text_is_not_read_before_there_is_time_for_it(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    (work.path / "outputs").write_text(" " * (outputs.EARLY_BYTES + 1))
    monkeypatch.setattr(outputs, "read_regular", lambda *_: pytest.fail("it is read"))
    with pytest.raises(NeedsStore):
        read_outputs(str(work.path), MANY)


def test_a_job_names_no_objects_of_its_own(work: Work) -> None:
    named = large_value(Object("a" * 64, 5), parse_type("string"))
    declared = declare({"any": "Any"})
    said = work.problem(declared, file=json.dumps({"any": [named]}))
    assert said == "output any: it names an object (caroni:sha256:…), and a job gives values themselves"
