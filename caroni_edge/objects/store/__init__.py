"""Every SQL statement about objects, in both roles; nothing else."""
