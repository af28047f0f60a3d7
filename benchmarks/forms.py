"""What the program takes in each form that it is installed in: to start, until it is ready, with nothing to do.

Nobody looks at the daemons until they have been idle for a while. Then it is measured what their first answer takes,
and what they have from then on. Give it the program of each form; they are run on this machine, on a mosquitto of
their own. Times are processor time, which a busy machine does not change much. Prints a table on standard error and
JSON on standard output.

    python benchmarks/forms.py dist/caroni-edge-*-linux-amd64 /usr/bin/caroni-edge .venv/bin/caroni-edge
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psutil
import yaml

from benchmarks.chains import ROOT, run, start_mosquitto
from caroni_edge.node.service import CONNECTED
from tests.support import free_port

VERSIONS = 5
IDLE_S = 20.0
READY_WITHIN_S = 60.0
MIB = 1 << 20


def main() -> None:
    """Measure each form, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("programs", nargs="+", help="the program of each form")
    report = {}
    for program in parser.parse_args().programs:
        report[program] = of_form(str(Path(program).absolute()))
        print(f"{program}: {'  '.join(f'{key} {value}' for key, value in report[program].items())}", file=sys.stderr)
    print(json.dumps(report))


def of_form(program: str) -> dict[str, Any]:
    """Return what one form takes."""
    found: dict[str, Any] = {"version_s": min(version_s(program) for _ in range(VERSIONS))}
    with ExitStack() as opened:
        directory = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="caroni-bench-")))
        port = start_mosquitto(directory, opened)
        files = {"manager": {"templates": "templates"}, "agent": {"job_types": "jobtypes", "disk_floor": "1M"}}
        started = {role: start(program, role, port, directory, opened, more) for role, more in files.items()}
        for role, daemon in started.items():
            found[f"{role}_ready_s"] = daemon.ready_s
        time.sleep(IDLE_S)
        for role, daemon in started.items():
            found[f"{role}_mib"] = pss_mib(family(daemon.pid))
        found["keeper_mib"] = pss_mib(keepers(directory))
        for role, daemon in started.items():
            before_s, began = processor_s(daemon.pid), time.monotonic()
            httpx.get(f"http://127.0.0.1:{daemon.page}/healthz", timeout=READY_WITHIN_S).raise_for_status()
            found[f"{role}_first_answer_s"] = round(time.monotonic() - began, 2)
            found[f"{role}_first_answer_processor_s"] = round(processor_s(daemon.pid) - before_s, 2)
        for role, daemon in started.items():
            found[f"{role}_looked_at_mib"] = pss_mib(family(daemon.pid))
    return found


def version_s(program: str) -> float:
    """Return how much processor time `--version` takes."""
    before = os.times()
    subprocess.run([program, "--version"], check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return round(after.children_user + after.children_system - before.children_user - before.children_system, 2)


class Started(NamedTuple):
    """A daemon that is ready: its process, its port, and the processor time until then."""

    pid: int
    page: int
    ready_s: float


def start(program: str, role: str, port: int, directory: Path, opened: ExitStack, more: dict[str, Any]) -> Started:
    """Start a daemon, and wait until it says that it is ready, as systemd does: a look at its page would change it."""
    page, config, address = free_port(), directory / f"{role}.yaml", directory / f"{role}.notify"
    broker = {"url": f"mqtt://127.0.0.1:{port}", "username": role}
    paths = {key: str(ROOT / "config" / value) if key != "disk_floor" else value for key, value in more.items()}
    facts = {"id": role, "state_dir": str(directory / role), "broker": broker, "web": {"port": page}}
    config.write_text(yaml.safe_dump({**facts, **paths}))
    told = opened.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    told.bind(str(address))
    told.settimeout(READY_WITHIN_S)
    log = directory / f"{role}.log"
    process = run(opened, ["env", f"NOTIFY_SOCKET={address}", program, role, "--config", str(config)], log)
    said = ""
    try:
        while not ("READY=1" in said and f"STATUS={CONNECTED}" in said):
            said += told.recv(4096).decode()
    except TimeoutError:
        sys.exit(f"{role} is not ready: {log.read_text()}")
    return Started(process.pid, page, processor_s(process.pid))


def processor_s(pid: int) -> float:
    """Return the processor time that a daemon has taken so far."""
    return round(sum(sum(each.cpu_times()[:2]) for each in family(pid)), 2)


def family(pid: int) -> list[psutil.Process]:
    """Return a daemon with what has unpacked it, and without a keeper: one in a box is a child of the agent."""
    process = psutil.Process(pid)
    return [process, *(each for each in process.children(recursive=True) if not is_keeper(each))]


def keepers(directory: Path) -> Iterator[psutil.Process]:
    """Yield the processes of the keeper whose jobs are in `directory`; they end with the benchmark, by themselves."""
    for process in psutil.process_iter(["cmdline"]):
        if is_keeper(process) and any(str(directory) in word for word in process.info["cmdline"] or ()):
            yield process


def is_keeper(process: psutil.Process) -> bool:
    """Tell whether a process is a keeper, or the box around one."""
    try:
        return "keeper" in " ".join(process.cmdline())
    except psutil.Error:  # it has ended, or is nobody's
        return False


def pss_mib(processes: Iterable[psutil.Process]) -> float:
    """Return the memory of processes as the kernel counts it for them alone: of what several share, their part."""
    pss_bytes: int = sum(each.memory_full_info().pss for each in processes)
    return round(pss_bytes / MIB, 1)


if __name__ == "__main__":
    main()
