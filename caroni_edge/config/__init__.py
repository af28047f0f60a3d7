"""The configuration of a node: read from YAML, the environment and secret files, and checked as a whole.

`keys.py` lists every key as data; `loading.py` makes the objects that the daemons use.
"""

from caroni_edge.config.broker_url import BrokerUrl, broker_url
from caroni_edge.config.key import Key
from caroni_edge.config.keys import AGENT_KEYS, MANAGER_KEYS
from caroni_edge.config.loading import load_agent, load_manager
from caroni_edge.config.model import (
    EVERYBODY,
    AgentConfig,
    BrokerConfig,
    BucketConfig,
    LogConfig,
    ManagerConfig,
    Network,
    NodeConfig,
    Setting,
    WebConfig,
    WebUser,
)
from caroni_edge.config.secret import Secret, read_secret
from caroni_edge.config.units import duration, size

__all__ = [
    "AGENT_KEYS",
    "EVERYBODY",
    "MANAGER_KEYS",
    "AgentConfig",
    "BrokerConfig",
    "BrokerUrl",
    "BucketConfig",
    "Key",
    "LogConfig",
    "ManagerConfig",
    "Network",
    "NodeConfig",
    "Secret",
    "Setting",
    "WebConfig",
    "WebUser",
    "broker_url",
    "duration",
    "load_agent",
    "load_manager",
    "read_secret",
    "size",
]
