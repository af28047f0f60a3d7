"""Containers without Docker: compose's files are built and run by podman, on a network that nothing leads out of.

All of podman's is below `build/containers`. The network is a namespace of the test's own: its 127.0.0.1 is nobody
else's, so that the ports may be those of the files.
"""

import ctypes
import fcntl
import json
import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.brokers import find
from tests.packaging.conftest import ROOT
from tests.packaging.machines import bootstrap
from tests.support import wait_until

STORE = ROOT / "build" / "containers"
BASE = "localhost/caroni-edge-base"
BUILD_WITHIN_S = 600.0
HEALTHY_WITHIN_S = 120.0
SERVICE = "com.docker.compose.service"
_CLONE_NEWNET = 0x40000000

STORAGE = """\
[storage]
driver = "overlay"
graphroot = "{store}/images"
runroot = "{store}/run"
"""
# Where nobody may raise a limit, podman must not be asked to.
CONTAINERS = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
[network]
network_backend = "netavark"
network_config_dir = "{store}/networks"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "{store}/tmp"
"""


PROGRAMS = {
    "ip": "iproute2",
    "podman": "podman",
    "podman-compose": "podman-compose",
    "runc": "runc",
    "/usr/lib/podman/netavark": "netavark",
    "/usr/lib/podman/aardvark-dns": "aardvark-dns",
}
CLONED = (
    ".dockerignore",
    "Dockerfile",
    "LICENSE",
    "NOTICE",
    "README.md",
    "agent-docker-compose.yaml",
    "caroni_edge",
    "config",
    "examples/site_stub.py",
    "packaging/containers",
    "pyproject.toml",
    "requirements-dist.lock",
    "web",
    "wf-docker-compose.yaml",
)


class Engine:
    """Podman and compose in a clone of what the walk-through needs, each command as people type it for Docker.

    Attributes:
        clone: Where the commands are typed; its files may be changed.
    """

    def __init__(self, directory: Path) -> None:
        """Prepare all but the images, or skip the test where the kernel does not let us."""
        for program, package in PROGRAMS.items():
            find(program, package)
        if os.geteuid():
            pytest.skip("only root can make the network of containers")
        STORE.mkdir(parents=True, exist_ok=True)
        self._lock = (STORE / "lock").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        (STORE / "storage.conf").write_text(STORAGE.format(store=STORE))
        (STORE / "containers.conf").write_text(CONTAINERS.format(store=STORE))
        self.clone = directory / "clone"
        for path in CLONED:
            copy = shutil.copytree if (ROOT / path).is_dir() else shutil.copy
            (self.clone / path).parent.mkdir(parents=True, exist_ok=True)
            copy(ROOT / path, self.clone / path)
        self._network = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        try:
            self._start_network()
            self._tidy()
            self._import_base()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End all that runs, and remove all but the images."""
        self._tidy()
        self._network.kill()
        self._network.wait()
        self._lock.close()

    def run(self, *words: str | Path, typed: str = "") -> str:
        """Run a command that succeeds, and return what it prints."""
        done = self.status(*words, typed=typed)
        assert done.returncode == 0, f"{' '.join(map(str, words))}: {done.stdout}{done.stderr}"
        return done.stdout

    def status(self, *words: str | Path, typed: str = "") -> "subprocess.CompletedProcess[str]":
        """Run a command, which may fail."""
        with self.inside():
            return self._run(*words, typed=typed)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Let this thread, and what it starts, be on the network that has the containers' published ports."""
        with Path("/proc/thread-self/ns/net").open() as ours, Path(f"/proc/{self._network.pid}/ns/net").open() as its:
            _enter(its.fileno())
            try:
                yield
            finally:
                _enter(ours.fileno())

    def compose(self, file: str, *words: str) -> str:
        """Run a command of compose."""
        return self.run("podman-compose", "--file", file, *words)

    def build(self, file: str, *services: str) -> None:
        """Build the images of services."""
        certificates = ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt"
        trust = STORE / "pip.conf"
        trust.write_text("[global]\ncert = /run/certificates.pem\n")  # as this machine, which may be behind a proxy
        options = f"--layers=false -v {certificates}:/run/certificates.pem:ro -v {trust}:/etc/pip.conf:ro"
        # Out of here, on this machine's network: packages come from registries.
        done = self._run("podman-compose", "--file", file, f"--podman-build-args={options}", "build", *services)
        said = done.stdout + done.stderr
        assert said.count("exit code: 0") == len(services), said  # compose's own is always 0
        self.run("podman", "image", "prune", "--force")

    def container(self, service: str) -> str:
        """Return the name of a service's container, which may have ended."""
        named = self.run("podman", "ps", "--all", "--filter", f"label={SERVICE}={service}", "--format", "{{.Names}}")
        return named.strip()

    def inspect(self, kind: str, name: str) -> dict[str, Any]:
        """Return what podman knows of a container or an image."""
        (found,) = json.loads(self.run("podman", kind, "inspect", name))
        return dict(found)

    def wait_healthy(self, *services: str) -> None:
        """Ask for the services' health, as Docker does every few seconds, until it is good."""
        for service in services:
            name = self.container(service)

            def look(name: str = name) -> bool:
                return self.status("podman", "healthcheck", "run", name).returncode == 0

            wait_until(look, HEALTHY_WITHIN_S, f"{service} to be healthy", every_s=0.2)

    def log(self, service: str) -> str:
        """Return what a service has said."""
        done = self.status("podman", "logs", self.container(service))
        return done.stdout + done.stderr

    def _run(self, *words: str | Path, typed: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            words,
            check=False,
            cwd=self.clone,
            env=self._environ(),
            input=typed,
            capture_output=True,
            text=True,
            timeout=BUILD_WITHIN_S,
        )

    def _environ(self) -> dict[str, str]:
        return {
            **os.environ,
            "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin",
            "CONTAINERS_CONF": str(STORE / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(STORE / "storage.conf"),
            "BUILDAH_FORMAT": "docker",  # the other one has no health checks
            "BUILDAH_ISOLATION": "chroot",
            "BASE_IMAGE": BASE,
        }

    def _start_network(self) -> None:
        ours = os.readlink("/proc/self/ns/net")

        def is_there() -> bool:
            if self._network.poll() is not None:
                pytest.skip("the kernel lets us make no network")
            return os.readlink(f"/proc/{self._network.pid}/ns/net") != ours

        wait_until(is_there, what="a network of our own")
        self.run("ip", "link", "set", "lo", "up")

    def _tidy(self) -> None:
        """Remove what runs, or what a test that was killed has left."""
        self.run("podman", "rm", "--all", "--force", "--volumes")
        self.run("podman", "volume", "prune", "--force")
        self.run("podman", "network", "prune", "--force")

    def _import_base(self) -> None:
        """Make a base image of a Debian, once, and see whether a container runs here at all."""
        if self.status("podman", "image", "exists", BASE).returncode:
            root, packed = bootstrap(ROOT / "build" / "debian"), STORE / "base.tar"
            self.run("tar", "--create", "--file", packed, "--directory", root, ".")
            self.run("podman", "import", packed, BASE)
            packed.unlink()
        done = self.status("podman", "run", "--rm", BASE, "true")
        if done.returncode:
            pytest.skip(f"the kernel does not let us run a container: {done.stderr[-500:]}")


def _enter(network: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.setns(network, _CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
