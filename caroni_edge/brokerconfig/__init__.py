"""Configuration of a broker for given nodes and people: what `caroni-edge broker-config` writes.

`rights` says who may say and hear what, once for all brokers; `roster` is who there is, and `folder` brings a directory
to what a roster asks for. What is there stays: passwords, keys and certificates are only ever added.
"""
