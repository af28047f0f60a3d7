"""What people see of an agent: its JSON API, and the read-only views behind it."""
