"""The check of a release finds what is wrong, and says it."""

import gzip
import json
import tarfile
from pathlib import Path

import pytest

from tools import release_check
from tools.python_packages import pack
from tools.release_check import check_bill, check_changelog, check_python, check_version
from tools.release_work import Fault, Release, Skipped, difference

VERSION = "1.2.3"


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Release:
    """Return a release with files that are right, of a commit that has no tag."""
    monkeypatch.setattr(release_check, "run", lambda *_, **__: "")
    monkeypatch.setattr(release_check, "build", lambda *_, **__: None)
    found = Release(VERSION, tmp_path / "source", tmp_path / "again", "amd64")
    found.made.mkdir(parents=True)
    (found.source / "pyproject.toml").write_text('[project]\ndynamic = ["version"]\n')
    (found.source / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n\n### Added\n\n- All.\n")
    (found.source / "requirements-dist.lock").write_text("msgspec==0.22.0 \\\n    --hash=sha256:0\n")
    return found


def tagged(monkeypatch: pytest.MonkeyPatch, tag: str) -> None:
    monkeypatch.setattr(release_check, "run", lambda *words, **_: tag if words[1] == "tag" else "")


def bill(release: Release, version: str, **packages: str) -> None:
    components = [{"name": name, "version": each, "purl": f"pkg:pypi/{name}"} for name, each in packages.items()]
    said = {"metadata": {"component": {"version": version}}, "components": components}
    (release.made / "caroni-edge-1.2.3-linux-amd64.cdx.json").write_text(json.dumps(said))


def test_a_version_is_the_tags(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "a rehearsal" in check_version(release)
    tagged(monkeypatch, "v1.2.3")
    assert check_version(release) == "1.2.3, as the tag v1.2.3"
    tagged(monkeypatch, "v1.2.4")
    with pytest.raises(Fault, match=r"the tag v1\.2\.4, and its version is 1\.2\.3"):
        check_version(release)


def test_a_version_is_in_one_place(release: Release) -> None:
    (release.source / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n')
    with pytest.raises(Fault, match=r"pyproject\.toml has a version of its own"):
        check_version(release)


def test_a_changelog_names_what_is_tagged(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_changelog(release) == "1 changes under [Unreleased]"
    tagged(monkeypatch, "v1.2.3")
    with pytest.raises(Fault, match=r"is \[Unreleased\], and should be \[1\.2\.3\] - YEAR-MONTH-DAY"):
        check_changelog(release)
    path = release.source / "CHANGELOG.md"
    path.write_text(path.read_text().replace("[Unreleased]", "[1.2.3] - 2026-11-28"))
    assert check_changelog(release) == "1 changes under [1.2.3] - 2026-11-28"


def test_a_changelog_tells_something(release: Release) -> None:
    (release.source / "CHANGELOG.md").write_text(
        "# Changelog\n\n## [Unreleased]\n\n## [1.2.2] - 2026-01-01\n\n- Old.\n"
    )
    with pytest.raises(Fault, match=r"tells nothing under \[Unreleased\]"):
        check_changelog(release)


def test_what_was_not_made_is_named(release: Release) -> None:
    with pytest.raises(Fault, match=r"caroni_edge-1\.2\.3-py3-none-any\.whl was not made"):
        check_python(release)


def test_a_bill_is_of_this_version_and_of_what_is_locked(release: Release) -> None:
    with pytest.raises(Fault, match="there is none"):
        check_bill(release)
    bill(release, "1.2.2", msgspec="0.22.0")
    with pytest.raises(Fault, match="is of another version"):
        check_bill(release)
    bill(release, VERSION, msgspec="0.21.0")
    with pytest.raises(Fault, match=r"not as in requirements-dist\.lock: msgspec"):
        check_bill(release)
    bill(release, VERSION, msgspec="0.22.0")
    assert check_bill(release) == "1 in CycloneDX; the last names 1 components"


def test_where_two_files_differ_is_said(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"abcd")
    other.write_bytes(b"abcd")
    assert difference(one, other) == ""
    other.write_bytes(b"abXde")
    assert difference(one, other).startswith("4 and 5 bytes, which differ from byte 2 on")


def test_the_summary_has_a_line_for_each_and_counts_faults(
    release: Release, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fault(_: Release) -> str:
        raise Fault("it is broken")

    def skipped(_: Release) -> str:
        raise Skipped("not here")

    monkeypatch.setattr(release_check, "clone", lambda: release)
    checks = {"good": lambda _: "fine", "bad": fault, "other": skipped}
    monkeypatch.setattr(release_check, "CHECKS", checks)
    assert release_check.check_all(set()) == 1
    said = capsys.readouterr().out.splitlines()
    assert [line.partition(" (")[0].split() for line in said] == [
        ["ok", "good", "fine"],
        ["FAULT", "bad", "it", "is", "broken"],
        ["skipped", "other", "not", "here"],
        ["1", "faults"],
    ]
    monkeypatch.setattr(release_check, "CHECKS", {"good": checks["good"]})
    assert release_check.check_all(set()) == 0


def test_a_source_package_is_the_same_whoever_packs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    packed = []
    for number, names in enumerate((["a", "b"], ["b", "a"])):
        place = tmp_path / str(number)
        (place / "out").mkdir(parents=True)
        with tarfile.open(place / "x.tar.gz", "w:gz") as found:
            for name in names:
                (place / name).write_text(name)
                (place / name).chmod(0o600 if number else 0o664)
                found.add(place / name, name)
        packed.append(pack(place / "x.tar.gz", place / "out").read_bytes())
    assert packed[0] == packed[1]
    with tarfile.open(fileobj=gzip.open(tmp_path / "0" / "out" / "x.tar.gz")) as found:
        assert [(each.name, each.mode, each.mtime, each.uname) for each in found] == [
            ("a", 0o644, 1700000000, ""),
            ("b", 0o644, 1700000000, ""),
        ]
