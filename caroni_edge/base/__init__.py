"""What everything may use and what uses nothing: errors, log records, time, chance, state tables."""
