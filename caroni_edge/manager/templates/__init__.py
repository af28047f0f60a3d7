"""Workflow templates: CWL documents are read once and become plans."""
