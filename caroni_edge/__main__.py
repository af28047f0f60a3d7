"""``python -m caroni_edge`` is the command line."""

from caroni_edge.cli import main

main()
