"""Those who submit a workflow where only a broker is named, with a directory of their own, which its manager fetches.

What gives is the real holder, for one workflow and one asker as `client/giving.py` has it; it says its trigger again
now and then, for as long as the workflow waits.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from caroni_edge.client.giving import GENERATION
from caroni_edge.node.calls import Call
from caroni_edge.objects.objects import Object, id_of
from caroni_edge.objects.transfer.effects import LetComeBack, MakeList, SayData
from caroni_edge.objects.transfer.holder import Holder
from caroni_edge.objects.transfer.tickets import KEY_BYTES, Key, Keys, Peer, make_ticket
from caroni_edge.protocol.codec import Unreadable, encode
from caroni_edge.protocol.topics import SUBMIT
from caroni_edge.protocol.transfers import Data, decode_ask, encode_data
from caroni_edge.protocol.triggers import Trigger
from caroni_edge.values.carried import objects_in
from tests.objects.nodes import GRAIN
from tests.simulation.contents import gives_of
from tests.simulation.federation import Federation
from tests.simulation.plans import ALL, inputs_of
from tests.simulation.stores import hashes_of
from tests.simulation.users import Asked

AGAIN_S = 60.0


class _Rights:
    def __init__(self, manager: str, workflow: str, key: Key, contents: Mapping[Object, bytes]) -> None:
        self._whose, self._key = (manager, workflow), key
        self._sizes = {each.sha256: each.size for each in contents}

    def keys(self, manager: str) -> Keys | None:
        return Keys(self._key) if manager == self._whose[0] else None

    def size(self, manager: str, workflow: str, sha256: str) -> int | None:
        return self._sizes.get(sha256) if (manager, workflow) == self._whose else None


class Bringer:
    """A `DataNode` that wants a workflow and has what that begins with.

    Attributes:
        peer: What it is called.
        connection: Number of its connection; 0 while it has none.
        contents: What it has, by hash.
    """

    def __init__(self, federation: Federation, manager: str, template: str) -> None:
        """Want a workflow of a manager, from now on."""
        number = len(federation.users.asked)
        asked = Asked(f"w{number}", manager, template, f"v{number}")
        federation.users.asked.append(asked)
        self.peer, self._carrier = Peer(SUBMIT, f"submit-{number}"), federation.carrier
        self.connection = self._carrier.new_connection()
        plan = ALL[template]
        inputs = inputs_of(plan, asked.value)
        gives = gives_of(inputs)
        self.contents = {each.sha256: content for each, content in gives.contents.items()}
        key, asker = Key(GENERATION, bytes([number]) * KEY_BYTES), Peer("managers", manager)
        ticket = make_ticket(key, asked.workflow, asker)
        self._holder = Holder(_Rights(manager, asked.workflow, key, gives.contents), grain=GRAIN)
        trigger = Trigger(template=template, inputs=inputs, id=asked.workflow, ticket=ticket)
        self._trigger = replace(trigger, places=dict.fromkeys(objects_in(inputs), self.peer.node))
        self._manager = federation.manager(manager)
        self._carrier.made |= {(manager, each) for each in self.contents}
        self._carrier.add(self)
        self.ask()

    def ask(self) -> None:
        """Say the trigger, and again later on."""
        self._manager.tell(Call(lambda at: self._manager.reactor.start_workflow(self._trigger, at)))
        self._carrier.later(AGAIN_S, self.ask)

    def hear(self, sender: Peer, payload: bytes) -> None:
        """Give what the manager asks for."""
        try:
            self._holder.asked(sender, decode_ask("", payload), self._carrier.now)
        except Unreadable:
            return
        self._give()

    def _give(self) -> None:
        while (effect := self._holder.due(self._carrier.now)) is not None:
            match effect:
                case MakeList(name):
                    self._holder.listed(name, hashes_of(self.contents[name]))
                case SayData():
                    is_list = effect.part == "blocks"
                    whole = self._holder.list_of(effect.sha256) if is_list else self.contents[effect.sha256]
                    content = whole[effect.offset : effect.offset + effect.length]
                    self._carrier.say(self, effect.asker, encode_data(Data(effect.transfer, effect.offset, content)))
                case LetComeBack(name):
                    raise AssertionError(f"{id_of(name)} lies in no bucket")
                case _:
                    self._carrier.say(self, effect.asker, encode(effect.no))
        due = self._holder.next_due(self._carrier.now)
        if due < self._carrier.now + AGAIN_S:
            self._carrier.later(max(0.0, due - self._carrier.now), self._give)
