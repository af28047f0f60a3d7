"""The exactly-once link between two nodes: its decisions and its rows, and events until their PUBACK.

Nothing here does any I/O but the database's.
"""
