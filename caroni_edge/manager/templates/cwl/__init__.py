"""Reads CWL v1.2 workflows, and says of everything in them whether it is served."""
