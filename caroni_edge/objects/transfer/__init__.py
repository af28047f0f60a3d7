"""How the bytes of objects come from node to node: asker and holder decide, and know nothing of what carries them."""
