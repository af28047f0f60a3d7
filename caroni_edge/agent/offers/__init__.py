"""Demand and offers: what managers need, what this agent may take, and what it offers to whom."""
