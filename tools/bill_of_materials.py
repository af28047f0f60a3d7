"""Writes what the binary is made of, as CycloneDX: ``build/venv/bin/python tools/bill_of_materials.py VERSION``.

It runs in the environment that the binary was made from, with the standard library alone. What only makes the binary is
in there too and left out here. `requirements-dist.lock` has the hashes of the packages. The C libraries are those of
the machine that it was made on.
"""

import ast
import json
import os
import platform
import re
import sys
from datetime import UTC, datetime
from importlib.metadata import Distribution, distributions, packages_distributions
from pathlib import Path
from typing import Any

BUILD = Path("build/pyinstaller/caroni-edge")
"""Where PyInstaller notes what it has taken."""


def main(version: str) -> None:
    """Print the bill of materials."""
    found = {each.metadata["Name"]: each for each in distributions()}
    packages = sorted((package(found[name]) for name in taken_packages()), key=lambda each: str(each["name"]))
    components = [python(), *packages, *libraries()]
    date = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), UTC)
    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": date.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {
                "type": "application",
                "bom-ref": "caroni-edge",
                "name": "caroni-edge",
                "version": version,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            },
        },
        "components": components,
        "dependencies": [{"ref": "caroni-edge", "dependsOn": [each["bom-ref"] for each in components]}],
    }
    print(json.dumps(bill, indent=2))


def taken(kind: str) -> list[tuple[str, str]]:
    """Return names and files of what PyInstaller has taken: of modules (`PYZ`) or of libraries and data (`COLLECT`)."""
    noted = ast.literal_eval((BUILD / f"{kind}-00.toc").read_text(encoding="utf-8"))
    entries = next(each for each in noted if isinstance(each, list))
    return [(entry[0], entry[1]) for entry in entries]


def taken_packages() -> set[str]:
    """Return the names of the distributions whose modules are in the binary."""
    owners = packages_distributions()
    names = [name for kind in ("PYZ", "COLLECT") for name, _ in taken(kind)]
    modules = {re.split(r"[./]", name)[0] for name in names}
    return {owner for module in modules for owner in owners.get(module, ())}


def package(distribution: Distribution) -> dict[str, Any]:
    """Return the entry of a Python package."""
    name, version = normal(distribution.metadata["Name"]), distribution.version
    purl = f"pkg:pypi/{name}@{version}"
    said = [*_said(distribution, "License-Expression"), *_said(distribution, "License"), *_classified(distribution)]
    said += _titled(distribution)
    entry: dict[str, Any] = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    if said:
        entry["licenses"] = [{"license": {"name": said[0]}}]
    return entry


def _said(distribution: Distribution, field: str) -> list[str]:
    return [line for text in distribution.metadata.get_all(field) or [] for line in text.strip().splitlines()[:1]]


def _classified(distribution: Distribution) -> list[str]:
    return [mark.rpartition(" :: ")[2] for mark in _said(distribution, "Classifier") if mark.startswith("License :: ")]


def _titled(distribution: Distribution) -> list[str]:
    """Return the first lines of the licences that come with a package: their titles."""
    files = [each for each in distribution.files or [] if each.name.startswith("LICENSE")]
    return [each.read_text().strip().splitlines()[0] for each in files]


def python() -> dict[str, Any]:
    """Return the entry of Python itself."""
    version = platform.python_version()
    licence = [{"license": {"id": "PSF-2.0"}}]
    return {"type": "platform", "bom-ref": "python", "name": "CPython", "version": version, "licenses": licence}


def libraries() -> list[dict[str, Any]]:
    """Return the entries of the C libraries that are neither Python's nor a package's."""
    names = sorted({name for name, _ in taken("COLLECT") if re.fullmatch(r"lib[^/]*\.so[^/]*", name)})
    return [{"type": "library", "bom-ref": name, "name": name} for name in names if not name.startswith("libpython")]


def normal(name: str) -> str:
    """Return the name of a package as PyPI writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main(*sys.argv[1:])
