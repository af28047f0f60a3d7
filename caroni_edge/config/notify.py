"""Who is told of what: the entries of `notify`."""

import hashlib
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from caroni_edge.config.secret import Secret
from caroni_edge.values.json import as_text

OCCASIONS = ("failed", "stalled", "recovered", "agent-silent", "agent-back", "trigger-refused")
"""What there is to be told of."""
OF_AGENTS = ("agent-silent", "agent-back")


@dataclass(frozen=True, slots=True)
class Webhook:
    """A URL that gets each notification by POST, signed as Standard Webhooks has it; it may hold secrets itself."""

    url: str = field(repr=False)
    secret: Secret | None

    @property
    def name(self) -> str:
        """Where it goes, as far as people may read it."""
        parts = urlsplit(self.url)
        return f"webhook {parts.scheme}://{parts.hostname}"


@dataclass(frozen=True, slots=True)
class Command:
    """A program that gets each notification on standard input."""

    words: tuple[str, ...]

    @property
    def name(self) -> str:
        """What it is, without its arguments."""
        return f"command {self.words[0]}"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic that each notification is published on."""

    topic: str

    @property
    def name(self) -> str:
        """Where it goes."""
        return f"topic {self.topic}"


Target = Webhook | Command | Topic


@dataclass(frozen=True, slots=True)
class Notify:
    """An entry of `notify`.

    Attributes:
        on: What it is told of.
        templates: Of which templates, as patterns; empty: of all.
        target: Who is told.
    """

    on: tuple[str, ...]
    templates: tuple[str, ...]
    target: Target

    @property
    def target_key(self) -> str:
        """By what notifications wait for it: entries with one target share a line."""
        match self.target:
            case Webhook(url=url):
                return _hash(["webhook", url])
            case Command(words=words):
                return _hash(["command", *words])
            case Topic(topic=topic):
                return _hash(["topic", topic])

    @property
    def key(self) -> str:
        """What tells it from other entries."""
        return _hash([*self.on, "of", *self.templates, self.target_key])

    def covers(self, template: str | None) -> bool:
        """Tell whether it is told of a template; None stands for what is of none."""
        return not self.templates or (
            template is not None and any(fnmatchcase(template, each) for each in self.templates)
        )


def _hash(words: list[str]) -> str:
    return hashlib.sha256(as_text(words).encode()).hexdigest()[:16]
