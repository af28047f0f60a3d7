"""JavaScript of others, run in one helper process: it may loop, grow or crash, and only its own answer suffers."""
