"""Jobs as processes: their directories, the keeper that runs them, their outputs and logs."""
