"""The exactly-once link between two nodes: its decisions and its rows, without any I/O but the database."""
