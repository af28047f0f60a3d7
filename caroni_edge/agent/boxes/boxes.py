"""What an agent knows of boxes on its host, found out once at its start."""

from typing import NamedTuple

from caroni_edge.agent.boxes.slotids import NO_SLOT_IDS, SlotIds
from caroni_edge.agent.boxes.strength import Able
from caroni_edge.agent.boxes.view import Hidden

UNABLE = Able("no box is made here", "no box is made here", "no box is made here")
NOTHING_HIDDEN = Hidden("")


class Boxes(NamedTuple):
    """What there is to make boxes with.

    Attributes:
        able: What this host can do.
        bwrap: The path of bubblewrap; empty where there is none.
        hidden: What boxes hide.
        filter: The file with the filter of system calls for a box of a job's own; empty where there is none.
        ids: The user ids that slots have in the box that jobs share.
    """

    able: Able = UNABLE
    bwrap: str = ""
    hidden: Hidden = NOTHING_HIDDEN
    filter: str = ""
    ids: SlotIds = NO_SLOT_IDS
