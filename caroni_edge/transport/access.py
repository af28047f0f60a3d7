"""How the broker is reached, as it may change while the node runs: addresses, login, certificates."""

import hashlib
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from caroni_edge.base.errors import CaroniError
from caroni_edge.config import BrokerConfig


class UnusableCaFile(CaroniError):
    """The CA certificates cannot be read: {reason}."""

    hint = "ca_file must name a readable file of certificates in PEM format."


class UnusableCertificate(CaroniError):
    """The certificate for the broker cannot be used: {reason}."""

    hint = "cert_file must name a certificate in PEM format, and key_file its key, which must not be encrypted."


class Settings(NamedTuple):
    """What one connection is made with: settings, and what was read from their files."""

    broker: BrokerConfig
    tls: ssl.SSLContext | None


class Access:
    """Holds how the broker is reached; each connection is made by what it holds then.

    Attributes:
        settings: Of the node's next connection. They are replaced as a whole, since another thread reads them.
        further: Of the next connection beside that.
    """

    def __init__(self, broker: BrokerConfig) -> None:
        """Read the certificates.

        Raises:
            UnusableCaFile, UnusableCertificate: They cannot be used.
        """
        self.settings = Settings(broker, tls_context(broker) if broker.tls else None)
        self.further = self.settings._replace(broker=replace(broker, urls=broker.data_urls or broker.urls))
        self._files = _digest(broker)

    def change_to(self, other: "Access") -> bool:
        """Take over what was read anew; return whether it is another way, so that connections must be made anew."""
        is_other = (self.settings.broker, self._files) != (other.settings.broker, other._files)
        self.settings, self.further, self._files = other.settings, other.further, other._files
        return is_other


def tls_context(broker: BrokerConfig) -> ssl.SSLContext:
    """Return a context that checks the broker's certificate and name, and shows our own certificate if we have one.

    Raises:
        UnusableCaFile, UnusableCertificate: A file cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=broker.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise UnusableCaFile(str(broker.ca_file), reason=error.strerror or error) from error
    if broker.cert_file is not None:
        try:
            # Without a password OpenSSL would ask for one at the terminal.
            context.load_cert_chain(broker.cert_file, broker.key_file, password="")
        except (OSError, ssl.SSLError) as error:
            raise UnusableCertificate(str(broker.cert_file), reason=error.strerror or error) from error
    return context


def _digest(broker: BrokerConfig) -> bytes:
    digest = hashlib.sha256()
    for path in _files(broker):
        digest.update(path.read_bytes() if path.exists() else b"")
        digest.update(b"\0")
    return digest.digest()


def _files(broker: BrokerConfig) -> Iterator[Path]:
    yield from (path for path in (broker.ca_file, broker.cert_file, broker.key_file) if path is not None)
