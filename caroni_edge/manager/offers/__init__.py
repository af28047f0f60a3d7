"""What this manager needs, and what agents offer for it."""
