"""What this agent has promised to keep as a depot, and does not have yet."""

from typing import NamedTuple

from caroni_edge.objects.objects import ObjectId
from caroni_edge.storage.rows import Rows, columns
from caroni_edge.values.json import as_text


class KeepRow(NamedTuple):
    """An object that is to be kept for a workflow, and has not come.

    Attributes:
        manager: Whose workflow it is.
        workflow: The workflow's id.
        object: The object.
        size: Its size in bytes.
        places: JSON, a list of `ObjectPlace`.
        is_directory: Whether it is the list of a directory.
        directory: The directory that has named it; empty where the manager has.
        turn: Of one manager's with the same holders, those with a lesser one are fetched first.
    """

    manager: str
    workflow: str
    object: ObjectId
    size: int
    places: str
    is_directory: bool
    directory: str
    turn: int


_KEEP = columns(KeepRow)


class KeepRows(Rows):
    """Statements about what is to come."""

    ADD = """
        INSERT INTO keeps (manager, workflow, object, directory, size, places, is_directory)
        VALUES (:manager, :workflow, :object, :directory, :size, :places, :is_directory)
        ON CONFLICT (manager, workflow, object, directory) DO UPDATE
        SET size = excluded.size, places = excluded.places, is_directory = excluded.is_directory"""

    def add(
        self,
        manager: str,
        workflow: str,
        name: ObjectId,
        size: int,
        places: str,
        *,
        is_directory: bool = False,
        directory: str = "",
    ) -> None:
        """Note that an object is to come, or that it comes from other places."""
        self._run(
            self.ADD,
            manager=manager,
            workflow=workflow,
            object=name,
            size=size,
            places=places,
            is_directory=is_directory,
            directory=directory,
        )

    # From manager to manager, from line to line, and from each to the next in its line, by the index. The second of a
    # line is behind the first of all lines, and so on; the second line of a manager behind the first of all managers.
    FIRST = f"""
        WITH RECURSIVE known (name) AS (
            SELECT (SELECT min(manager) FROM keeps) UNION ALL
            SELECT (SELECT min(manager) FROM keeps WHERE manager > known.name) FROM known WHERE name NOT NULL
        ), lines (nth, head, name, line) AS (
            SELECT 1, turn, manager, holders FROM known JOIN keeps ON turn = (
                SELECT turn FROM keeps WHERE manager = known.name ORDER BY holders, turn LIMIT 1
            ) UNION ALL
            SELECT nth + 1, turn, manager, holders FROM lines JOIN keeps ON turn = (
                SELECT turn FROM keeps WHERE manager = lines.name AND holders > lines.line
                ORDER BY holders, turn LIMIT 1
            ) ORDER BY 1, 2 LIMIT :limit
        ), taken (nth, it, name, line) AS (
            SELECT 1, head, name, line FROM lines UNION ALL
            SELECT nth + 1, turn, name, line FROM taken JOIN keeps ON turn = (
                SELECT min(turn) FROM keeps WHERE manager = taken.name AND holders = taken.line AND turn > taken.it
            ) ORDER BY 1, 2 LIMIT :limit
        ) SELECT {_KEEP} FROM taken JOIN keeps ON turn = it ORDER BY nth, turn"""

    def first(self, limit: int) -> list[KeepRow]:
        """Return some of what is to come, in turns from all who have the like, so that none of them holds up others."""
        return self._all(KeepRow, self.FIRST, limit=limit)

    OF = f"SELECT {_KEEP} FROM keeps WHERE manager = :manager AND object = :object ORDER BY turn"

    def of(self, manager: str, name: ObjectId) -> list[KeepRow]:
        """Return for which workflows of a manager an object is to come."""
        return self._all(KeepRow, self.OF, manager=manager, object=name)

    CAME = "DELETE FROM keeps WHERE turn = :turn"

    def came(self, turn: int) -> None:
        """Note that an object is here that was to come."""
        self._run(self.CAME, turn=turn)

    TAKE_BACK = """
        DELETE FROM keeps WHERE manager = :manager AND workflow = :workflow AND object = :object AND directory = ''"""
    TAKE_BACK_FILES = "DELETE FROM keeps WHERE manager = :manager AND workflow = :workflow AND directory = :object"

    def take_back(self, manager: str, workflow: str, name: ObjectId) -> None:
        """Have nothing come any more of what a manager has asked to be kept, and of what that names."""
        self._run(self.TAKE_BACK, manager=manager, workflow=workflow, object=name)
        self._run(self.TAKE_BACK_FILES, manager=manager, workflow=workflow, object=name)

    IS_PROMISED = """
        SELECT EXISTS (SELECT 1 FROM keeps
            WHERE manager = :manager AND workflow = :workflow AND object = :object AND directory = '')
        OR EXISTS (SELECT 1 FROM keeps WHERE manager = :manager AND workflow = :workflow AND directory = :object)"""

    def is_promised(self, manager: str, workflow: str, name: ObjectId) -> bool:
        """Tell whether an object is to come that a manager has asked to be kept, or a file of it."""
        return self._only(bool, self.IS_PROMISED, manager=manager, workflow=workflow, object=name)

    DROP = """
        DELETE FROM keeps WHERE manager = :manager AND workflow = :workflow
        AND iif(directory = '', object, directory) > :after
        AND (:upto = '' OR iif(directory = '', object, directory) <= :upto)
        AND iif(directory = '', object, directory) NOT IN (SELECT value FROM json_each(:but))"""

    def drop(self, manager: str, workflow: str, *, after: str, upto: str, but: tuple[str, ...]) -> None:
        """Fetch no more what is in a range of names, with what directories among them name (`ObjectRows.drop`)."""
        self._run(self.DROP, manager=manager, workflow=workflow, after=after, upto=upto, but=as_text([*but]))

    FORGET = "DELETE FROM keeps WHERE manager = :manager"

    def forget(self, manager: str) -> int:
        """Fetch nothing for a manager; return how many rows that were."""
        return self._run(self.FORGET, manager=manager)

    COUNT = "SELECT count(*) FROM keeps WHERE manager = :manager"

    def count(self, manager: str) -> int:
        """Return how much is to come for a manager."""
        return self._only(int, self.COUNT, manager=manager)
