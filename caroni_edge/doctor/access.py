"""What the broker lets the node subscribe to, publish and hear; and who is there: ourselves twice, other versions."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from caroni_edge.config.automation import Rule
from caroni_edge.doctor.database import State
from caroni_edge.doctor.findings import Finding, ok, problem, warning
from caroni_edge.doctor.probe import Probe
from caroni_edge.protocol.codec import Unreadable, decode_notice
from caroni_edge.protocol.messages import MESSAGE_VERSION, Presence
from caroni_edge.protocol.topics import OTHER, Topics
from caroni_edge.transport.base import Arrived

RETAINED_WITHIN_S = 1.0
ACL = "Look at the broker's ACL (config/mosquitto/acl.conf is an example)."


def check(
    probe: Probe,
    topics: Topics,
    job_types: Iterable[str],
    state: State,
    *,
    takes_questions: bool = False,
    rules: Iterable[Rule] = (),
    depots: Iterable[str] = (),
) -> Iterator[Finding]:
    """Subscribe to what the node needs, as it does, and hear who is there."""
    listened = dict[str, str]()
    for rule in rules:
        listened[rule.topic] = f"{listened[rule.topic]}, {rule.name}" if rule.topic in listened else rule.name
    filters = [(topics.inboxes, 1), (topics.presence_of_peers, 0)]
    filters += (
        [(topics.triggers, 1)] if topics.role == "managers" else [(topics.requests_for(each), 0) for each in job_types]
    )
    filters += [(topics.questions, 0)] if takes_questions else []
    # As the node subscribes: where the session is the node's own, nothing changes.
    probe.subscribe([*filters, *((each, 0) for each in listened), (topics.presence, 0)])
    own = [message for message in probe.hear(topics.presence, within_s=RETAINED_WITHIN_S) if message.payload]
    for each in listened:
        probe.unsubscribe(each)
    yield of_refused(probe.refused - listened.keys())
    if listened:
        yield of_triggers({each: listened[each] for each in sorted(probe.refused & listened.keys())})
    twice = of_own(read(own[-1]) if own else None, topics.name, state)
    yield twice
    if state.pid is None and twice.level != "problem":
        yield _loopback(probe, topics)
    probe.unsubscribe(topics.presence)
    arrived = [message for message in probe.arrived if message.topic.startswith(topics.presence_of_peers[:-1])]
    peers = {message.topic.rpartition("/")[2]: read(message) for message in arrived if message.payload}
    yield from of_peers(peers, topics)
    yield from of_depots(peers, depots)


def read(message: Arrived) -> Presence | None:
    """Return the presence that a message says; None when it cannot be read."""
    try:
        return decode_notice(Presence, message.topic, message.payload)
    except (Unreadable, msgspec.MsgspecError):
        return None


def of_refused(refused: Iterable[str]) -> Finding:
    """Judge the subscriptions that were refused."""
    if named := ", ".join(sorted(refused)):
        return problem("topics", f"the broker does not let the node subscribe to {named}", ACL)
    return ok("topics", "the broker takes all subscriptions of the node (some brokers do, and then deliver nothing)")


def of_triggers(refused: Mapping[str, str]) -> Finding:
    """Judge the subscriptions of triggers that were refused: their filters, and the names of the triggers."""
    if named := ", ".join(f"{topic} ({names})" for topic, names in refused.items()):
        said = f"the broker does not let the node listen to what starts workflows: {named}"
        return problem(
            "triggers", said, "caroni-edge broker-config --config manager.yaml gives a manager these rights."
        )
    return ok("triggers", "the broker lets the node listen to what starts workflows (mosquitto never says no)")


def of_people(people: Iterable[str], *, has_login: bool) -> Iterator[Finding]:
    """Judge whether the broker can tell who asks: where the node needs no login, nobody else does either."""
    if named := ", ".join(sorted(people)):
        if not has_login:
            said = f"the node has no login at the broker: whoever reaches it may ask in the name of {named}"
            yield warning("people", said, "Give the broker logins and an ACL, or write people: {} and use the token.")
            return
        yield ok("people", f"{named} may ask over the broker, whose ACL must hold each to a topic")


def of_own(own: Presence | None, name: str, state: State) -> Finding:
    """Judge the presence that is retained under the node's own name."""
    if own is None or not own.online:
        return ok("identity", f"nobody else says to be {name}")
    if own.boot not in state.boots:
        said = f"{name} is online on {own.host or 'an unknown host'}, and that is no process of this state directory"
        hint = (
            "Give each node an id of its own. If that host is gone: the broker still has its last word, start the node."
        )
        return problem("identity", f"id taken: {said}", hint)
    if state.pid is None:
        return warning("identity", f"the broker still says that {name} is online", "Its will comes when it is missed.")
    return ok("identity", f"{name} is online, and it is the process here")


def of_peers(peers: dict[str, Presence | None], topics: Topics) -> Iterator[Finding]:
    """Judge whether the peers of which a presence is retained speak our version, and count those online."""
    for peer, said in sorted(peers.items()):
        name = f"{OTHER[topics.role]}/{peer}"
        if said is None:
            yield warning(
                "version", f"the presence of {name} cannot be read: another version?", "Update the older one."
            )
        elif said.online and said.speaks != MESSAGE_VERSION:
            which = f"{name} ({said.version}) speaks messages {said.speaks}, this program {MESSAGE_VERSION}"
            yield warning("version", f"{which}: they use the older", "Update the older one.")
    online = sum(1 for said in peers.values() if said and said.online)
    yield ok("peers", f"{online} of the {OTHER[topics.role]} are online")


def of_depots(peers: Mapping[str, Presence | None], depots: Iterable[str]) -> Iterator[Finding]:
    """Judge whether the agents that are named as depots say that they are some."""
    named = sorted(depots)
    found = {each: peer for each in named if (peer := peers.get(each)) is not None}
    no_depots = [each for each, peer in found.items() if peer.online and not peer.depot]
    if no_depots:
        said = (
            f"{', '.join(no_depots)} stands under depots, and its owner does not let it be one: no file is kept there"
        )
        yield warning("depots", said, "Write files: {depot: true} in its agent.yaml.")
    elif unseen := [each for each in named if each not in found]:
        yield warning("depots", f"of {', '.join(unseen)}, named under depots, nothing was heard", "Start the agent.")
    elif named:
        yield ok("depots", f"{', '.join(named)} may keep files of others")


def _loopback(probe: Probe, topics: Topics) -> Finding:
    """Say nothing, not retained, where the stopped node says its presence, and hear it."""
    before = len(probe.hear(topics.presence, within_s=0))
    probe.publish(topics.presence, b"")
    if len(probe.hear(topics.presence, before + 1)) > before:
        return ok("presence", "the node may write and read its presence")
    said = f"what is written to {topics.presence} does not come back: the node may not write it, or not read it"
    return problem("presence", said, ACL)
