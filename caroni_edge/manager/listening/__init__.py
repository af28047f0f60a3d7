"""How a manager hears what its rules look at: a session of its own, beside the one of the frames."""
