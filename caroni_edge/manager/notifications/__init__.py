"""Notifications: what people and programs outside are told of, by webhooks, commands and topics."""
