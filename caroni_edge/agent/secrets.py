"""Secrets that jobs get: `secrets` of a job type names files and credentials of the host, which are read at each start.

What they hold is known to the agent for as long as a start takes, to the keeper while the job runs, and to the job. It
is in no record, row, message or page.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from caroni_edge.documents.documents import Findings
from caroni_edge.protocol.jobtypes import SECRETS_MAX

SECRETS = "secrets"
SECRET_MAX_BYTES = 16 * 1024
VARIABLE = "CARONI_SECRET_"

_FILE, _CREDENTIAL = "file", "credential"
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,79}\Z")
_EXPECTED = "expected {file: PATH} or {credential: NAME}, and never the secret itself"


class NoSecret(ValueError):
    """A secret cannot be read; the message says which and why, for people."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a secret is; one of the two is given.

    Attributes:
        file: The absolute path of a file that holds it.
        credential: The name under which systemd hands it to the agent's service.
    """

    file: str = ""
    credential: str = ""


def read_secrets(value: Mapping[str, object], findings: Findings, folder: Path) -> dict[str, Source]:
    """Return what stands below `secrets`; what is wrong is noted, and no value shown: it might be a secret.

    Args:
        value: Names, and where each secret is.
        findings: Takes what is wrong.
        folder: Where relative paths start.
    """
    found: dict[str, Source] = {}
    if len(value) > SECRETS_MAX:
        findings.error(f"a job gets {SECRETS_MAX} secrets at most", SECRETS)
        return found
    for name, given in value.items():
        if not _IDENTIFIER.match(name):
            findings.error("a secret is named by letters, digits and _, a letter first", SECRETS, name)
            continue
        match given:
            case {"file": str(path), **rest} if not rest and path and path.isprintable():
                found[name] = Source(file=str(folder.absolute() / path))
            case {"credential": str(credential), **rest} if not rest and credential and "/" not in credential:
                found[name] = Source(credential=credential)
            case _:
                findings.error(f"{name}: {_EXPECTED}", SECRETS, name)
    return found


def reveal(secrets: Mapping[str, Source], credentials: str | None) -> dict[str, str]:
    """Return the variables of a job that hold its secrets, as they are now.

    Args:
        secrets: What its job type names.
        credentials: The directory where systemd tells this service its credentials; None where there is none.

    Raises:
        NoSecret: One cannot be read.
    """
    return {f"{VARIABLE}{name}": _read(name, source, credentials) for name, source in secrets.items()}


def unreadable(secrets: Mapping[str, Source], credentials: str | None, *, is_service: bool = True) -> str:
    """Return why a secret cannot be read now, for people; empty where all can.

    Args:
        secrets: What a job type names.
        credentials: The directory of this service's credentials; None where there is none.
        is_service: This is the agent; of another process nothing is said about credentials that it does not see.
    """
    looked_at = {name: source for name, source in secrets.items() if is_service or credentials or not source.credential}
    try:
        reveal(looked_at, credentials)
    except NoSecret as error:
        return str(error)
    return ""


def files_of(secrets: Mapping[str, Source]) -> list[Path]:
    """Return the files that hold secrets."""
    return [Path(source.file) for source in secrets.values() if source.file]


def _read(name: str, source: Source, credentials: str | None) -> str:
    if source.credential and not credentials:
        raise NoSecret(f"its secret {name}: systemd hands over no credential {source.credential} (LoadCredential=)")
    path = source.file or f"{credentials}/{source.credential}"
    where = source.file or f"the credential {source.credential}"
    try:
        with open(path, "rb") as file:
            data = file.read(SECRET_MAX_BYTES + 1)
    except OSError as error:
        raise NoSecret(f"its secret {name} cannot be read: {where}: {error.strerror}") from None
    if len(data) > SECRET_MAX_BYTES:
        raise NoSecret(f"its secret {name}: {where} has more than {SECRET_MAX_BYTES >> 10} KiB")
    try:
        text = data.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise NoSecret(f"its secret {name}: {where} is not UTF-8") from None
    if not text or "\0" in text:
        raise NoSecret(f"its secret {name}: {where} {'holds a NUL character' if text else 'is empty'}")
    return text
