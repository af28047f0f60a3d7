"""Triggers: messages that start workflows. They are read, checked, and taken once or refused with a reason."""
