"""What rules have done with the messages that they look at, and what they need to know of earlier ones."""

from typing import NamedTuple

from caroni_edge.storage.rows import Rows, columns


class RuleCount(NamedTuple):
    """How often a rule has done something with a message.

    Attributes:
        what: What it did.
        times: How often.
        date: When it did last.
        said: What there is to say of the last time.
    """

    rule: str
    what: str
    times: int
    date: float
    said: str


class ListenedFilter(NamedTuple):
    """A topic filter that the broker has for the rules' session, and since when."""

    filter: str
    since: float


class RuleRows(Rows):
    """Statements about rules."""

    COUNT = """
        INSERT INTO rule_counts (rule, what, times, date, said) VALUES (:rule, :what, :times, :date, :said)
        ON CONFLICT (rule, what) DO UPDATE SET times = times + excluded.times, date = excluded.date,
            said = excluded.said"""

    def count(self, row: RuleCount) -> None:
        """Add to what a rule has done; the last time counts as the one to be shown."""
        self._run(self.COUNT, **row._asdict())

    COUNTS = f"SELECT {columns(RuleCount)} FROM rule_counts ORDER BY rule, what"

    def counts(self) -> list[RuleCount]:
        """Return what all rules have done."""
        return self._all(RuleCount, self.COUNTS)

    # How many workflows a rule has started lately

    RUNS = "SELECT dates FROM rule_runs WHERE rule = :rule AND key = :key"

    def runs(self, rule: str, key: str) -> str | None:
        """Return when a rule has started workflows, of those that are counted by this key: a JSON list."""
        return self._one(str, self.RUNS, rule=rule, key=key)

    SET_RUNS = """
        INSERT INTO rule_runs (rule, key, dates, last) VALUES (:rule, :key, :dates, :last)
        ON CONFLICT (rule, key) DO UPDATE SET dates = excluded.dates, last = excluded.last"""

    def set_runs(self, rule: str, key: str, dates: str, last: float) -> None:
        """Keep when a rule has started workflows."""
        self._run(self.SET_RUNS, rule=rule, key=key, dates=dates, last=last)

    KEYS = "SELECT rows FROM row_counts WHERE what = 'rule_runs' AND name = :rule"

    def count_keys(self, rule: str) -> int:
        """Return how many keys there are of a rule."""
        return self._one(int, self.KEYS, rule=rule) or 0

    DROP_KEY = """
        DELETE FROM rule_runs WHERE rule = :rule
        AND key = (SELECT key FROM rule_runs WHERE rule = :rule ORDER BY last LIMIT 1)"""

    def drop_oldest_key(self, rule: str) -> None:
        """Forget the key of a rule that has started nothing for longest."""
        self._run(self.DROP_KEY, rule=rule)

    # The last value of each topic

    VALUE = "SELECT hash FROM rule_values WHERE rule = :rule AND topic = :topic"

    def value(self, rule: str, topic: str) -> str | None:
        """Return the hash of the last value that a rule has taken of a topic."""
        return self._one(str, self.VALUE, rule=rule, topic=topic)

    SET_VALUE = """
        INSERT INTO rule_values (rule, topic, hash, date) VALUES (:rule, :topic, :hash, :date)
        ON CONFLICT (rule, topic) DO UPDATE SET hash = excluded.hash, date = excluded.date"""

    def set_value(self, rule: str, topic: str, value_hash: str, date: float) -> None:
        """Keep the hash of the value that a rule takes of a topic."""
        self._run(self.SET_VALUE, rule=rule, topic=topic, hash=value_hash, date=date)

    TOPICS = "SELECT rows FROM row_counts WHERE what = 'rule_values' AND name = :rule"

    def count_topics(self, rule: str) -> int:
        """Return of how many topics a rule knows the last value."""
        return self._one(int, self.TOPICS, rule=rule) or 0

    DROP_TOPIC = """
        DELETE FROM rule_values WHERE rule = :rule
        AND topic = (SELECT topic FROM rule_values WHERE rule = :rule ORDER BY date LIMIT 1)"""

    def drop_oldest_topic(self, rule: str) -> None:
        """Forget the topic of a rule that has had nothing new for longest."""
        self._run(self.DROP_TOPIC, rule=rule)

    # What is listened to

    FILTERS = f"SELECT {columns(ListenedFilter)} FROM rule_filters ORDER BY filter"

    def filters(self) -> list[ListenedFilter]:
        """Return what the broker has been asked for."""
        return self._all(ListenedFilter, self.FILTERS)

    LISTEN = "INSERT INTO rule_filters (filter, since) VALUES (:filter, :date) ON CONFLICT DO NOTHING"

    def listen(self, topic_filter: str, date: float) -> bool:
        """Note that the broker has a subscription, and tell whether that is new."""
        return self._run(self.LISTEN, filter=topic_filter, date=date) > 0

    LISTEN_NO_MORE = "DELETE FROM rule_filters WHERE filter = :filter"

    def listen_no_more(self, topic_filter: str) -> None:
        """Note that the broker has a subscription no more."""
        self._run(self.LISTEN_NO_MORE, filter=topic_filter)

    # A rule that there is no more

    COUNTED = "SELECT DISTINCT rule FROM rule_counts"

    def counted(self) -> list[str]:
        """Return the rules of which something is known."""
        return self._all(str, self.COUNTED)

    FORGET_COUNTS = "DELETE FROM rule_counts WHERE rule = :rule"
    FORGET_RUNS = "DELETE FROM rule_runs WHERE rule = :rule"
    FORGET_VALUES = "DELETE FROM rule_values WHERE rule = :rule"

    def forget(self, rule: str) -> None:
        """Forget all of a rule."""
        self._run(self.FORGET_COUNTS, rule=rule)
        self._run(self.FORGET_RUNS, rule=rule)
        self._run(self.FORGET_VALUES, rule=rule)
