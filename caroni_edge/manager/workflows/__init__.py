"""Workflows as they run: steps come into being, are attempted, and give their outputs on."""
