"""What managers hear of this agent: its presence and, after a lost database, all jobs that it holds."""
