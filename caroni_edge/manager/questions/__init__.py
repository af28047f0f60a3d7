"""What people ask a manager over the broker: who is answered, and how often."""
