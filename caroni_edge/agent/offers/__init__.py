"""What managers want, what this agent may take, and what it offers."""
