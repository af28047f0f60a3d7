"""The glossary: each word lives where it says, and no table and no message is without one."""

import ast
import re
from functools import cache

import msgspec
import pytest

from caroni_edge.protocol.jobtypes import JobTypeNotice
from caroni_edge.protocol.messages import Placement
from caroni_edge.protocol.reconciling import JobHere
from caroni_edge.protocol.schema import LINK_MESSAGES, PAYLOADS
from caroni_edge.storage.database import memory_database
from caroni_edge.storage.migrations import Role
from tests.architecture.source import PACKAGE, ROOT, listed, sources

GLOSSARY = ROOT / "docs" / "glossary.md"
ENTRY = re.compile(r"^\| (?!word |---)(?P<word>[^|]+) \| (?P<meaning>[^|]+) \| (?P<places>[^|]+) \|$", re.MULTILINE)
SECTION = re.compile(r"^## (.+)\n\n((?:\|.*\n)+)", re.MULTILINE)
NOT_OURS = {"_sqlite_migrations", "sqlite_sequence"}


def entries() -> list[tuple[str, list[str]]]:
    """Return the words, each with the places where it lives."""
    found = ENTRY.findall(GLOSSARY.read_text(encoding="utf-8"))
    return [(word, re.findall(r"`([^`]+)`", places)) for word, _, places in found]


@cache
def tables() -> dict[str, set[str]]:
    """Return the columns of each table; of a table that both roles have, all of them."""
    found: dict[str, set[str]] = {}
    roles: tuple[Role, ...] = ("managers", "agents")
    for role in roles:
        conn = memory_database(role).conn
        for (table,) in conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
            columns = {row[1] for row in conn.execute(f"SELECT * FROM pragma_table_info('{table}')")}
            found.setdefault(table, set()).update(columns)
    return {table: columns for table, columns in found.items() if table not in NOT_OURS}


@cache
def messages() -> dict[str, set[str]]:
    """Return the fields of each message, and of what messages hold, as they are on the wire."""
    kinds: tuple[type[msgspec.Struct], ...] = (*LINK_MESSAGES, *PAYLOADS, Placement, JobHere, JobTypeNotice)
    return {kind.__name__: {field.encode_name for field in msgspec.structs.fields(kind)} for kind in kinds}


@cache
def names() -> dict[str, set[str]]:
    """Return the attributes that each class of the package declares, and its names for types."""
    found: dict[str, set[str]] = {}
    for source in sources(PACKAGE):
        for node in source.tree.body:
            if isinstance(node, ast.ClassDef):
                fields = {each.target.id for each in node.body if _is_field(each)}  # type: ignore[attr-defined]
                found.setdefault(node.name, set()).update(fields)
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                found.setdefault(node.targets[0].id, set())
    return found


def _is_field(node: ast.stmt) -> bool:
    return isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)


def exists(place: str) -> bool:
    """Tell whether there is such a table, column, message, field, class or module."""
    if place.endswith(".py"):
        return (ROOT / PACKAGE / place).is_file()
    whole, _, part = place.partition(".")
    known = [kind[whole] for kind in (tables(), messages(), names()) if whole in kind]
    return bool(known) and (not part or any(part in each for each in known))


@pytest.mark.parametrize(
    ("place", "is_there"),
    [
        ("steps", True),
        ("steps.nth", True),
        ("steps.scatter_index", False),
        ("JobOffer.ready", True),
        ("JobOffer.red", False),
        ("Frame.from", True),
        ("Orders", True),
        ("WorkItem", True),
        ("AgentConfig.slots", True),
        ("AgentConfig.slot", False),
        ("manager/jobs/orders.py", True),
        ("manager/jobs.py", False),
        ("Nobody", False),
    ],
)
def test_places_are_looked_up(place: str, *, is_there: bool) -> None:
    assert exists(place) is is_there


def test_each_word_lives_where_it_says() -> None:
    found = entries()
    assert len(found) > 100
    homeless = [word for word, places in found if not places]
    gone = [f"{word}: there is no {place}" for word, places in found for place in places if not exists(place)]
    assert not [*homeless, *gone], listed([*homeless, *gone])


def test_each_line_of_a_table_is_an_entry_sorted_and_alone() -> None:
    sections = SECTION.findall(GLOSSARY.read_text(encoding="utf-8"))
    assert len(sections) == 6
    for title, table in sections:
        words = [match["word"] for match in ENTRY.finditer(table)]
        assert len(words) == table.count("\n") - 2, title
        assert words == sorted(words, key=str.casefold), title
    words = [word for word, _ in entries()]
    assert len(words) == len(set(words))


def test_no_table_and_no_message_is_left_out() -> None:
    named = {place.partition(".")[0] for _, places in entries() for place in places}
    wanting = (tables().keys() | {kind.__name__ for kind in (*LINK_MESSAGES, *PAYLOADS)}) - named
    assert not wanting, listed(sorted(wanting))
