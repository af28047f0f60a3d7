"""Jobs of this agent, from their acceptance to their end."""
