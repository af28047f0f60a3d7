"""What the pages and APIs of both roles share: who may come in, the server, health, metrics and errors.

`start` (in `server.py`) is what a role calls with the routes of its own. Where the page is off, the API is served all
the same, on the socket in the state directory alone. Litestar costs a fifth of a second and 30 MB: commands do without.
"""
