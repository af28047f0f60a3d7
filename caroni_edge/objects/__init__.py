"""Objects: bytes of any size that are named by their hash, where they lie, and who may have them."""
