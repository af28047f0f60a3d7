"""The layers of docs/architecture.md, as data: from what people touch down to what knows of nothing else.

A module belongs to the component with the longest name that it lies in. It may import components of the rows below its
own, and modules of its own component.
"""

PAGES = ("manager.api", "manager.pages", "agent.api", "agent.pages")
VIEWS = ("manager.views", "agent.views")

LAYERS: list[set[str]] = [
    {"__main__"},
    {"cli"},
    {"demo"},
    {"doctor"},
    {"manager.daemon", "agent.daemon"},
    {"daemon"},
    {*PAGES},
    {"web"},
    {"manager.why", "agent.why"},
    {*VIEWS},
    {"manager.shapes", "agent.shapes"},
    {"startup", "submission", "broker", "offline"},
    {"service"},
    {"node"},
    {"dispatch", "session"},
    {"manager", "agent"},
    {"manager.store", "agent.store", "identity", "allowance"},
    {"delivery"},
    {"reactor"},
    {"transport", "storage", "chance"},
    {"manager.lifecycle", "agent.lifecycle"},
    {"states"},
    {"config"},
    {"protocol"},
    {"values"},
    {"cwltypes"},
    {"documents"},
    {"jsontext", "yamltree"},
    {"logs", "dates"},
    {"errors", "failpoints"},
    {""},
]

NEVER: dict[str, tuple[str, ...]] = {
    # Sans-IO: the link decides what goes out, and does not know what carries it.
    "delivery": ("transport",),
    # A role knows the other one by its messages alone.
    "manager": ("agent",),
    "agent": ("manager",),
}
"""Imports that the rows would allow."""

ONLY: dict[str, tuple[str, ...]] = {
    "paho": ("transport.mqtt",),
    "amqtt": ("broker",),
    "sqlite3": (
        "storage",
        "delivery",
        "identity",
        "manager.store",
        "agent.store",
        "web",
        "doctor.database",
        *PAGES,
        *VIEWS,
    ),
    "sqlite_utils": ("storage",),
    "yaml": ("yamltree", "demo"),
    "click": ("cli", "demo"),
    "rich": ("cli", "demo"),
    "httpx": ("cli", "demo"),
    "litestar": ("web", *PAGES),
    "uvicorn": ("web",),
}
"""Libraries that stay behind one edge; each can be replaced there."""

STANDARD_LIBRARY_ONLY = ("agent.keeper", "failpoints")
"""A keeper lives for as long as its jobs, longer than what is installed: nothing of it may be loaded later."""

THIRD_PARTY: dict[str, tuple[str, ...]] = {
    "protocol": ("msgspec",),
    "delivery": ("msgspec",),
    "manager.lifecycle": (),
    "agent.lifecycle": (),
    "states": (),
    "errors": (),
}
"""All that these components may use beside the standard library."""
