"""What files cost: over good and bad lines, beside other work, in large numbers."""
