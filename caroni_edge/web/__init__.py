"""What the pages and APIs of both roles share: who may come in, the server, health, metrics and errors.

`start` (in `server.py`) is what a role calls with the routes of its own. Only `app.py` and what it imports need
Litestar, which costs a fifth of a second and 30 MB: nothing here is imported by a daemon whose page is off.
"""
