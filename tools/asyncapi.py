"""The AsyncAPI 3.0 document: the topics, who writes what to them, and with which delivery."""

from dataclasses import dataclass
from typing import Any, Literal

import yaml

from caroni_edge import __version__
from caroni_edge.protocol.schema import LINK_MESSAGES, PAYLOADS, components
from caroni_edge.protocol.topics import Role, Topics
from tools.examples import exemplified

SCHEMAS = "#/components/schemas/{name}"

INFO = {
    "title": "Caroni Edge",
    "version": __version__,
    "description": (
        "Workflow managers and agents talk over an MQTT broker, with MQTT 3.1.1 and JSON. Anybody allowed starts a "
        "workflow by publishing a Trigger, and follows it by its events. All else is between the nodes; "
        "docs/protocol.md says what they promise each other."
    ),
    "license": {"name": "Apache-2.0"},
}
PARAMETERS = {
    "root": {"description": "First segment of all topics (`topic_root`).", "default": "caroni"},
    "manager": {"description": "Id of a workflow manager."},
    "agent": {"description": "Id of an agent."},
    "workflow": {"description": "Id of a workflow; `rejected` for refused triggers."},
    "job_type": {"description": "Name of a job type."},
}


@dataclass(frozen=True)
class Channel:
    """A topic, with who does what there.

    Attributes:
        name: Name in the document.
        address: The topic, with parameters in braces.
        description: What it is for.
        payload: Name of the schema of what is published.
        sender: Who publishes.
        receiver: Who subscribes.
        publish_qos: Quality of service of what is published.
        subscribe_qos: Quality of service of the subscription.
        retain: Whether the broker keeps the last message.
    """

    name: str
    address: str
    description: str
    payload: str
    sender: str
    receiver: str
    publish_qos: Literal[0, 1]
    subscribe_qos: Literal[0, 1]
    retain: bool = False


def topics(role: Role) -> Topics:
    """Return the topics of a node whose id is a parameter."""
    return Topics("{root}", role, "{manager}" if role == "managers" else "{agent}")


MANAGER, AGENT = topics("managers"), topics("agents")

CHANNELS = (
    Channel("triggers", MANAGER.triggers, "Starts a workflow.", "Trigger", "anybody", "manager", 1, 1),
    Channel(
        "events",
        MANAGER.events("{workflow}"),
        "What happens to a workflow. A trigger's `reply_to` gets the same events.",
        *("CloudEvent", "manager", "anybody", 1, 1),
    ),
    Channel("toManager", AGENT.inbox_of("{manager}"), "Frames to a manager.", "Frame", "agent", "manager", 1, 1),
    Channel("toAgent", MANAGER.inbox_of("{agent}"), "Frames to an agent.", "Frame", "manager", "agent", 1, 1),
    Channel(
        "managerPresence",
        MANAGER.presence,
        "Whether a manager is there; its will says when it is not.",
        *("Presence", "manager", "agent", 1, 0, True),
    ),
    Channel(
        "agentPresence",
        AGENT.presence,
        "Whether an agent is there, what it can do and what it refuses.",
        *("Presence", "agent", "manager", 1, 0, True),
    ),
    Channel(
        "requests",
        MANAGER.request("{job_type}"),
        "A manager's present demand for a job type. An agent subscribes to those of its own job types.",
        *("JobFulfillmentRequest", "manager", "agent", 1, 0, True),
    ),
)


def document() -> str:
    """Return the whole document as YAML."""
    spec = {
        "asyncapi": "3.0.0",
        "info": INFO,
        "defaultContentType": "application/json",
        "servers": {
            "broker": {
                "host": "127.0.0.1:1883",
                "protocol": "mqtt",
                "protocolVersion": "3.1.1",
                "description": "Any MQTT 3.1.1 broker with persistent sessions, with TLS or without.",
            }
        },
        "channels": {channel.name: _channel(channel) for channel in CHANNELS},
        "operations": {name: spec for channel in CHANNELS for name, spec in _operations(channel)},
        "components": {"messages": _messages(), "schemas": _draft_07(exemplified(components(SCHEMAS)))},
    }
    return yaml.dump(spec, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)


def _channel(channel: Channel) -> dict[str, Any]:
    used = {name: facts for name, facts in PARAMETERS.items() if f"{{{name}}}" in channel.address}
    return {
        "address": channel.address,
        "description": channel.description,
        "parameters": used,
        "messages": {channel.payload: {"$ref": f"#/components/messages/{channel.payload}"}},
    }


def _operations(channel: Channel) -> list[tuple[str, dict[str, Any]]]:
    """Return both ends of a channel: who publishes, and who subscribes."""
    both: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("send", channel.sender, {"qos": channel.publish_qos, "retain": channel.retain}),
        ("receive", channel.receiver, {"qos": channel.subscribe_qos}),
    )
    what = f"{channel.name[0].upper()}{channel.name[1:]}"
    return [
        (
            f"{who}{action.capitalize()}s{what}",
            {
                "action": action,
                "channel": {"$ref": f"#/channels/{channel.name}"},
                "summary": f"{who.capitalize()} {'publishes' if action == 'send' else 'subscribes'}.",
                "bindings": {"mqtt": {**binding, "bindingVersion": "0.2.0"}},
                "messages": [{"$ref": f"#/channels/{channel.name}/messages/{channel.payload}"}],
            },
        )
        for action, who, binding in both
    ]


def _messages() -> dict[str, Any]:
    alone = {
        kind.__name__: {"name": kind.__name__, "payload": {"$ref": SCHEMAS.format(name=kind.__name__)}}
        for kind in PAYLOADS
    }
    names = ", ".join(kind.__name__ for kind in LINK_MESSAGES)
    alone["Frame"]["description"] = (
        f"A frame carries link messages ({names}) with QoS 1; without messages it is an acknowledgement, a question or "
        "an answer, and goes with QoS 0."
    )
    return alone


def _draft_07(schema: Any) -> Any:
    """Say a schema in JSON Schema draft 07, which AsyncAPI builds on: tuples are written in another way there."""
    match schema:
        case {"prefixItems": items, **rest}:
            return _draft_07({**rest, "items": items, "additionalItems": False})
        case dict():
            return {key: _draft_07(value) for key, value in schema.items()}
        case list() | tuple():
            return [_draft_07(value) for value in schema]
    return schema


class _Plain(yaml.SafeDumper):
    """YAML without anchors, which readers of AsyncAPI need not know."""

    def ignore_aliases(self, _data: Any) -> bool:
        """Write what stands in several places out each time."""
        return True
