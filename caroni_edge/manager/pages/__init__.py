"""What people see of a manager: API, read-only views, and why something waits."""
