"""The application."""

import subprocess
import sys

PROGRAM = """
import sys
from caroni_edge.web import app
app._Application([])
print(*sorted({"attr", "pydantic"} & sys.modules.keys()))
"""


def test_types_that_we_do_not_have_are_not_loaded() -> None:
    """They are installed, since others need them."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
