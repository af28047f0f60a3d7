"""Caroni Edge: workflows over many hosts with no head node, over MQTT."""

__version__ = "0.1.0"
