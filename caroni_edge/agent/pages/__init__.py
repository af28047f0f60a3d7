"""What people see of an agent: API and read-only views."""
