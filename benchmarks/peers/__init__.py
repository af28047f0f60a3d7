"""Caroni Edge beside what people would take instead, doing the same: see `__main__.py`."""
