"""A node on the wire, whatever its role: one batch is one transaction, then acknowledge, publish and act."""
