"""YAML documents, read so that every error names its line."""
