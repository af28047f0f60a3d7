"""Which certificates a directory needs, and whose: those of an authority of our own, or what the user gives."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from caroni_edge.base.errors import UsageError
from caroni_edge.brokerconfig import mosquitto
from caroni_edge.brokerconfig.certificates import Authority, check_current, check_pair, find_openssl
from caroni_edge.brokerconfig.roster import Setup
from caroni_edge.brokerconfig.writing import make_directory, write

SOON_DAYS = 90


class Given(NamedTuple):
    """Files of the user's own.

    Attributes:
        ca_cert: Of a certificate authority.
        ca_key: Its key: with it the authority issues what we need.
        server_cert: The broker's certificate.
        server_key: Its key.
        renew: The broker gets a new certificate of the authority.
    """

    ca_cert: Path | None = None
    ca_key: Path | None = None
    server_cert: Path | None = None
    server_key: Path | None = None
    renew: bool = False


class TlsFiles:
    """Certificates and keys of a directory.

    Attributes:
        trusted: Certificate by which nodes and people know the broker; not there where the system's are meant.
        written: Names of the broker's files that are new or have changed.
    """

    def __init__(self, directory: Path, setup: Setup, given: Given) -> None:
        """Prepare; nothing is written yet.

        Raises:
            UsageError: What is given cannot be used, or does not go together.
        """
        self._setup, self._given = setup, given
        self._home, self._broker = directory / "ca", directory / "broker"
        self.trusted = self._home / "trusted.pem"
        self._certificate, self._key = self._broker / mosquitto.CERTIFICATE, self._broker / mosquitto.KEY
        self._authority: Authority | None = None
        self.written: list[str] = []
        self._check_given()

    def _check_given(self) -> None:
        given = self._given
        for one, two, cert, key in (
            ("--ca-key", "--ca-cert", given.ca_key, given.ca_cert),
            ("--server-cert", "--server-key", given.server_cert, given.server_key),
            ("--server-key", "--server-cert", given.server_key, given.server_cert),
        ):
            if cert is not None and key is None:
                raise UsageError(one, f"it needs {two} beside it")
        if given.server_cert is None and given.ca_cert is not None and given.ca_key is None:
            raise UsageError("--ca-cert", "it needs --ca-key beside it, or a --server-cert that it has issued")
        if any(given) and not self._setup.tls:
            raise UsageError("", "certificates are given, and connections are not encrypted", "Say --tls, too.")
        if self._setup.tls:
            find_openssl()
        for certificate, key in ((given.server_cert, given.server_key), (given.ca_cert, given.ca_key)):
            if certificate is not None and key is not None:
                check_pair(certificate, key)
                check_current(certificate)

    def prepare(self, names: Iterable[str]) -> Iterator[str]:
        """Have what the broker needs; yield which of it, and of these logins, has a certificate that ends soon.

        Raises:
            UsageError: A certificate is missing, has expired or cannot be used.
        """
        if not self._setup.tls:
            return
        given = self._given
        self._authority = self._open_authority()
        self._keep_trusted()
        if given.server_cert is not None and given.server_key is not None:
            self._write(mosquitto.CERTIFICATE, given.server_cert.read_bytes())
            self._write(mosquitto.KEY, given.server_key.read_bytes())
        elif given.renew or not self._certificate.exists():
            make_directory(self._certificate.parent)
            self._needed().issue_broker(self._setup.hosts[0], self._certificate, self._key)
            self.written += [f"broker/{mosquitto.CERTIFICATE}", f"broker/{mosquitto.KEY}"]
        check_current(self._certificate)
        if self._authority is not None:
            for what, certificate in (
                ("the broker", self._certificate),
                ("the authority", self._authority.certificate),
            ):
                if not self._authority.is_good_for(certificate, SOON_DAYS):
                    yield what
            yield from self._authority.ending(names, SOON_DAYS)

    def issue(self, name: str, certificate: Path, key: Path) -> str:
        """Make a certificate and key for a login; return its number."""
        return self._needed().issue_login(name, certificate, key)

    def revoke(self, number: str) -> None:
        """Let a certificate count no more."""
        self._needed().revoke(number)

    def write_for_broker(self) -> None:
        """Give the broker what it knows nodes and people by."""
        if not self._setup.client_certificates:
            return
        clients_ca = self._home / "clients-ca.pem"
        if self._authority is not None:
            write(clients_ca, self._authority.certificate.read_bytes())
            self._write(mosquitto.REVOKED, self._authority.revoked.read_bytes())
        self._write(mosquitto.CLIENT_CA, clients_ca.read_bytes())

    def _write(self, name: str, data: bytes) -> None:
        self.written += [f"broker/{name}"] * write(self._broker / name, data)

    def _open_authority(self) -> Authority | None:
        """Return the authority; None where none is needed, or where it is the user's and not given this time."""
        given, own_key = self._given, self._home / "ca.key"
        is_first = not self._certificate.exists() and not self.trusted.exists()
        if given.ca_key is not None:
            if self.trusted.exists() and given.ca_cert and self.trusted.read_bytes() != given.ca_cert.read_bytes():
                what = "this is not the authority that nodes and people know this broker by"
                raise UsageError(f"--ca-cert {given.ca_cert}", what, "Make the files anew in another directory.")
            return Authority(self._home, self._setup.hosts, certificate=given.ca_cert, key=given.ca_key)
        needs_own = given.server_cert is None or self._setup.client_certificates
        if own_key.exists() or (is_first and needs_own):
            return Authority(self._home, self._setup.hosts)
        return None

    def _keep_trusted(self) -> None:
        if self.trusted.exists():
            return
        if self._given.ca_cert is not None:
            write(self.trusted, self._given.ca_cert.read_bytes())
        elif self._given.server_cert is None and self._authority is not None:
            write(self.trusted, self._authority.certificate.read_bytes())

    def _needed(self) -> Authority:
        if self._authority is None:
            what = "a certificate is to be made, and the authority's key is not there"
            raise UsageError("--ca-key", what, "Give --ca-cert and --ca-key as the first time, or bring ca/ back.")
        return self._authority
