"""Reads CWL v1.2 workflows into plans, and says of everything in a file that has no effect here that it has none."""
