"""``python -m caroni_edge.agent.keeper STATE_DIR`` starts a keeper."""

import sys

from caroni_edge.agent.keeper.server import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
