"""The agents: who is there, what they hold, and what nobody serves."""
