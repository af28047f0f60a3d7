"""Labels: small texts by name, which say what an agent is or what a workflow is about, to be chosen by."""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated

from msgspec import Meta

LABELS_MAX = 16
LABEL_NAME_PATTERN = r"^[a-z0-9_.-]{1,40}$(?!\n)"
LABEL_VALUE_PATTERN = r"^[A-Za-z0-9 _.:/+@-]{0,100}$(?!\n)"
NAME_WORDS = "1 to 40 of a-z 0-9 _ . -"
VALUE_WORDS = "up to 100 letters, digits and signs of _.:/+@- and spaces"

LabelName = Annotated[str, Meta(pattern=LABEL_NAME_PATTERN, description="Name of a label")]
LabelValue = Annotated[str, Meta(pattern=LABEL_VALUE_PATTERN, description="Value of a label")]
Labels = Annotated[dict[LabelName, LabelValue], Meta(max_length=LABELS_MAX)]

_name, _value = re.compile(LABEL_NAME_PATTERN), re.compile(LABEL_VALUE_PATTERN)


def is_label_name(text: str) -> bool:
    """Tell whether a text may name a label."""
    return _name.match(text) is not None


def is_label_value(text: str) -> bool:
    """Tell whether a text may be the value of a label."""
    return _value.match(text) is not None


def read_label(text: str) -> tuple[str, str]:
    """Return name and value of a label that is written NAME=VALUE.

    Raises:
        ValueError: It is none; the words are for people.
    """
    name, sign, value = text.partition("=")
    if not sign or not is_label_name(name) or not is_label_value(value):
        raise ValueError(f"a label is written NAME=VALUE: the name has {NAME_WORDS}, the value {VALUE_WORDS}")
    return name, value


def read_labels(texts: Iterable[str]) -> dict[str, str]:
    """Return labels that are written NAME=VALUE.

    Raises:
        ValueError: One is none, or they are too many; the words are for people.
    """
    labels = dict(read_label(text) for text in texts)
    if len(labels) > LABELS_MAX:
        raise ValueError(f"{LABELS_MAX} labels are allowed")
    return labels


def as_list(labels: Mapping[str, str]) -> list[str]:
    """Return labels as a list, `["gpu=a100", "site=north"]`: the same ones give the same list."""
    return sorted(f"{name}={value}" for name, value in labels.items())


def are_labels(names: Iterable[str]) -> bool:
    """Tell whether a step is bound by labels, all of which an agent must have, and not by the names of some agents."""
    return any("=" in name for name in names)
