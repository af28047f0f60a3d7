"""Certificates of an authority of our own, for tests of TLS."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.brokers import find


@dataclass(frozen=True)
class Certificates:
    ca: Path
    certificate: Path
    key: Path

    @property
    def settings(self) -> str:
        return f"cafile {self.ca}\ncertfile {self.certificate}\nkeyfile {self.key}\n"


def make_certificates(directory: Path, names: str, *, days: int = 2) -> Certificates:
    """Make a CA, and a certificate of it for `names` (as in `IP:127.0.0.1`)."""
    openssl = find("openssl", "openssl")
    directory.mkdir(parents=True)
    ca, ca_key = directory / "ca.pem", directory / "ca.key"
    made = Certificates(ca, directory / "broker.pem", directory / "broker.key")
    request, extensions = directory / "broker.csr", directory / "extensions"
    extensions.write_text(f"subjectAltName={names}\n")

    def run(*arguments: object) -> None:
        subprocess.run([openssl, *map(str, arguments)], check=True, capture_output=True)

    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    run("req", "-x509", *new_key, "-subj", "/CN=Test CA", "-keyout", ca_key, "-out", ca, "-days", 2)
    run("req", *new_key, "-subj", "/CN=broker", "-keyout", made.key, "-out", request)
    signed_by = ("-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-extfile", extensions, "-days", days)
    run("x509", "-req", "-in", request, *signed_by, "-out", made.certificate)
    return made
