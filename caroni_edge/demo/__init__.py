"""The demonstration: a broker, a manager and two agents on one host, and a workflow that crosses them."""
