"""Schedules: workflows that the clock starts, one for each slot."""
