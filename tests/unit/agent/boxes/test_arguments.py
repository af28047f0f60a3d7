"""How bubblewrap is asked for a box."""

from pathlib import Path

import pytest

from caroni_edge.agent.boxes import each, shared, view
from caroni_edge.agent.boxes.view import Hidden
from caroni_edge.agent.boxes.wanted import Sandbox

STATE = "/var/lib/caroni-edge/agent"
HIDDEN = Hidden(STATE, ("/srv/state",), ("/etc/caroni-edge/a1.pw", "/data/secret"))


def pairs(words: list[str], option: str) -> list[str]:
    """Return what follows an option, each time."""
    return [words[index + 1] for index, word in enumerate(words) if word == option]


def sources(words: list[str]) -> dict[str, str]:
    """Return what is bound, by where it is seen; the last counts."""
    return {
        words[index + 2]: words[index + 1]
        for index, word in enumerate(words)
        if word in {"--bind", "--ro-bind", "--ro-bind-try", "--dev-bind"}
    }


def for_job(sandbox: Sandbox, calls: str = f"{STATE}/calls.filter") -> list[str]:
    opened: list[str] = []

    def descriptor(path: str) -> int:
        opened.append(path)
        return 2 + len(opened)

    work = f"{STATE}/jobs/j/work"
    script = f"{STATE}/scripts/v"
    return each.arguments(
        "bwrap",
        HIDDEN,
        sandbox,
        as_root=False,
        calls=calls,
        opened=descriptor,
        readable=(script,),
        writable=(work,),
        work=work,
    )


def test_the_shared_box_hides_the_agents_files_and_shows_its_jobs() -> None:
    words = shared.arguments("bwrap", HIDDEN, as_root=False)
    assert pairs(words, "--tmpfs") == ["/srv/state", STATE]
    assert sources(words)["/etc/caroni-edge/a1.pw"] == "/dev/null"
    order = [words.index(each) for each in ("/", STATE, f"{STATE}/jobs", f"{STATE}/scripts")]
    assert order == sorted(order), "what is hidden comes after the host, and what is shown after that"
    assert words[words.index(f"{STATE}/scripts") - 1] == "--ro-bind"
    assert "--die-with-parent" not in words, "it outlives the agent"
    assert words[-1] == "--"


def test_an_agent_that_is_root_shares_no_settings_of_the_kernel_with_its_jobs() -> None:
    assert "/proc/sys" in sources(shared.arguments("bwrap", HIDDEN, as_root=True))
    assert "/proc/sys" not in sources(shared.arguments("bwrap", HIDDEN, as_root=False))


def test_a_box_of_its_own_shows_what_was_asked_for_and_nothing_of_the_agent() -> None:
    words = for_job(Sandbox(each=True, read=("/data", "/dev/video0"), write=("/srv",)))
    seen = sources(words)
    assert words[words.index("/data") - 1] == "--ro-bind"
    assert words[words.index("/dev/video0") - 1] == "--dev-bind"
    assert words[words.index("/srv") - 1] == "--bind"
    assert seen["/data/secret"] == "/dev/null", "it lies in what was asked for"
    assert "/etc/caroni-edge/a1.pw" not in seen
    assert "/srv/state" in pairs(words, "--tmpfs")
    assert not {"/", "/etc", "/home", "/proc/sys"} & seen.keys()
    assert words[words.index(f"{STATE}/scripts/v") - 1] == "--ro-bind"
    assert words[words.index(f"{STATE}/jobs/j/work") - 1] == "--bind"


def test_the_state_stays_hidden_in_what_was_asked_for_but_for_the_jobs_own_files() -> None:
    words = for_job(Sandbox(each=True, read=("/var",)))
    last = len(words) - 1 - words[::-1].index(STATE)
    assert words.index("/var") < last < words.index(f"{STATE}/scripts/v")


@pytest.mark.parametrize(("network", "expected"), [(True, 0), (False, 1)])
def test_the_network_is_taken_where_that_is_asked(network: bool, expected: int) -> None:
    assert for_job(Sandbox(each=True, network=network)).count("--unshare-net") == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/var/lib", "holds"),
        ("/", "holds"),
        (STATE, "holds"),
        (f"{STATE}/state.db", "is in"),
        ("/var/lib/caroni-edge/agent2", ""),
        ("/data", ""),
    ],
)
def test_no_box_is_asked_for_the_agents_state(path: str, expected: str) -> None:
    said = view.clash(["/data", path], Path(STATE))
    assert said == (
        expected and f"its sandbox is to show {path}, which {expected} the agent's state_dir {STATE}: name other paths"
    )


def test_system_calls_are_filtered_where_there_is_a_filter() -> None:
    assert pairs(for_job(Sandbox(each=True)), "--seccomp") == ["3"]
    assert pairs(for_job(Sandbox(each=True), calls=""), "--seccomp") == []


def test_what_everybody_may_know_of_etc_is_copied_or_leads_to_usr_and_only_the_rest_is_mounted() -> None:
    words = for_job(Sandbox(each=True))
    passwd = words.index("/etc/passwd")
    assert words[passwd - 4 : passwd - 1] == ["--perms", "0444", "--file"]
    assert words[passwd - 1] in {str(number) for number in range(4, 4 + len(each.PUBLIC))}
    assert "/etc/shadow" not in words
    mounted = [path for path in sources(words) if path.startswith("/etc/")]
    assert [path for path in mounted if Path(path).is_file() and each._is_copied(path)] == []


@pytest.mark.parametrize(("size", "mode", "expected"), [(7, 0o644, True), (7, 0o640, False), (300 << 10, 0o644, False)])
def test_only_small_files_that_everybody_may_read_are_copied(
    tmp_path: Path, size: int, mode: int, expected: bool
) -> None:
    file = tmp_path / "hosts"
    file.write_bytes(bytes(size))
    file.chmod(mode)
    assert each._is_copied(str(file)) is expected
    assert not each._is_copied(str(tmp_path))


def test_a_directory_is_found_by_all_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = [
        view._Mount("8:1", "/", "/"),
        view._Mount("8:2", "/", "/var"),
        view._Mount("8:2", "/lib", "/srv/lib"),
        view._Mount("8:2", "/log", "/srv/log"),
        view._Mount("8:3", "/", "/data"),
    ]
    monkeypatch.setattr(view, "_is_same", lambda *_: True)
    assert list(view._other_names("/var/lib/agent", mounts)) == ["/srv/lib/agent"]


def test_a_mount_with_a_space_in_its_name_is_read() -> None:
    assert view._plain("/a\\040b/\xe9") == "/a b/\xe9"
