"""Makes the packages for pip, of source and wheel, in ``dist/``: ``build/venv/bin/python tools/python_packages.py``.

The wheel is made from what is in the source package, as pip would make it. The same commit gives the same bytes: order,
dates, owners and modes are none of this machine's.
"""

import gzip
import os
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

from setuptools import build_meta  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parents[1]


def main(directory: str = "dist") -> None:
    """Make both in a directory."""
    made = ROOT / directory
    made.mkdir(parents=True, exist_ok=True)
    os.chdir(ROOT)
    with TemporaryDirectory() as temporary:
        packed = pack(Path(temporary) / build_meta.build_sdist(temporary), made)
        with tarfile.open(packed) as source:
            source.extractall(temporary, filter="data")
        os.umask(0o022)
        os.chdir(Path(temporary) / packed.name.removesuffix(".tar.gz"))
        wheel = made / build_meta.build_wheel(str(made))
    for each in (packed, wheel):
        print(f"{each.stat().st_size} {each.relative_to(ROOT)}", file=sys.stderr)


def pack(found: Path, directory: Path) -> Path:
    """Pack a source package anew, so that the same files give the same bytes."""
    date = int(os.environ["SOURCE_DATE_EPOCH"])
    path = directory / found.name
    with (
        tarfile.open(found) as source,
        path.open("wb") as file,
        gzip.GzipFile("", "wb", 9, file, mtime=date) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as packed,
    ):
        for entry in sorted(source, key=lambda each: each.name):
            entry.mtime, entry.mode = date, 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
            entry.uid, entry.gid, entry.uname, entry.gname, entry.pax_headers = 0, 0, "", "", {}
            packed.addfile(entry, source.extractfile(entry) if entry.isfile() else None)
    return path


if __name__ == "__main__":
    main(*sys.argv[1:])
