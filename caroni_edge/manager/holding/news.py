"""What there is to know of the manager's own objects goes to the parts that it is for."""

from caroni_edge.base.moment import Moment
from caroni_edge.manager.holding.copies import Copies
from caroni_edge.manager.holding.port import Came, CameNoDirectory, StoreNews
from caroni_edge.manager.peers.objects import AgentObjects
from caroni_edge.manager.triggers.brought import Brought
from caroni_edge.manager.workflows.looks import Looks
from caroni_edge.objects.filework import ObjectsLost
from caroni_edge.objects.transfer.effects import PlaceFailed
from caroni_edge.protocol.topics import SUBMIT


class NewsOfFiles:
    """Hands on what is told of the objects that lie here, or are to come."""

    def __init__(self, objects: AgentObjects, looks: Looks, brought: Brought, copies: Copies) -> None:
        """Hand it to these parts."""
        self._objects, self._looks, self._brought, self._copies = objects, looks, brought, copies

    def take(self, news: StoreNews, at: Moment) -> None:
        """Take what is told; a repeat changes nothing."""
        match news:
            case ObjectsLost(objects):
                self._objects.on_lost_here(objects, at)
                for each in objects:
                    self._looks.on_lost(each)
            case CameNoDirectory(fetch, why):
                self._brought.on_no_directory(fetch, why, at)
            case Came(found, files):
                self._brought.on_fetched(found, files, at)
                self._copies.on_fetched(found, at)
                self._looks.on_here(found.id)
            case PlaceFailed(fetch, holder, why):
                by_whom = self._brought if holder.role == SUBMIT else self._copies
                by_whom.on_refused(fetch, holder, why, at)
