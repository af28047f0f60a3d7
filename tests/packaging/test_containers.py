"""README's walk-through with containers, command by command, by podman in Docker's place."""

import json
import os
import re
import shlex
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from caroni_edge import __version__
from tests.packaging.conftest import ROOT
from tests.packaging.containers import BASE, Engine
from tests.support import wait_until

pytestmark = pytest.mark.timeout(900)  # it builds two images, and perhaps a Debian

WF, AGENTS = "wf-docker-compose.yaml", "agent-docker-compose.yaml"
IMAGE = "localhost/caroni-edge"
OURS_MAX_BYTES = 88 << 20
PAGES = {8000: "manager", 8001: "a1", 8002: "a2"}
OWN = """name: own
inputs: {message: string}
outputs: {jobout: string}
script: |
  echo "jobout=$(id -u) $CARONI_ENV_message" >> "$CARONI_OUTPUTS"
"""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(tmp_path)
    yield engine
    engine.close()


def typed() -> list[list[str]]:
    """Return the lines of each block of commands of README's section."""
    _, _, rest = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## In containers\n")
    blocks = re.findall(r"^```sh\n(.*?)^```$", rest.partition("\n## ")[0], re.MULTILINE | re.DOTALL)
    return [block.splitlines() for block in blocks]


def docker(engine: Engine, line: str) -> None:
    """Do what a line says to Docker."""
    match shlex.split(line):
        case ["docker", "network", *words]:
            engine.run("podman", "network", *words)
        case ["docker", "compose", "-f", file, "up", "--detach", "--wait"]:
            engine.compose(file, "up", "--detach")
            engine.wait_healthy(*(["a1", "a2"] if file == AGENTS else ["broker", "manager"]))
        case ["docker", "compose", "-f", _, "exec", service, *words]:
            engine.run("podman", "exec", engine.container(service), *words)
        case ["docker", "compose", "-f", file, *words]:
            engine.compose(file, *words)
        case words:
            pytest.fail(f"README has a command that this test does not know: {words}")


def on_the_site(engine: Engine, *lines: str) -> list[str]:
    """Type lines in the stub of the web site, and return what they print."""
    command = ("podman", "exec", "--interactive", engine.container("sitestub"), "bash", "-e")
    return engine.run(*command, typed="\n".join(lines)).splitlines()


def test_the_walk_through(engine: Engine) -> None:
    engine.build(WF, "broker", "manager")
    look_at_the_image(engine)
    start, go, site, read_again, end = typed()
    for line in start:
        docker(engine, line)
    assert go == [f"docker compose -f {WF} exec sitestub bash"]
    assert on_the_site(engine, *site) == ["prepended CARONIROCKSappend", "prepended WORDS OF YOUR OWNappend"]
    look_at_the_pages(engine)
    add_a_job_type_and_a_template(engine, read_again)
    leave_an_orphan(engine)
    kill_the_manager(engine)
    lose_the_broker(engine)
    stop_all(engine)
    for line in end:
        docker(engine, line)
    left = (("ps", "--all"), ("volume", "ls"))
    assert [engine.run("podman", *words, "--quiet") for words in left] == ["", ""]


def look_at_the_image(engine: Engine) -> None:
    """It is small, runs as anybody, and says what is wrong with a configuration."""
    image = engine.inspect("image", IMAGE)
    assert image["Size"] - engine.inspect("image", BASE)["Size"] < OURS_MAX_BYTES
    assert image["User"] == "990:990"
    once = ("podman", "run", "--rm", "--read-only", "--user", "12345", "--network", "none")
    assert engine.run(*once, IMAGE, "--version") == f"caroni-edge {__version__}\n"
    assert engine.status(*once, "--entrypoint", "pip", IMAGE).returncode == 127
    done = engine.status(*once, "--env", "CARONI_EDGE_ID=Two words", IMAGE, "manager", "--config", "/nowhere.yaml")
    assert done.returncode == 2
    assert "/nowhere.yaml" in done.stdout + done.stderr


