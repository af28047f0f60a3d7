"""Checks a release before anybody gets it: `make release-check`.

Everything is made twice from clones of the commit, and tried where nothing of this checkout is. Each line of the
summary says what was made, what was tried and what that showed. What was made is in `dist/release`.
"""

import argparse
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from tools.release_work import (
    ROOT,
    SAYS,
    WORK,
    Fault,
    Release,
    Skipped,
    build,
    clone,
    difference,
    files_of,
    glibc_versions,
    run,
    size,
    try_program,
)

RELEASED = ROOT / "dist" / "release"
SIZE_MAX_BYTES = 20 << 20
GLIBC_NEWEST = (2, 36)
"""Of Debian 12, the oldest system that the binary runs on (`packaging/debian/control`)."""


Check = Callable[[Release], str]


def check_version(release: Release) -> str:
    """The version: one, in one place, and the tag's."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", release.version):
        raise Fault(f"__version__ is {release.version}, and should be like 1.2.3")
    text = (release.source / "pyproject.toml").read_text(encoding="utf-8")
    if re.search(r"^version\s*=\s*\"", text, re.MULTILINE):
        raise Fault("pyproject.toml has a version of its own; it is in caroni_edge/__init__.py alone")
    tags = run("git", "tag", "--points-at", "HEAD", "v*", where=ROOT).split()
    if not tags:
        return f"{release.version}; this commit has no tag yet: a rehearsal"
    if tags != [f"v{release.version}"]:
        raise Fault(f"the commit has the tag {' '.join(tags)}, and its version is {release.version}")
    return f"{release.version}, as the tag {tags[0]}"


def check_changelog(release: Release) -> str:
    """The changelog: what is released has its version and date, and there is something to tell."""
    text = (release.source / "CHANGELOG.md").read_text(encoding="utf-8")
    head, _, body = text.partition("\n## [")[2].partition("\n")
    lines = [line for line in body.partition("\n## [")[0].splitlines() if line.startswith("- ")]
    if not lines:
        raise Fault(f"CHANGELOG.md tells nothing under [{head}")
    tagged = bool(run("git", "tag", "--points-at", "HEAD", "v*", where=ROOT).split())
    if tagged and not re.fullmatch(rf"{re.escape(release.version)}\] - \d{{4}}-\d\d-\d\d", head):
        raise Fault(f"the first section of CHANGELOG.md is [{head}, and should be [{release.version}] - YEAR-MONTH-DAY")
    return f"{len(lines)} changes under [{head}"


def check_tree(release: Release) -> str:
    """The tree: all is committed, since nothing else is released."""
    if changed := run("git", "status", "--porcelain", where=ROOT):
        raise Fault(f"not committed, and so not released: {' '.join(changed.split()[1::2][:5])}")
    commit = run("git", "rev-parse", "HEAD", where=ROOT)[:12]
    return f"{commit}, {len(run('git', 'ls-files', where=release.source).splitlines())} files"


def check_python(release: Release) -> str:
    """The packages for pip: all files are in the wheel and no other, and the demo runs from a new environment."""
    build(release.source, "wheel", "build/venv/bin/python", "tools/python_packages.py")
    with zipfile.ZipFile(release.wheel) as packed:
        found = {name for name in packed.namelist() if name.startswith("caroni_edge/")}
    with tarfile.open(release.sdist) as packed_source:
        names = {name.partition("/")[2] for name in packed_source.getnames()}
    ours = set(files_of(release.source / "caroni_edge"))
    for what, has in (("wheel", found), ("source package", {name for name in names if name in ours})):
        if wrong := sorted(ours ^ has):
            raise Fault(f"the {what} lacks what is here, or has what is not: {' '.join(wrong[:5])}")
    with tempfile.TemporaryDirectory() as empty:
        python = f"{empty}/venv/bin/python"
        run(sys.executable, "-m", "venv", f"{empty}/venv", where=Path(empty))
        pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        run(*pip, "--require-hashes", "--requirement", str(release.source / "requirements.lock"), where=Path(empty))
        run(*pip, "--no-deps", str(release.wheel), where=Path(empty))
        run(python, "-m", "pip", "check", where=Path(empty))
        took_s = try_program(release, [f"{empty}/venv/bin/caroni-edge"])
    return f"{len(found)} files, wheel {size(release.wheel)}, source {size(release.sdist)}; demo in {took_s:.1f} s"


def check_binary(release: Release) -> str:
    """The program in one file: small, for Debian 12, and the demo runs where there is no Python."""
    build(release.source, "binary", "tools/dist.sh")
    binary = release.binary(release.arch)
    if binary.stat().st_size > SIZE_MAX_BYTES:
        raise Fault(f"it has {size(binary)}, and may have {SIZE_MAX_BYTES >> 20} MiB")
    newest = max(glibc_versions(release.source / "build" / "dist" / "folder"))
    if newest > GLIBC_NEWEST:
        raise Fault(f"it needs glibc {newest[0]}.{newest[1]}; make it on Debian 12, whose glibc is 2.36")
    took_s = try_program(release, [str(binary)])
    return f"{size(binary)}, needs glibc {newest[0]}.{newest[1]}; demo in {took_s:.1f} s"


def check_deb(release: Release) -> str:
    """The Debian package: its version is ours, and lintian has nothing to say."""
    build(release.source, "deb", "tools/deb.sh", BUILT="1")
    package = release.package(release.arch)
    if (said := run("dpkg-deb", "--field", str(package), "Version", where=WORK)) != release.version:
        raise Fault(f"it says that it is {said}")
    names = run("dpkg-deb", "--contents", str(package), where=WORK)
    if missing := [each for each in ("manager.service", "agent.service", "/bin/caroni-edge") if each not in names]:
        raise Fault(f"it lacks {' '.join(missing)}")
    run("lintian", "--fail-on", "error,warning", "--allow-root", str(package), where=WORK)
    return f"{size(package)}, lintian has nothing to say"


def check_arm64(release: Release) -> str:
    """The program and the package for arm64: made in an emulated Debian, and the demo runs in there."""
    if release.arch == "arm64":
        raise Skipped("this machine is one: the lines above are about arm64")
    if os.geteuid():
        raise Skipped("only root can make a Debian of another architecture")
    debian = str(ROOT / "build" / "debian-arm64")
    build(release.source, "arm64", "tools/deb.sh", ARCH="arm64", EMULATED_DEBIAN=debian)
    binary = release.binary("arm64")
    inside = ["tools/emulated.sh", "arm64", "env", "-i", "HOME=/tmp", f"/src/dist/{binary.name}", "demo"]
    began = time.monotonic()
    if not run(*inside, where=release.source, EMULATED_DEBIAN=debian).endswith(SAYS):
        raise Fault("its demo shows another result")
    took_s = time.monotonic() - began
    return f"{size(binary)}, package {size(release.package('arm64'))}; demo in {took_s:.0f} s, emulated"


def check_container(release: Release) -> str:
    """The container: built from the commit, and the demo runs in it."""
    if not shutil.which("docker") or subprocess.run(["docker", "info"], check=False, capture_output=True).returncode:
        raise Skipped("no docker answers here; `make test` tries it with podman, the workflow `release` with docker")
    image = f"caroni-edge:{release.version}"
    build(release.source, "container", "docker", "build", "--tag", image, ".")
    if not run("docker", "run", "--rm", image, "demo", where=WORK).endswith(SAYS):
        raise Fault("its demo shows another result")
    size_bytes = int(run("docker", "image", "inspect", "--format", "{{.Size}}", image, where=WORK))
    return f"{image}, {size_bytes / 1e6:.0f} MB; its demo runs"


def check_bill(release: Release) -> str:
    """The bill of materials: of this version, with the packages that the lock has."""
    text = (release.source / "requirements-dist.lock").read_text(encoding="utf-8")
    locked = dict(re.findall(r"^([a-z0-9-]+)==([^ ]+)", text, re.MULTILINE))
    bills = sorted(release.made.glob("*.cdx.json"))
    for path in bills:
        bill = json.loads(path.read_bytes())
        if bill["metadata"]["component"]["version"] != release.version:
            raise Fault(f"{path.name} is of another version")
        named = {each["name"]: each["version"] for each in bill["components"] if "purl" in each}
        if wrong := [name for name, version in named.items() if locked.get(name) != version]:
            raise Fault(f"{path.name}: not as in requirements-dist.lock: {' '.join(wrong)}")
        if not named:
            raise Fault(f"{path.name} names no packages")
    if not bills:
        raise Fault("there is none")
    return f"{len(bills)} in CycloneDX; the last names {len(bill['components'])} components"


def check_again(release: Release) -> str:
    """Made again in another clone: the same bytes."""
    for name, command, environ in (
        ("binary", "tools/dist.sh", {}),
        ("deb", "tools/deb.sh", {"BUILT": "1"}),
        ("wheel", "build/venv/bin/python tools/python_packages.py", {}),
    ):
        build(release.again, f"{name}-again", *command.split(), **environ)
    first = [release.sdist, release.wheel, release.binary(release.arch), release.package(release.arch)]
    first.append(Path(f"{release.binary(release.arch)}.cdx.json"))
    for path in first:
        if differs := difference(path, release.again / "dist" / path.name):
            raise Fault(f"{path.name}: {differs}")
    return f"{len(first)} files, byte for byte"


def check_sums(release: Release) -> str:
    """The checksums: of all that is released, which is in dist/release."""
    shutil.rmtree(RELEASED, ignore_errors=True)
    RELEASED.mkdir(parents=True)
    for path in sorted(release.made.glob("caroni*")):
        shutil.copy(path, RELEASED)
    names = sorted(path.name for path in RELEASED.iterdir())
    sums = [f"{hashlib.sha256((RELEASED / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (RELEASED / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")
    run("sha256sum", "--check", "--strict", "SHA256SUMS", where=RELEASED)
    return f"of {len(names)} files"


CHECKS: dict[str, Check] = {
    "version": check_version,
    "changelog": check_changelog,
    "tree": check_tree,
    "binary": check_binary,
    "python": check_python,
    "deb": check_deb,
    "arm64": check_arm64,
    "container": check_container,
    "bill": check_bill,
    "again": check_again,
    "sums": check_sums,
}


def main() -> int:
    """Check as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--without", action="append", default=[], choices=list(CHECKS), help="leave a check out")
    without = set(parser.parse_args().without)
    WORK.parent.mkdir(exist_ok=True)
    with WORK.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another release-check of this checkout is at work; wait for its end.", file=sys.stderr)
            return 1
        return check_all(without)


def check_all(without: set[str]) -> int:
    """Check all but what is to be left out, print the summary, and return 1 if there is a fault."""
    release = clone()
    faults = sum(_check(name, check, release) for name, check in CHECKS.items() if name not in without)
    left_out = f"; left out: {', '.join(sorted(without))}" if without else ""
    print(f"{faults} faults{left_out}" if faults else f"Nothing is wrong{left_out}. It is in {RELEASED}")
    return min(faults, 1)


def _check(name: str, check: Check, release: Release) -> int:
    began = time.monotonic()
    try:
        word, said = "ok", check(release)
    except Skipped as reason:
        word, said = "skipped", str(reason)
    except Fault as fault:
        word, said = "FAULT", str(fault)
    print(f"{word:<8}{name:<10} {said} ({time.monotonic() - began:.0f} s)", flush=True)
    return word == "FAULT"


if __name__ == "__main__":
    sys.exit(main())
