"""Boxes: what keeps jobs from their agent, from each other and from the host, as far as this host can do that.

`wanted` is what a job type asks for, `host` what this host can do, and `strength` decides of both what a job gets.
`shared` and `each` are the two kinds of box, as arguments of bubblewrap. docs/decisions/0014-boxes.md says why.
"""
