"""What the runner tells of jobs and files goes to the part that it is for."""

from caroni_edge.agent.jobs.bucket import InBucket
from caroni_edge.agent.jobs.fetching import Fetching
from caroni_edge.agent.jobs.locations import Locations
from caroni_edge.agent.jobs.objects import JobObjects
from caroni_edge.agent.jobs.quotas import Quotas
from caroni_edge.agent.jobs.slots import Slots
from caroni_edge.agent.offers.refusals import Refusals
from caroni_edge.agent.processes.outcome import NeverBegan
from caroni_edge.agent.processes.port import (
    FetchedNoDirectory,
    JobCollecting,
    JobEnded,
    JobNews,
    JobRecalled,
    JobStarted,
    ObjectFetched,
    PlaceRefused,
)
from caroni_edge.base.moment import Moment
from caroni_edge.config.model import EVERYBODY
from caroni_edge.objects.filework import NoRoomForFiles, ObjectsLost
from caroni_edge.objects.locations import LocationFailed, LocationFetched, LocationSized
from caroni_edge.objects.transfer.effects import Held, PlacesSilent


class NewsOfJobs:
    """Hands on what the runner tells."""

    def __init__(
        self,
        refusals: Refusals,
        slots: Slots,
        objects: JobObjects,
        fetching: Fetching,
        locations: Locations,
        quotas: Quotas,
        bucket: InBucket,
    ) -> None:
        """Hand it to these parts."""
        self._refusals, self._slots, self._objects, self._fetching = refusals, slots, objects, fetching
        self._locations, self._quotas, self._bucket = locations, quotas, bucket

    def take(self, news: JobNews, at: Moment) -> None:
        """Take what the runner tells; a repeat changes nothing."""
        match news:
            case JobEnded():
                self._on_ended(news, at)
            case JobStarted(job, date):
                self._slots.on_started(job, date, at)
            case JobRecalled(job):
                self._slots.on_recalled(job, at)
            case JobCollecting():
                self._slots.endings.on_collecting(news, at)
            case NoRoomForFiles(reason, None):
                self._refusals.on_no_room(reason)
            case NoRoomForFiles(reason, over):
                assert over is not None
                self._quotas.make_room(over.manager, over.short)
                self._refusals.on_over(over.manager if over.short.of_manager else EVERYBODY, reason)
            case ObjectsLost(objects):
                self._objects.lose(objects)
            case ObjectFetched() | FetchedNoDirectory() | PlaceRefused() | PlacesSilent() | Held():
                self._fetching.on_news(news, at)
            case LocationFetched() | LocationFailed() | LocationSized():
                self._locations.on_news(news, at)
            case _:
                self._bucket.on_news(news, at)

    def _on_ended(self, ended: JobEnded, at: Moment) -> None:
        if isinstance(ended.outcome, NeverBegan) and ended.outcome.no_room:
            self._refusals.on_no_room(ended.outcome.reason)
        else:
            self._refusals.on_room()
        self._slots.endings.on_ended(ended, at)
