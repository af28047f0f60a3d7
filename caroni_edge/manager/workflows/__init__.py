"""Workflows as they run: their steps are made, tried at agents, and hand their outputs on to other steps."""
