"""Jobs as processes: their directories, the link to the keeper that runs them, their outputs and logs."""
