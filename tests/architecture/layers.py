"""The layers of docs/architecture.md, as data: from what people touch down to what knows of nothing else.

A module belongs to the component with the longest name that it lies in. It may import components of the rows below its
own, and modules of its own component.
"""

PAGES = ("manager.pages", "agent.pages")
VIEWS = ("manager.pages.views", "agent.pages.views")

LAYERS: list[set[str]] = [
    {"__main__"},
    {"cli"},
    {"demo", "embedded"},
    {"manager.daemon", "agent.daemon"},
    {"node.daemon"},
    {*PAGES},
    {"web"},
    {"manager.pages.why", "manager.pages.dataflows", "manager.pages.timeline"},
    {"manager.pages.whycopies"},
    {"manager.pages.whyfiles"},
    {*VIEWS},
    {"manager.pages.fileviews"},
    {"manager.pages.lists", "manager.pages.roster", "manager.pages.automation"},
    {"manager.pages.progress", "manager.pages.agentcheck", "manager.pages.sentences"},
    {"manager.pages.shapes", "manager.pages.templateshapes", "agent.pages.shapes"},
    {"doctor", "brokerconfig"},
    {
        "node.startup",
        "node.offline",
        "node.api_socket",
        "client",
        "manager.listening.threads",
        "manager.notifications.couriers",
    },
    {"node.service"},
    {"node.node"},
    {"node.carriage", "node.arrivals"},
    {"node.transfers", "node.locationfetches", "node.bucketwork"},
    {"node.directfetches"},
    {"node.turns", "node.returns"},
    {"node.dataconnection"},
    {
        "node.calls",
        "node.dispatch",
        "node.connection",
        "node.forgetting",
        "node.datatransport",
        "node.objectdisk",
        "node.httpget",
        "node.bucket",
    },
    {"manager", "agent"},
    {"manager.store", "agent.store", "node.identity", "node.allowance", "node.cutoffs", "node.receipts"},
    {"delivery", "node.store", "objects"},
    {"node.parts", "node.reactor"},
    {"transport", "storage"},
    {"manager.lifecycle", "agent.lifecycle"},
    {"config"},
    {"protocol", "javascript"},
    {"values.carried"},
    {"values.large", "values.lists"},
    {"values.parsing", "values.fields"},
    {"values.files"},
    {"values.types", "values.directories"},
    {"documents"},
    {"values.remote"},
    {"values.json", "objects.objects"},
    {"base"},
    {"", "node", "values"},
]

STORES = ("manager.store", "agent.store", "delivery", "node.store", "objects.store")
"""Where statements stand."""

NEVER: dict[str, tuple[str, ...]] = {
    # Sans-IO: the link decides what goes out, and does not know what carries it.
    "delivery": ("transport",),
    "objects": ("transport",),
    # A role knows the other one by its messages alone.
    "manager": ("agent",),
    "agent": ("manager",),
}
"""What the rows would allow, and what is never to be reached, neither directly nor through others."""

ONLY: dict[str, tuple[str, ...]] = {
    "cronsim": ("config.timing",),
    "paho": ("transport.mqtt", "transport.paho_connection"),
    "amqtt": ("demo.broker",),
    "sqlite3": (
        "storage",
        "delivery",
        "manager.store",
        "agent.store",
        "objects.store",
        "web",
        "doctor",
        *VIEWS,
        "manager.pages.lists",
        "manager.pages.roster",
    ),
    "sqlite_utils": ("storage",),
    "yaml": ("documents.yamltree", "demo"),
    "click": ("cli", "demo"),
    "rich": ("cli", "demo"),
    "obstore": ("node.bucket",),
    "httpx": ("cli", "demo", "manager.notifications.couriers"),
    "litestar": ("web", *PAGES),
    "multipart": ("web.streams",),
    "uvicorn": ("web",),
    "jinja2": ("web",),
    "prometheus_client": ("web",),
}
"""Libraries that stay behind one edge; each can be replaced there."""

STANDARD_LIBRARY_ONLY = ("agent.keeper", "base.failpoints")
"""A keeper lives for as long as its jobs, longer than what is installed: nothing of it may be loaded later."""

THIRD_PARTY: dict[str, tuple[str, ...]] = {
    "protocol": ("msgspec",),
    "delivery": ("msgspec",),
    "manager.lifecycle": (),
    "agent.lifecycle": (),
    "base.states": (),
    "base.errors": (),
}
"""All that these components may use beside the standard library."""