def look_at_the_pages(engine: Engine) -> None:
    """/admin leads to the form to log in, and from there to the page; the demo's login opens it."""
    as_browsers_do = {"Accept": "text/html"}
    login = {"username": "admin", "password": "password", "next": "/admin"}
    with engine.inside(), httpx.Client(headers=as_browsers_do, follow_redirects=True, trust_env=False) as browser:
        for port, name in PAGES.items():
            form = browser.get(f"http://127.0.0.1:{port}/admin")
            assert form.url.path == "/login", name
            page = browser.post(f"http://127.0.0.1:{port}/login", data=login)
            assert (page.status_code, page.url.path) == (200, "/"), name


def add_a_job_type_and_a_template(engine: Engine, read_again: list[str]) -> None:
    """Add what people write themselves; its job runs as the container's user."""
    (engine.clone / "config" / "jobtypes" / "own.yaml").write_text(OWN)
    template = (engine.clone / "config" / "templates" / "test_simple.cwl").read_text()
    (engine.clone / "config" / "templates" / "own.cwl").write_text(template.replace("foojob0", "own"))
    for line in read_again:
        docker(engine, line)
    wait_until(lambda: all("reloaded" in engine.log(name) for name in PAGES.values()), what="all to have read it")
    program = "import site_stub; print(site_stub.run('own', {'message': 'x'})['result'])"
    assert on_the_site(engine, f'python -c "{program}"') == ["prepended 990 xappend"]


def leave_an_orphan(engine: Engine) -> None:
    """Let a process lose its parent: when it has ended, nothing of it stays."""
    inside = ("podman", "exec", engine.container("a1"), "bash", "-c")
    orphan = engine.run(*inside, "sleep 0.1 >/dev/null 2>&1 & echo $!").strip()
    wait_until(lambda: engine.status(*inside, f"[ -e /proc/{orphan} ]").returncode, what="no zombie to be left")


def kill_the_manager(engine: Engine) -> None:
    """The daemon dies: its container is started anew by itself, and knows what it knew."""
    name = engine.container("manager")
    first = engine.inspect("container", name)["State"]["Pid"]
    (daemon,) = Path(f"/proc/{first}/task/{first}/children").read_text().split()
    os.kill(int(daemon), signal.SIGKILL)
    wait_until(lambda: engine.inspect("container", name)["State"]["Pid"] not in {0, first}, what="another one")
    engine.wait_healthy("manager")
    assert on_the_site(engine, "python site_stub.py again") == ["prepended AGAINappend"]
    status = ("caroni-edge", "status", "--config", "/etc/caroni-edge/manager.yaml", "--json")
    listed = json.loads(engine.run("podman", "exec", name, *status))["workflows"]
    assert [each["status"] for each in listed] == ["completed"] * 4


def lose_the_broker(engine: Engine) -> None:
    """While the broker is away all who need it say so, and work goes on when it is back."""
    engine.run("podman", "stop", engine.container("broker"))
    done = engine.status("podman", "exec", engine.container("sitestub"), "python", "site_stub.py", "x")
    assert done.returncode == 1
    assert "The broker broker:1884 cannot be reached: " in done.stderr
    asked = ("podman", "healthcheck", "run", engine.container("manager"))
    wait_until(lambda: engine.status(*asked).returncode, what="the manager to say that it is not well")
    engine.run("podman", "start", engine.container("broker"))
    engine.wait_healthy("broker", "manager", "a1", "a2")
    assert on_the_site(engine, "python site_stub.py back") == ["prepended BACKappend"]


def stop_all(engine: Engine) -> None:
    """Each ends by itself when it is asked to, and none has to be killed."""
    for service in ("a1", "a2", "manager", "broker"):
        engine.run("podman", "stop", engine.container(service))
        assert engine.inspect("container", engine.container(service))["State"]["ExitCode"] == 0, engine.log(service)
