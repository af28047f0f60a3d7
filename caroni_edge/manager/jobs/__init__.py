"""Jobs as their agents hear of them, and the logs that come back."""
