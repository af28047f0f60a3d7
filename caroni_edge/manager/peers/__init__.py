"""The agents: which are there, which jobs they have, and which job types none of them serves."""
