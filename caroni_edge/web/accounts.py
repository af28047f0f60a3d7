"""Who there is: the token, and the people with their passwords; known from the start of a node on."""

import hmac
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from caroni_edge.base.text import encoded
from caroni_edge.config import Secret, WebConfig
from caroni_edge.web import credentials

Role = Literal["viewer", "operator"]


class Accounts:
    """The token, and the people with their passwords; compared in constant time. Without a token nobody has it."""

    def __init__(self, token: Secret | None = None, people: Mapping[str, tuple[Role, Secret]] | None = None) -> None:
        """Let in who has the token or is among `people`."""
        self._token, self._people = token, people or {}
        self._nobody: tuple[Role, Secret] = ("viewer", Secret(secrets.token_hex()))

    @classmethod
    def of(cls, config: WebConfig, state_dir: Path) -> "Accounts":
        """Take them from the configuration; what it does not give is made, and kept in `state_dir`.

        Raises:
            CredentialUnusable: A file that keeps one is of no use.
        """
        people: dict[str, tuple[Role, Secret]] = {name: (u.role, u.password) for name, u in config.users.items()}
        people[config.username] = ("operator", credentials.password(config.password, state_dir))
        return cls(credentials.token(config.token, state_dir), people)

    def same_person(self, other: "Accounts", name: str) -> bool:
        """Tell whether somebody has the same password and role as in `other`."""
        return name in self._people and self._people[name] == other._people.get(name)

    def has_token(self, text: str) -> bool:
        """Tell whether `text` is the token."""
        return self._token is not None and same(text, self._token)

    def knows(self, name: str) -> bool:
        """Tell whether somebody has this name."""
        return name in self._people

    def role_of(self, name: str, password: str) -> Role | None:
        """Return what somebody may do; None when name or password is wrong."""
        role, right = self._people.get(name, self._nobody)
        return role if same(password, right) else None


def same(given: str, right: Secret) -> bool:
    """Compare what somebody has given with what is right, in constant time."""
    return hmac.compare_digest(encoded(given), right.reveal().encode())
