"""`check-config`: what each file is, and all that is wrong with it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from caroni_edge import cli

CONFIG = Path(__file__).parents[3] / "config"
EXAMPLES = [
    ("manager", CONFIG / "manager.yaml"),
    ("agent", CONFIG / "agent.yaml"),
    *(("template", path) for path in sorted(CONFIG.glob("templates/*"))),
    *(("job-type", path) for path in sorted(CONFIG.glob("jobtypes/*"))),
]
TOOL = "class: CommandLineTool\ncwlVersion: v1.2\ninputs: {}\noutputs: {}\nbaseCommand: true\n"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli.main, ["check-config", *map(str, arguments)])


@pytest.mark.parametrize(("kind", "path"), EXAMPLES)
def test_the_examples_are_right(kind: str, path: Path) -> None:
    done = run(path)
    assert (done.stdout, done.stderr, done.exit_code) == (f"{path}: ok ({kind})\n", "", 0)


def test_every_error_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "node.yaml"
    path.write_text("id: m1\nbroker: {url: mqtt://b}\ntemplates: .\nattemps: 5\nlost_after: 7\n")
    done = run(path)
    assert done.stdout.splitlines() == [
        f'{path}:4: unknown key "attemps" (did you mean "attempts"?)',
        f"{path}:5: lost_after: 7 has no unit: write 7s, or another unit; it is a duration such as 10s, 5m or 90d",
    ]
    assert (done.stderr, done.exit_code) == ("", 2)


def test_a_manager_is_checked_with_its_templates(tmp_path: Path) -> None:
    path = tmp_path / "manager.yaml"
    path.write_text("id: m1\nbroker: {url: mqtt://b}\ntemplates: templates\n")
    assert run(path).stdout == f"{tmp_path}/templates: cannot be read: No such file or directory\n"
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "bad.cwl").write_text("class: Workflow\ncwlVersion: v1.2\n")
    (tmp_path / "templates" / "worse.cwl").write_text("class: {\n")
    done = run(path)
    assert done.exit_code == 2
    assert {line.partition(":")[0] for line in done.stdout.splitlines()} == {
        str(tmp_path / "templates" / "bad.cwl"),
        str(tmp_path / "templates" / "worse.cwl"),
    }


def test_an_agent_is_checked_with_its_job_types(tmp_path: Path) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text("id: a1\nbroker: {url: mqtt://b}\njob_types: jobtypes\n")
    (tmp_path / "jobtypes").mkdir()
    (tmp_path / "jobtypes" / "bad.yaml").write_text("name: bad\nscrpt: exit 1\n")
    done = run(path)
    assert done.exit_code == 2
    assert f'{tmp_path}/jobtypes/bad.yaml:2: unknown key "scrpt" (did you mean "script"?)' in done.stdout.splitlines()


def test_a_job_type_whose_box_would_show_the_agents_state_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text("id: a1\nbroker: {url: mqtt://b}\njob_types: jobtypes\nstate_dir: state\n")
    (tmp_path / "jobtypes").mkdir()
    (tmp_path / "jobtypes" / "bad.yaml").write_text(f"name: bad\nscript: exit\nsandbox: {{write: [{tmp_path}]}}\n")
    done = run(path)
    assert done.exit_code == 2
    assert f"its sandbox is to show {tmp_path}, which holds the agent's state_dir {tmp_path}/state" in done.stdout


def test_a_job_type_whose_secret_cannot_be_read_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "agent.yaml").write_text("id: a1\nbroker: {url: 'mqtt://127.0.0.1'}\njob_types: jobtypes\n")
    (tmp_path / "jobtypes").mkdir()
    secrets = "secrets: {KEY: {file: ../key}, DB: {credential: db}}\n"
    (tmp_path / "jobtypes" / "call.yaml").write_text(f"name: call\nscript: exit\n{secrets}")
    done = run(tmp_path / "agent.yaml")
    assert done.exit_code == 2
    assert "its secret KEY cannot be read" in done.stdout
    (tmp_path / "key").write_text("hunter22")
    assert run(tmp_path / "agent.yaml").exit_code == 0


def test_a_job_type_that_needs_more_than_the_host_has_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text("id: a1\nbroker: {url: mqtt://b}\njob_types: jobtypes\nresources: {memory: 2G}\n")
    (tmp_path / "jobtypes").mkdir()
    (tmp_path / "jobtypes" / "train.yaml").write_text("name: train\nscript: exit\nneeds: {memory: 4G}\n")
    done = run(path)
    assert done.exit_code == 2
    assert "its jobs need memory: 4G, and the agent's configuration has memory: 2G" in done.stdout


def test_several_files_are_answered_in_order(tmp_path: Path) -> None:
    missing = tmp_path / "none.yaml"
    done = run(CONFIG / "templates" / "diamond.cwl", missing, CONFIG / "templates" / "test_simple.cwl")
    assert done.exit_code == 2
    assert done.stdout.splitlines() == [
        f"{CONFIG}/templates/diamond.cwl: ok (template)",
        f"{missing}: cannot be read: No such file or directory",
        f"{CONFIG}/templates/test_simple.cwl: ok (template)",
    ]


@pytest.mark.parametrize(
    ("text", "name", "kind"),
    [
        ("id: x\nbroker: {url: mqtt://b}\nattempts: 3", "x.yaml", "manager"),
        ("id: x\nbroker: {url: mqtt://b}\nslots: 3", "x.yaml", "agent"),
        ("id: x\nbroker: {url: mqtt://b}", "my-agent.yaml", "agent"),
        ("id: x\nbroker: {url: mqtt://b}", "manager-2.yaml", "manager"),
        ("cwlVersion: v1.2\nsteps: {}", "x.yaml", "template"),
        (TOOL, "x.cwl", "template"),
        ("name: x\ncommand: [/bin/true]", "x.yaml", "job-type"),
        ("name: x\ninputs: {}\noutputs: {}", "x.yaml", "job-type"),
    ],
)
def test_what_a_file_is_meant_to_be(tmp_path: Path, text: str, name: str, kind: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert json.loads(run("--json", path).stdout)["files"][0]["kind"] == kind


@pytest.mark.parametrize("text", ["", "[]", "id: x\nbroker: {url: mqtt://b}", "colour: red"])
def test_a_file_that_could_be_anything(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    done = run(path)
    assert done.exit_code == 2
    assert "cannot tell what this file is: say --kind manager|agent" in done.stdout


def test_a_kind_can_be_forced(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("id: x\nbroker: {url: mqtt://b}\nslots: 1\n")
    done = run("--kind", "manager", path)
    assert (done.exit_code, done.stdout) == (2, f'{path}:3: unknown key "slots" (did you mean "roots"?)\n')


def test_a_warning_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "tool.cwl"
    path.write_text(TOOL + "hints: {caroni:JobType: {name: x}}\n")
    done = run(path)
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1] == f"{path}: ok (template)"
    assert any(": warning: " in line for line in done.stdout.splitlines())


def test_the_answer_as_json(tmp_path: Path) -> None:
    good, bad = CONFIG / "templates" / "diamond.cwl", tmp_path / "manager.yaml"
    bad.write_text("templates: .\nid: m1\n")
    done = run("--json", good, bad)
    assert done.exit_code == 2
    problem = {
        "where": f"{bad}:1",
        "what": '"broker.url" is missing: write url: mqtt://127.0.0.1:1883',
        "warning": False,
    }
    assert json.loads(done.stdout) == {
        "ok": False,
        "files": [
            {"file": str(good), "kind": "template", "ok": True, "problems": []},
            {"file": str(bad), "kind": "manager", "ok": False, "problems": [problem]},
        ],
    }


def test_no_file_is_wrong_usage() -> None:
    assert run().exit_code == 2


def tree(directory: Path) -> Path:
    """Write a folder of CWL: one workflow that is good, one that needs files, one that is wrong, and a tool."""
    texts = {
        "flows/good": "inputs: {}\noutputs: {}\nsteps: {a: {in: {}, out: [], run: ../tools/t.cwl}}\n",
        "flows/files": "inputs: {x: {type: File, default: {class: File, path: a}}}\noutputs: {}\nsteps: {}\n",
        "flows/wrong": "inputs: {x: Fil}\noutputs: {}\nsteps: {}\n",
    }
    tool = TOOL + "hints: {caroni:JobType: {name: t}}\n"
    for name, text in {**texts, "tools/t": tool, ".git/x": "a: ["}.items():
        path = directory / f"{name}.cwl"
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text if name == "tools/t" else f"cwlVersion: v1.2\nclass: Workflow\n{text}")
    return directory


def test_a_folder_is_checked_with_a_summary_by_reason(tmp_path: Path) -> None:
    folder = tree(tmp_path / "cwl")
    done = run(folder)
    assert done.exit_code == 2
    lines = done.stdout.replace(f"{folder}/", "").splitlines()
    assert [line for line in lines if "warning" not in line] == [
        'flows/files.cwl:3: the default of the input "x": a file that lies elsewhere ("a") is not served yet: give '
        "what is in it as {class: File, basename: …, contents: …}, up to 16 KiB, or pass a URL or a path that both "
        "hosts know, as a string",
        "flows/good.cwl: ok (template)",
        'flows/wrong.cwl:3: the input "x": "Fil" is no type (did you mean "File"?)',
        "tools/t.cwl: ok (template)",
        "4 files: 2 ok, 1 need what is not served yet, 1 with mistakes",
        "       1 need files",
        '       1 the input "…"',
    ]
    answer = json.loads(run(folder, "--json").stdout)
    assert answer["summary"] == {
        "files": 4,
        "ok": 2,
        "read": 3,
        "needs": {"files": 1},
        "mistakes": {'the input "…"': 1},
    }


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    assert run(tmp_path).stdout.splitlines()[0] == f"{tmp_path}: there are no CWL files in this folder"


def test_a_file_may_lead_to_the_templates_of_a_manager_that_is_given_too(tmp_path: Path) -> None:
    folder = tree(tmp_path / "cwl")
    config = tmp_path / "manager.yaml"
    config.write_text("id: m1\nbroker: {url: mqtt://b}\ntemplates: cwl/flows\nroots: [cwl/tools]\n")
    assert run(folder / "flows/good.cwl").exit_code == 2
    assert f"{folder}/flows/good.cwl: ok (template)" in run(config, folder / "flows/good.cwl").stdout


def test_the_plan_is_printed_even_of_what_is_not_served(tmp_path: Path) -> None:
    folder = tree(tmp_path / "cwl")
    done = run(folder / "flows/files.cwl", "--cwl")
    assert json.loads(done.stdout)["inputs"] == [
        {"name": "x", "type": "File", "default": {"class": "File", "path": "a"}}
    ]
    assert 'a file that lies elsewhere ("a") is not served yet' in done.stderr
    assert run(folder / "flows/wrong.cwl", "--cwl").stdout == ""


def test_strict_takes_warnings_for_errors(tmp_path: Path) -> None:
    path = tree(tmp_path / "cwl") / "tools/t.cwl"
    said = 'baseCommand" is left aside'
    assert (run(path).exit_code, said in run(path).stdout) == (0, True)
    strict = run(path, "--strict")
    assert (strict.exit_code, said in strict.stdout, ": warning: " in strict.stdout) == (2, True, False)


def test_triggers_are_checked_with_their_templates_and_their_javascript(tmp_path: Path) -> None:
    pytest.importorskip("quickjs")
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "alarm.cwl").write_text(
        "cwlVersion: v1.2\nclass: Workflow\ninputs: {}\noutputs: {}\nsteps: {}\n"
    )
    path = tmp_path / "manager.yaml"
    path.write_text(
        "id: m1\nbroker: {url: mqtt://127.0.0.1}\ntemplates: templates\ntriggers:\n"
        "  hot:\n    topic: s/#\n    when: $(message.c >)\n    template: alarm\n"
        "  lost:\n    topic: t/#\n    template: alarms\n"
    )
    found = run(path).stdout.splitlines()
    assert found[0].startswith(f"{path}:5: $(message.c >): SyntaxError")
    assert found[1:] == [f'{path}:11: there is no template alarms (did you mean "alarm"?)']
