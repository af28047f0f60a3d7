"""The agent: knows one host and the job types that its owner allows, and decides what it takes."""
