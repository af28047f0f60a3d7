"""A bundle for who helps: how the node is and what it logged last, without secrets, inputs, outputs and messages."""

import io
import json
import platform
import sqlite3
import tarfile
import time
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import distributions
from typing import Any, Final

from caroni_edge.base import logs
from caroni_edge.base.dates import rfc3339
from caroni_edge.config import NodeConfig, Secret
from caroni_edge.node.store import DeadLetter, DeadLetterRows
from caroni_edge.storage.migrations import schema_version
from caroni_edge.web import credentials
from caroni_edge.web.health import Examined
from caroni_edge.web.node_views import config_view, health, link_page
from caroni_edge.web.site import Site

ROWS_MAX: Final = 1000
MASK: Final = "(hidden)"
MASKED_FROM: Final = 4
"""A shorter secret is not looked for in the log: it would be found in every word."""


def bundle(site: Site, examined: Examined, metrics: bytes) -> tuple[str, bytes]:
    """Return the name and the content of a support bundle.

    Args:
        site: What is served of the node.
        examined: What the doctor has found.
        metrics: The metrics, as text.
    """
    now = time.time()
    node = f"{site.node.role}-{site.node.id}"
    folder = f"caroni-edge-support-{node}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))}"
    config = site.config()
    with site.readers.open() as conn:
        files: dict[str, Any] = {
            "node.json": _about(site, conn, now),
            "config.json": config_view(config),
            "doctor.json": health(examined),
            "links.json": link_page(conn, site.node, ROWS_MAX, "")["links"],
            "dead_letters.json": [_letter(row) for row in DeadLetterRows(conn).page(ROWS_MAX, None).rows],
        }
    texts = {name: json.dumps(content, indent=1, ensure_ascii=False) + "\n" for name, content in files.items()}
    texts |= {"metrics.txt": metrics.decode(), "log.txt": "".join(f"{line}\n" for line in logs.recent())}
    return f"{folder}.tar.gz", _packed(folder, masked(texts, secrets_of(config, site)), now)


def secrets_of(config: NodeConfig, site: Site) -> Iterator[Secret]:
    """Yield the secrets that the node knows: configured ones, and those that were made."""
    web = config.web
    known = [config.broker.password]
    if web is not None:
        known += [web.password, web.token, *(user.password for user in web.users.values())]
        known += credentials.made(site.state_dir)
    yield from (each for each in known if each is not None)


def masked(texts: Mapping[str, str], secrets: Iterable[Secret]) -> dict[str, str]:
    """Return texts in which no secret is left, wherever it came from."""
    hidden = sorted({each.reveal() for each in secrets}, key=len, reverse=True)  # one may be the beginning of another
    shown = dict(texts)
    for secret in hidden:
        if len(secret) >= MASKED_FROM:
            forms = {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
            for form in forms:
                shown = {name: text.replace(form, MASK) for name, text in shown.items()}
    return shown


def _about(site: Site, conn: sqlite3.Connection, now: float) -> dict[str, Any]:
    node = site.node
    return {
        "date": rfc3339(now),
        "role": node.role,
        "id": node.id,
        "version": node.version,
        "schema": schema_version(conn),
        "started": rfc3339(node.started),
        "connected": node.connected(),
        "not_ready": node.why_not_ready(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "system": platform.platform(),
        "packages": {each.name: each.version for each in sorted(distributions(), key=lambda found: found.name.lower())},
    }


def _letter(row: DeadLetter) -> dict[str, Any]:
    """Return where the program failed for a message; the last line of a traceback may name what it said."""
    lines = row.traceback.splitlines()
    return {
        "date": rfc3339(row.date),
        "peer": row.peer,
        "type": row.kind,
        "bytes": len(row.body),
        "error": lines[-1].partition(":")[0] if lines else "",
        "frames": [line.strip() for line in lines if line.lstrip().startswith('File "')],
    }


def _packed(folder: str, texts: Mapping[str, str], date: float) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in texts.items():
            content = text.encode(errors="replace")
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size, entry.mtime, entry.mode = len(content), int(date), 0o600
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
