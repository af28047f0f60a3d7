"""An empty Debian with systemd, booted in a container of its own, without a network but loopback."""

import fcntl
import os
import shutil
import signal
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from tests.brokers import find
from tests.support import wait_until

PACKAGES = ("bubblewrap", "curl", "dbus", "mosquitto", "mosquitto-clients", "procps", "systemd", "systemd-sysv")
BOOT_WITHIN_S = 180.0
COMMAND_WITHIN_S = 120.0


def bootstrap(directory: Path) -> Path:
    """Return a Debian with `PACKAGES`, beside others that were made with others; it is made once and then only read."""
    debootstrap = find("debootstrap", "debootstrap")
    directory = directory.with_name(f"{directory.name}-{sha256(' '.join(PACKAGES).encode()).hexdigest()[:8]}")
    directory.parent.mkdir(parents=True, exist_ok=True)
    with directory.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.exists():
            making = directory.with_suffix(".new")
            shutil.rmtree(making, ignore_errors=True)
            words = ["--variant=minbase", f"--include={','.join(PACKAGES)}", "bookworm", str(making)]
            made = subprocess.run([debootstrap, *words], check=False, capture_output=True, text=True)
            if made.returncode:
                pytest.skip(f"debootstrap cannot make a Debian here: {made.stdout[-500:]}")
            making.rename(directory)
    return directory


class Machine:
    """A booted Debian; what changes in it is gone with it."""

    def __init__(self, root: Path, shared: Path, log: Path) -> None:
        """Boot it, or skip the test where the kernel does not let us; `shared` is there as /mnt."""
        nspawn = find("systemd-nspawn", "systemd-container")
        if os.geteuid():
            pytest.skip("only root can boot a container")
        Path("/run/systemd/nspawn").mkdir(parents=True, exist_ok=True)
        words = ["--register=no", "--keep-unit", "--boot", "--volatile=overlay", "--private-network"]
        with log.open("wb") as said:
            self._process = subprocess.Popen(
                [nspawn, *words, f"--directory={root}", f"--bind-ro={shared}:/mnt"],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )
        try:
            wait_until(self._is_up, BOOT_WITHIN_S, "the Debian to boot", every_s=0.2)
        except AssertionError:
            self.close()
            pytest.skip(f"a Debian cannot be booted here: {log.read_text(errors='replace')[-500:]}")

    def close(self) -> None:
        """Switch it off."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def run(self, command: str) -> str:
        """Run a command of the shell that succeeds, and return what it says."""
        done = self._run(command)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def file(self, path: str) -> Path:
        """Return the path by which the host sees a file of the machine; the path may not lead through links."""
        (leader,) = self._children()
        return Path(f"/proc/{leader}/root{path}")

    def status(self, command: str) -> int:
        """Run a command of the shell, and return its exit status."""
        return self._run(command).returncode

    def _run(self, command: str) -> "subprocess.CompletedProcess[str]":
        (leader,) = self._children()
        spaces = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd")
        clean = ("env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8")
        return subprocess.run(
            ["nsenter", "--target", leader, *spaces, *clean, "sh", "-c", command],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_WITHIN_S,
        )

    def _children(self) -> list[str]:
        return Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()

    def _is_up(self) -> bool:
        assert self._process.poll() is None, "it has ended"
        if not self._children():
            return False
        # Degraded: something that we do not need could not be started in a container.
        return self._run("systemctl is-system-running").stdout.strip() in {"running", "degraded"}
