"""What managers hear of this agent: its presence, and all that it holds."""
