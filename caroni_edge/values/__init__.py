"""CWL values: their types, their canonical JSON, and texts that become values."""
