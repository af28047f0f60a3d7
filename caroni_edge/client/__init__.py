"""What a program outside of the nodes needs to start a workflow and to follow it."""
