"""A small certificate authority, by the `openssl` command: it is everywhere, and a library would double our binary.

A directory holds the authority's certificate and key (or the user's own are named), and what `openssl ca` keeps of what
it has issued: so a certificate can be revoked by its number.
"""

import ipaddress
import shutil
import ssl
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from caroni_edge.base.errors import UsageError
from caroni_edge.brokerconfig.writing import make_directory, write

AUTHORITY_DAYS: Final = 20 * 365
CERTIFICATE_DAYS: Final = 5 * 365
WITHIN_S: Final = 60.0
_DAY_S: Final = 86400
_NEW_KEY: Final = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
_SETTINGS: Final = """\
[ca]
default_ca = authority
[authority]
database = {directory}/index.txt
rand_serial = yes
new_certs_dir = {directory}/issued
certificate = {certificate}
private_key = {key}
default_md = sha256
policy = names
unique_subject = no
default_crl_days = {authority_days}
[names]
commonName = supplied
[req]
distinguished_name = subject
prompt = no
[subject]
[of_authority]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[of_broker]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = {hosts}
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid, issuer
[of_login]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid, issuer
"""


class Authority:
    """Issues certificates, and revokes them.

    Attributes:
        certificate: Its own certificate.
        revoked: The list of what it has revoked.
    """

    def __init__(
        self, directory: Path, hosts: Sequence[str], *, certificate: Path | None = None, key: Path | None = None
    ) -> None:
        """Open an authority, or make one where there is none.

        Args:
            directory: Where it keeps its books; absolute.
            hosts: Names and addresses of the broker.
            certificate: The user's own; else one is made in `directory`.
            key: Of that certificate.

        Raises:
            UsageError: There is no openssl, or the authority cannot be used.
        """
        self._directory, self._config = directory, directory / "openssl.cnf"
        self.certificate = certificate or directory / "ca.pem"
        self._key, self.revoked = key or directory / "ca.key", directory / "revoked.pem"
        self._openssl = find_openssl()
        make_directory(directory / "issued")
        names = ", ".join(f"{'IP' if _is_address(host) else 'DNS'}:{host}" for host in hosts)
        facts = {"directory": directory, "certificate": self.certificate, "key": self._key}
        settings = _SETTINGS.format(**facts, hosts=names, authority_days=AUTHORITY_DAYS)
        write(self._config, settings.encode())
        if not (directory / "index.txt").exists():
            write(directory / "index.txt", b"")
        if certificate is None and not self.certificate.exists():
            self._make_authority()
        self._check()
        if not self.revoked.exists():
            self._list_revoked()

    def issue_broker(self, host: str, certificate: Path, key: Path) -> None:
        """Make the broker's certificate and key."""
        self._issue(host, "of_broker", certificate, key)

    def issue_login(self, name: str, certificate: Path, key: Path) -> str:
        """Make a certificate that says who a login is, and its key; return its number."""
        self._issue(name, "of_login", certificate, key)
        return self._run("x509", "-in", certificate, "-noout", "-serial").strip().removeprefix("serial=")

    def revoke(self, number: str) -> None:
        """Let a certificate count no more, wherever it is; `revoked` says so."""
        for line in (self._directory / "index.txt").read_text().splitlines():
            if line.startswith("V") and number in line.split("\t"):
                self._run("ca", "-config", self._config, "-revoke", self._directory / f"issued/{number}.pem")
        self._list_revoked()

    def ending(self, names: Iterable[str], days: int) -> Iterator[str]:
        """Yield which of these logins have no certificate that is good for so many days more."""
        limit = (datetime.now(UTC) + timedelta(days=days)).strftime("%Y%m%d%H%M%SZ")
        newest = dict[str, str]()
        for line in (self._directory / "index.txt").read_text().splitlines():
            state, until, _revoked, _number, _file, subject = line.split("\t")
            if state != "R":
                until = until if len(until) == len(limit) else f"20{until}"
                name = subject.removeprefix("/CN=")
                newest[name] = max(until, newest.get(name, ""))
        yield from (name for name in names if newest.get(name, limit) < limit)

    def is_good_for(self, certificate: Path, days: int) -> bool:
        """Tell whether a certificate is still good in so many days."""
        return _lasts(self._openssl, certificate, days)

    def _list_revoked(self) -> None:
        self._run("ca", "-config", self._config, "-gencrl", "-out", self.revoked)

    def _make_authority(self) -> None:
        begun = self._directory / "ca.new"
        subject = ("-config", self._config, "-extensions", "of_authority", "-subj", "/CN=Caroni Edge broker CA")
        made = ("-keyout", self._key, "-out", begun, "-days", AUTHORITY_DAYS)
        self._run("req", "-x509", "-new", *_NEW_KEY, *subject, *made)
        begun.rename(self.certificate)

    def _check(self) -> None:
        check_pair(self.certificate, self._key)
        if not self.is_good_for(self.certificate, 0):
            raise UsageError(
                str(self.certificate),
                "this certificate authority has expired",
                "Make the files anew in another directory, or with another --ca-cert and --ca-key.",
            )

    def _issue(self, name: str, extensions: str, certificate: Path, key: Path) -> None:
        request, new = self._directory / "request.pem", self._directory / "certificate.pem"
        new_key = self._directory / "key.pem"
        subject = ("-config", self._config, "-subj", f"/CN={name}")
        self._run("req", "-new", *_NEW_KEY, *subject, "-keyout", new_key, "-out", request)
        issued = ("-days", CERTIFICATE_DAYS, "-extensions", extensions, "-in", request, "-out", new)
        self._run("ca", "-batch", "-notext", "-config", self._config, *issued)
        certificate.unlink(missing_ok=True)  # it does not go with the new key: a run that ends here is completed
        new_key.rename(key)
        new.rename(certificate)
        request.unlink()

    def _run(self, *arguments: object) -> str:
        return _run(self._openssl, *arguments)


def check_pair(certificate: Path, key: Path) -> None:
    """Look whether a certificate and its key can be used.

    Raises:
        UsageError: They cannot.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # Without a password OpenSSL would ask for one at the terminal.
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or str(error)
        what = f"this certificate and the key {key} cannot be used: {reason}"
        raise UsageError(
            str(certificate), what, "Both are PEM files; the key is the certificate's, and not encrypted."
        ) from None


def check_current(certificate: Path) -> None:
    """Look whether a certificate has not expired.

    Raises:
        UsageError: It has, or there is no openssl to tell.
    """
    if not _lasts(find_openssl(), certificate, 0):
        raise UsageError(str(certificate), "this certificate has expired", "Have a new one made, and name that.")


def _lasts(openssl: str, certificate: Path, days: int) -> bool:
    asked = [openssl, "x509", "-in", str(certificate), "-noout", "-checkend", str(days * _DAY_S)]
    done = subprocess.run(asked, check=False, stdin=subprocess.DEVNULL, capture_output=True, timeout=WITHIN_S)
    return done.returncode == 0


def find_openssl() -> str:
    """Return where the command is.

    Raises:
        UsageError: There is none.
    """
    found = shutil.which("openssl")
    if found is None:
        raise UsageError(
            "--tls", "there is no openssl command here, which makes certificates", "Install it: apt-get install openssl"
        )
    return found


def _run(openssl: str, *arguments: object) -> str:
    command = [openssl, *map(str, arguments)]
    done = subprocess.run(
        command,
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        umask=0o077,
    )
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise UsageError(f"openssl {arguments[0]}", f"it failed: {said[-1] if said else done.returncode}", "")
    return done.stdout


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
