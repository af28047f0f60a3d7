"""What agents are told of the jobs that they have been given, and the logs that come back."""
