"""The certificate of the page, which may be renewed while the node runs."""

import ssl

from caroni_edge.base.errors import CaroniError
from caroni_edge.config import WebConfig


class PageCertificateUnusable(CaroniError):
    """The certificate of the page cannot be used: {reason}."""

    hint = "web.cert_file must name a certificate in PEM format, and web.key_file its key, which must not be encrypted."
    exit_status = 2


def server_context(config: WebConfig | None) -> ssl.SSLContext | None:
    """Return what the page is encrypted with; None where it is not.

    Raises:
        PageCertificateUnusable: A file cannot be used.
    """
    if config is None or config.cert_file is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_certificate(context, config)
    return context


def load_certificate(context: ssl.SSLContext, config: WebConfig) -> None:
    """Let new connections see the certificate that is in the files now.

    Raises:
        PageCertificateUnusable: A file cannot be used.
    """
    assert config.cert_file is not None
    try:
        # Without a password OpenSSL would ask for one at the terminal.
        context.load_cert_chain(config.cert_file, config.key_file, password="")
    except (OSError, ssl.SSLError) as error:
        raise PageCertificateUnusable(str(config.cert_file), reason=error.strerror or error) from error
