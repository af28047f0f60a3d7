"""Write the golden traces anew: ``python -m tests.golden`` (part of ``make docs``)."""

import logging

from tests.golden.scenes import SCENES, pinned, trace

logging.disable(logging.CRITICAL)
for name in SCENES:
    text = trace(name)
    if not pinned(name).exists() or pinned(name).read_text(encoding="utf-8") != text:
        pinned(name).write_text(text, encoding="utf-8")
        print(f"written: {pinned(name).name}")
