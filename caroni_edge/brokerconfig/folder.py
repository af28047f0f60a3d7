"""The directory that `broker-config` writes: brought to what a roster asks for, in steps that can be broken off.

What a login lacks is made; what it has stays. To give a login something new, what it has is taken away first: so
whatever a run that was broken off has left, the next one completes.
"""

import fcntl
import os
import re
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from caroni_edge.base.errors import UsageError
from caroni_edge.brokerconfig import bridges, mosquitto, passwords, rabbitmq, snippets
from caroni_edge.brokerconfig.keys import Given, TlsFiles
from caroni_edge.brokerconfig.roster import FILE, Login, Roster, as_text, read_roster
from caroni_edge.brokerconfig.writing import begun, make_directory, unwritable, write

BROKER = "broker"
"""What is the broker's lies there, as on its host."""
_KINDS = {
    "mosquitto": (mosquitto.files, passwords.for_mosquitto),
    "rabbitmq": (rabbitmq.files, passwords.for_rabbitmq),
}


class Report(NamedTuple):
    """What has been done.

    Attributes:
        made: Names of logins that got a password or a certificate.
        kept: Names of those that have had theirs before.
        removed: Names of those that are gone.
        written: Files that are new or have changed, but those of single logins.
        ending: What has a certificate that ends soon.
    """

    made: list[str]
    kept: list[str]
    removed: list[str]
    written: list[str]
    ending: list[str]


@contextmanager
def opened(directory: Path, there: Roster | None) -> Iterator[None]:
    """Make a directory where there is none, and keep a second run out of it.

    Args:
        directory: Which one.
        there: What was read in it before: nothing of another run that has written since then is undone.

    Raises:
        UsageError: It holds something else, is in use, has changed, or cannot be written.
    """
    make_directory(directory)
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise unwritable(directory, error) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(str(directory), "another run is writing there", "Wait for its end.") from None
        _check_unchanged(directory, there)
        yield
    finally:
        os.close(descriptor)


def _check_unchanged(directory: Path, there: Roster | None) -> None:
    """Look whether a directory is as it was when it was read, and ours."""
    if read_roster(directory) != there:
        raise UsageError(str(directory), "another run has written there in this moment", "Say the same again.")
    if there is not None:
        return
    try:
        foreign = sorted(path.name for path in directory.iterdir() if path != begun(directory / FILE))
    except OSError as error:
        raise unwritable(directory, error) from None
    if foreign:
        what = f"{', '.join(foreign[:3])} lies there, which `broker-config` has not written"
        raise UsageError(str(directory), what, "Choose an empty or new directory for --out.")


def bring(directory: Path, roster: Roster, given: Given, *, rotate: Collection[str], remove: Collection[str]) -> Report:
    """Bring a directory to what a roster asks for.

    Args:
        directory: Which one; it is `opened`.
        roster: Who shall be in it; those who are to go are still named.
        given: The user's own certificates and keys.
        rotate: Who gets a new password or certificate, so that the old one counts no more.
        remove: Who goes.

    Raises:
        UsageError: Something is not there, cannot be used, or cannot be written.
    """
    for name in sorted({*rotate, *remove} - set(roster.logins)):
        raise UsageError(f"--{'rotate' if name in rotate else 'remove'} {name}", "there is no such login")
    tls = TlsFiles(directory, roster.setup, given)
    written = [FILE] * _remember(directory, roster)
    ending = list(tls.prepare(roster.logins))
    for name in sorted({*rotate, *remove}):
        roster = _without_secret(directory, roster, name, tls)
    for name in remove:
        shutil.rmtree(directory / roster.logins[name].folder, ignore_errors=True)
        left = {other: login for other, login in roster.logins.items() if other != name}
        extras = tuple(extra for extra in roster.extras if extra.name != name)
        configured = {other: rights for other, rights in roster.configured.items() if other != name}
        roster = msgspec.structs.replace(roster, logins=left, extras=extras, configured=configured)
    made = [login.name for login in roster.logins.values() if not (login.password_hash or login.certificate)]
    logins = {login.name: _with_secret(directory, roster, login, tls) for login in roster.logins.values()}
    roster = msgspec.structs.replace(roster, logins=logins)
    written += [FILE] * (_remember(directory, roster) and not written)
    tls.write_for_broker()
    written += tls.written
    files, _ = _KINDS[roster.setup.broker]
    for name, text in files(roster):
        written += [f"{BROKER}/{name}"] * write(directory / BROKER / name, text.encode())
    for login in roster.logins.values():
        _write_for_login(directory, roster, login, tls)
    return Report(made, [name for name in logins if name not in made], sorted(remove), written, ending)


def _remember(directory: Path, roster: Roster) -> bool:
    return write(directory / FILE, as_text(roster).encode())


def _without_secret(directory: Path, roster: Roster, name: str, tls: TlsFiles) -> Roster:
    login = roster.logins[name]
    if login.certificate:
        tls.revoke(login.certificate)
    (directory / snippets.password_file(login)).unlink(missing_ok=True)
    blank = msgspec.structs.replace(login, password_hash="", certificate="")
    roster = msgspec.structs.replace(roster, logins={**roster.logins, name: blank})
    _remember(directory, roster)
    return roster


def _with_secret(directory: Path, roster: Roster, login: Login, tls: TlsFiles) -> Login:
    """Return a login with a password or a certificate, which lie in its folder from now on."""
    if login.password_hash or login.certificate:
        return login
    make_directory(directory / login.folder)
    if roster.setup.client_certificates:
        pair = (directory / path for path in snippets.certificate_files(login))
        return msgspec.structs.replace(login, certificate=tls.issue(login.name, *pair))
    path = directory / snippets.password_file(login)
    if not path.exists():
        write(path, f"{passwords.new_password()}\n".encode())
    _, hashed = _KINDS[roster.setup.broker]
    return msgspec.structs.replace(login, password_hash=hashed(path.read_text(encoding="utf-8").strip()))


def _write_for_login(directory: Path, roster: Roster, login: Login, tls: TlsFiles) -> None:
    folder = directory / login.folder
    if tls.trusted.exists():
        write(folder / snippets.CA, tls.trusted.read_bytes())
    if login.is_node:
        text = snippets.node(roster.setup, login, has_ca=tls.trusted.exists())
        write(folder / snippets.NODE, text.encode())
    if login.role == "bridge":
        write(folder / snippets.BRIDGE, _bridge(directory, roster, login, tls).encode())


def _bridge(directory: Path, roster: Roster, login: Login, tls: TlsFiles) -> str:
    """Return the configuration of a bridge; its password may be there alone by now."""
    setup, password = roster.setup, directory / snippets.password_file(login)
    found = password if password.exists() else directory / login.folder / snippets.BRIDGE
    if not setup.client_certificates and not found.exists():
        raise UsageError(str(password), "the password of this bridge is not there", f"Say --rotate {login.name}.")
    text = "" if setup.client_certificates else found.read_text(encoding="utf-8")
    secret = re.search(r"^(?:remote_password )?(\S+)$", text, re.MULTILINE)
    access = snippets.bridge_access(setup, login, secret and secret[1], has_ca=tls.trusted.exists())
    return bridges.configuration(setup.root, access, bridges.bridged(setup.root, *roster.sides(login)))
