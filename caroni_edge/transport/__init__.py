"""Connections to an MQTT broker: the interface, the real one, and one in memory."""
