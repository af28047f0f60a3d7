"""Passwords and tokens: from the configuration, or made at the first start and kept in the state directory."""

import logging
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path

from caroni_edge.base.errors import CaroniError
from caroni_edge.config import Secret, read_secret

log = logging.getLogger(__name__)

PASSWORD_FILE = "web-password"  # noqa: S105 - the name of a file
TOKEN_FILE = "web-token"  # noqa: S105 - likewise


class CredentialUnusable(CaroniError):
    """The password or token in this file cannot be used: {reason}."""

    hint = "Mend the file, or delete it: at the next start a new one is made."
    exit_status = 2


def password(configured: Secret | None, state_dir: Path) -> Secret:
    """Return the password of the page: the configured one, else the one that is kept, made if there is none.

    Raises:
        CredentialUnusable: The file is there and is of no use, or cannot be made.
    """
    return configured or _kept(state_dir / PASSWORD_FILE, "password for the page", lambda: secrets.token_urlsafe(15))


def token(configured: Secret | None, state_dir: Path) -> Secret:
    """Return the bearer token of the API: the configured one, else the one that is kept, made if there is none.

    Raises:
        CredentialUnusable: The file is there and is of no use, or cannot be made.
    """
    return configured or _kept(state_dir / TOKEN_FILE, "token for the API", lambda: secrets.token_urlsafe(32))


def made(state_dir: Path) -> list[Secret]:
    """Return the password and the token that were made, if they were."""
    paths = [state_dir / name for name in (PASSWORD_FILE, TOKEN_FILE)]
    return [read(path) for path in paths if path.exists()]


def read(path: Path) -> Secret:
    """Return what a file holds, without the end of its line.

    Raises:
        CredentialUnusable: It cannot be read, or holds none.
    """
    try:
        return read_secret(path)
    except OSError as error:
        raise CredentialUnusable(str(path), reason=error.strerror or error) from error
    except ValueError as error:
        raise CredentialUnusable(str(path), reason=f"the file {error}") from error


def _kept(path: Path, what: str, make: Callable[[], str]) -> Secret:
    try:
        _make(path, make())
        log.info("a %s was made; it is in %s", what, path, extra={"action": "credential_made"})
    except FileExistsError:
        pass
    except OSError as error:
        raise CredentialUnusable(str(path), reason=error.strerror or error) from error
    secret = read(path)
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        log.warning("others may use %s; its mode should be 0600", path, extra={"action": "credential_open"})
    return secret


def _make(path: Path, text: str) -> None:
    """Write a file that must not be there yet; it appears whole, so that a crash leaves no empty one."""
    if path.exists():
        raise FileExistsError(path)
    begun = path.with_name(f"{path.name}.new")
    begun.unlink(missing_ok=True)
    with os.fdopen(os.open(begun, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(f"{text}\n")
        file.flush()
        os.fsync(file.fileno())
    begun.rename(path)
