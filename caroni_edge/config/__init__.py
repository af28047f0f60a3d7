"""The configuration of a node: read from YAML, the environment and secret files, and checked as a whole."""

from caroni_edge.config.units import duration, size

__all__ = ["duration", "size"]
