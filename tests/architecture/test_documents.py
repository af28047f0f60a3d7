"""The documents: what they link to exists, and what is locked is what pyproject.toml asks for."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.architecture.source import PACKAGE, ROOT, functions, listed, sources

SKIPPED = {".git", ".venv", "build", "dist", "node_modules", ".pytest_cache"}
FENCE = re.compile(r"^ {0,3}(```|~~~).*?^ {0,3}\1", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!\\)!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
OUTSIDE = ("http://", "https://", "mailto:")

NAMED = re.compile(r"(docs/[\w/.-]+\.md)(?:,\s+\"([^\"]+)\")?")

PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^ ;\\]+)", re.MULTILINE)
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-dist.lock")


def pages() -> list[Path]:
    """Return every Markdown file of the repository."""
    found = ROOT.rglob("*.md")
    return sorted(path for path in found if not SKIPPED.intersection(path.relative_to(ROOT).parts))


def links(page: Path) -> Iterator[str]:
    """Yield the targets of a page's links, those in code blocks left out."""
    for inline, reference in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        yield inline or reference


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub makes of a page's headings."""
    headings = HEADING.findall(FENCE.sub("", page.read_text(encoding="utf-8")))
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in plain}


def broken(page: Path, target: str) -> bool:
    """Tell whether a link within the repository leads nowhere."""
    path, _, anchor = target.partition("#")
    goal = (page.parent / path).resolve() if path else page
    if not goal.is_relative_to(ROOT) or not goal.exists():
        return True
    return bool(anchor) and goal.suffix == ".md" and anchor not in anchors(goal)


def test_every_link_leads_somewhere() -> None:
    problems = [
        f"{page.relative_to(ROOT)}: {target} does not exist"
        for page in pages()
        for target in links(page)
        if not target.startswith(OUTSIDE) and broken(page, target)
    ]
    assert not problems, listed(problems)


def test_the_map_shows_every_room() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    rooms = (source.path.parent for source in sources(PACKAGE) if source.path.name == "__init__.py" and source.module)
    lost = [room.relative_to(ROOT).as_posix() for room in rooms if f"{room.name}/" not in page]
    assert not lost, f"docs/architecture.md says nothing of {', '.join(lost)}"


def methods() -> set[str]:
    """Return every method of the package as `Class.method`."""
    return {
        f"{node.name}.{function.name}"
        for source in sources(PACKAGE)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef)
        for function in functions(node)
    }


def test_the_map_names_what_is_there() -> None:
    page = FENCE.sub("", (ROOT / "docs/architecture.md").read_text(encoding="utf-8"))
    files, named = re.findall(r"`(\w+/[\w/]+\.py)`", page), re.findall(r"`([A-Z]\w+\.\w+)`", page)
    assert len(files) > 20
    assert len(named) > 5
    gone = [name for name in files if not (ROOT / PACKAGE / name).is_file() and not (ROOT / name).is_file()]
    gone += [name for name in named if name not in methods()]
    assert not gone, f"docs/architecture.md names what is not there: {', '.join(gone)}"


def test_the_code_names_documents_and_sections_that_are_there() -> None:
    named = [
        (source.name, *found)
        for source in sources(PACKAGE, "tests", "tools", "benchmarks")
        for found in NAMED.findall(source.text)
    ]
    assert len(named) > 10
    gone = [f"{name}: {page}, {section}" for name, page, section in named if not has_section(ROOT / page, section)]
    assert not gone, listed(gone)


def has_section(page: Path, section: str) -> bool:
    """Tell whether a page has a heading, or a paragraph, that begins with these words; none: whether it is there."""
    if not page.is_file():
        return False
    begins = re.escape(" ".join(section.split()))
    return re.search(rf"^(#+ |(?:[-*\d.]+ )?\*\*){begins}", page.read_text(encoding="utf-8"), re.MULTILINE) is not None


def required(*groups: str) -> list[Requirement]:
    """Return what pyproject.toml asks for: to run (`run`), for extras and for groups."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    of = {"run": project["project"]["dependencies"]}
    of |= project["project"]["optional-dependencies"] | project["dependency-groups"]
    return [Requirement(line) for name in groups for line in of[name]]


@pytest.mark.parametrize(
    ("lock", "groups"),
    [
        ("requirements.lock", ["run", "build"]),
        ("requirements-dev.lock", ["run", "s3", "build", "dev"]),
        ("requirements-dist.lock", ["run", "dist"]),
        ("requirements-s3.lock", ["s3-server"]),
    ],
)
def test_the_lock_holds_what_the_project_asks_for(lock: str, groups: list[str]) -> None:
    pinned = {canonicalize_name(name): version for name, version in PINNED.findall((ROOT / lock).read_text())}
    problems = [
        f"{lock}: {need} is locked as {pinned.get(canonicalize_name(need.name))}; run `make lock`"
        for need in required(*groups)
        if not need.specifier.contains(pinned.get(canonicalize_name(need.name), "0"), prereleases=True)
    ]
    assert not problems, listed(problems)


def test_the_locks_agree() -> None:
    run, dev, dist = (dict(PINNED.findall((ROOT / lock).read_text())) for lock in LOCKS)
    assert run.items() <= dev.items(), "run `make lock`"
    assert {name: dist[name] for name in run.keys() & dist.keys()}.items() <= run.items(), "run `make lock`"


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_a_hash_for_everything_and_names_no_server(lock: str) -> None:
    text = (ROOT / lock).read_text()
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert entries
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in text
    assert "index-url" not in text
