"""Between steps and agents: says what this manager needs, and gives steps to the agents that offer places."""
