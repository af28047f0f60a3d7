"""The helper process: `python -m caroni_edge.javascript`."""

import sys

from caroni_edge.javascript.helper import main

sys.exit(main())
