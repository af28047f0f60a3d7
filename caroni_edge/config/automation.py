"""What a manager's configuration says of what starts workflows by itself, and of who is told: checked values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from caroni_edge.config.timing import Timing
from caroni_edge.javascript.texts import Text

NAMES_READ = ("message", "received", "topic")
"""What the expressions of a trigger may read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AtMost:
    """How many workflows a rule may start in a while.

    Attributes:
        runs: So many.
        per_s: Within so many seconds.
        for_each: The key by which workflows are counted apart; None: all are counted together.
    """

    runs: int
    per_s: float
    for_each: Text | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule by which messages on any topic start workflows: an entry of `triggers`.

    Attributes:
        name: Its name in the configuration.
        topic: The MQTT filter of the messages that it looks at.
        when: Whether a message starts a workflow; None: each does.
        template: What is started.
        inputs: Its inputs, by name; a text with expressions is a `Text`, also within lists and objects.
        id: The workflow's id; None: a random one.
        priority: Of the workflow.
        payload: How a message is read.
        retained: Whether what the broker had retained counts.
        at_most: How many workflows it may start; None: any number.
    """

    name: str
    topic: str
    when: Text | None = None
    template: str
    inputs: Mapping[str, Any]
    id: Text | None = None
    priority: int = 4
    payload: Literal["json", "text"] = "json"
    retained: Literal["ignore", "take"] = "ignore"
    at_most: AtMost | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When workflows are started by the clock: an entry of `schedules`.

    Attributes:
        name: Its name in the configuration.
        template: What is started.
        inputs: Its inputs, by name.
        priority: Of the workflow.
        timing: When it is due.
        catch_up: Which of the slots are made up for that were missed while the manager was off.
        overlap: What becomes of a slot while a workflow of the schedule has not ended.
    """

    name: str
    template: str
    inputs: Mapping[str, Any]
    priority: int = 4
    timing: Timing
    catch_up: Literal["none", "last", "all"] = "last"
    overlap: Literal["skip", "queue", "allow"] = "skip"
