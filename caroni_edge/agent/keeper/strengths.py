"""How surely all of a job ends with it, and what keeps it to its bounds: the words by which a keeper says so."""

BOX = "box"
"""The keeper is in a box, whose kernel ends all that is in it with the keeper."""
CHILDREN = "children"
"""What has lost its parent becomes the keeper's child."""
MARKS = "marks"
"""What is left of a job is found by its marks alone (`trees.py`)."""

GROUPS = "groups"
"""The kernel counts all of a job (`cgroups.py`)."""
LOOKS = "looks"
"""The keeper looks (`bounds.py`)."""
