"""What `caroni-edge doctor` looks at: one module for each family of checks, each yielding findings.

It only looks. A node that runs is asked by its API instead of connecting in its name, because a broker may take a
second connection with its login for the node itself and cut that off; messages that wait for a stopped node are not
acknowledged, so they are there when it is back.
"""
