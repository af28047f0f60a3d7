"""Caroni Edge as it is, but that it takes seconds to be sure that a broker drops what it is given, not a minute.

A program of its own (`Fleet.program`), for tests of what a node does once it is sure. When that is, is tested in
`tests/unit/node/test_carriage.py` and `tests/unit/delivery/test_passage.py`.
"""

import sys

from caroni_edge.cli import main
from caroni_edge.delivery import link
from caroni_edge.node import carriage

PROGRAM = (sys.executable, "-P", __file__)

if __name__ == "__main__":
    link.STUCK_AFTER_S = 1.0
    carriage.UNANSWERED_AFTER_S = 10.0
    main()
