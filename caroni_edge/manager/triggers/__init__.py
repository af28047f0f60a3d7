"""What starts a workflow: read, checked, taken once or refused with a reason."""
