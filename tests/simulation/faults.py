"""What can befall a federation: each is a function that does it once, and sees to it that it ends some time."""

import sqlite3
from collections.abc import Callable, Mapping
from random import Random

from tests.simulation.contents import HOSTS
from tests.simulation.federation import MUCH_BYTES, Federation
from tests.simulation.members import Agent, Holder
from tests.simulation.plans import TYPES

DAY_S = 86400.0
KEEPALIVE_S = 90.0
"""After so long without a word a broker ends a connection."""

Do = Callable[[Federation], None]
"""Lets one fault befall a federation."""


def a_while_s(chance: Random) -> float:
    """Return how long something lasts: mostly seconds to minutes, now and then hours or days."""
    longest_s = chance.choices((5.0, 60.0, 600.0, 7200.0, 2 * DAY_S), (8, 8, 6, 1, 0.2))[0]
    return longest_s * chance.random()


def _one(federation: Federation) -> Holder:
    return federation.chance.choice(federation.members)


# The network and the broker


def partition(federation: Federation) -> None:
    """Some nodes do not reach the broker for a while, the others do."""
    lasts_s = a_while_s(federation.chance)
    for member in federation.members:
        if federation.chance.random() < 0.5:
            federation.note(f"{member.name} is cut off for {lasts_s:.0f} s")
            member.isolate()
            federation.later(lasts_s, member.heal)


def one_way(federation: Federation) -> None:
    """Nothing comes through to a node, or from it, until it does or the connection ends."""
    member, lasts_s = _one(federation), KEEPALIVE_S * federation.chance.random()
    up = federation.chance.random() < 0.5
    if member.up:
        federation.note(f"nothing comes through {'from' if up else 'to'} {member.name} for {lasts_s:.0f} s")
        member.transport.hold(lasts_s, up=up, down=not up)
        if federation.chance.random() < 0.5:
            federation.later(lasts_s * 0.99, lambda: federation.broker.cut(member.topics.client_id))


def wipe_broker(federation: Federation) -> None:
    """The broker is replaced by an empty one."""
    federation.note("the broker is wiped")
    federation.broker.wipe()


def stop_broker(federation: Federation) -> None:
    """The broker is down for a while."""
    lasts_s = a_while_s(federation.chance)
    federation.note(f"the broker is down for {lasts_s:.0f} s")
    federation.broker.stop()
    federation.later(lasts_s, federation.broker.start)


def restore_broker(federation: Federation) -> None:
    """The broker goes back to what it held a while ago: what was acknowledged since may come again."""
    snapshot, lasts_s = federation.broker.snapshot(), 60.0 * federation.chance.random()

    def restore() -> None:
        federation.note("the broker is restored from an older copy")
        federation.broker.restore(snapshot)

    federation.later(lasts_s, restore)


# Time


def jump_clock(federation: Federation) -> None:
    """The wall clock of a node jumps by a day, whether it runs or not."""
    member, jump_s = _one(federation), federation.chance.choice((-DAY_S, DAY_S))
    federation.note(f"the clock of {member.name} jumps by {jump_s:+.0f} s")
    member.date_shift_s += jump_s


def freeze(federation: Federation) -> None:
    """A node is stopped for a while, as by SIGSTOP, and goes on with its old memory."""
    member, lasts_s = _one(federation), 10 * a_while_s(federation.chance)
    if not member.up:
        return
    federation.note(f"{member.name} is frozen for {lasts_s:.0f} s")
    until, transport = federation.now + lasts_s, member.transport
    member.freeze(until)
    if lasts_s > KEEPALIVE_S:

        def give_up() -> None:
            transport.cut_off = True
            federation.broker.cut(member.topics.client_id)

        federation.later(KEEPALIVE_S, give_up)
        federation.later(lasts_s, transport.let_through)


def slow_jobs(federation: Federation) -> None:
    """The jobs of an agent take minutes for a while."""
    host = federation.chance.choice(federation.agents).host
    host.slowness = 100.0
    federation.later(a_while_s(federation.chance), lambda: setattr(host, "slowness", 1.0))


def lag(federation: Federation) -> None:
    """A node handles all late for a while."""
    member, lasts_s = _one(federation), a_while_s(federation.chance)
    member.lag_s = federation.chance.choice((0.5, 5.0, 30.0))
    federation.note(f"{member.name} is up to {member.lag_s:g} s late for {lasts_s:.0f} s")
    federation.later(lasts_s, lambda: setattr(member, "lag_s", 0.0))


# Processes and hosts


def crash(federation: Federation) -> None:
    """A process ends at once."""
    member = _one(federation)
    federation.note(f"{member.name} is killed")
    member.crash()


def vanish(federation: Federation) -> None:
    """A node is gone, for a while as if for good, and comes back with all that it had."""
    member, lasts_s = _one(federation), a_while_s(federation.chance)
    federation.note(f"{member.name} is gone for {lasts_s:.0f} s")
    member.crash()
    member.absent = True
    federation.later(lasts_s, member.heal)


def reboot(federation: Federation) -> None:
    """The host of an agent starts anew: its processes are gone, and nobody saw their end."""
    agent = federation.chance.choice(federation.agents)
    federation.note(f"the host of {agent.name} is rebooted")
    agent.crash()
    agent.host.reboot()


def black_hole(federation: Federation) -> None:
    """All jobs of a type fail on an agent."""
    agent, job_type = federation.chance.choice(federation.agents), federation.chance.choice(TYPES)
    federation.note(f"all jobs of {job_type} fail at {agent.name}")
    agent.host.fails_always |= {job_type}


# Files


def flip_bit(federation: Federation) -> None:
    """A stored object is damaged."""
    member = _one(federation)
    federation.note(f"{member.store.flip_bit() or 'nothing'} is damaged at {member.name}")


def lose_file(federation: Federation) -> None:
    """A stored object is deleted behind its node's back."""
    member = _one(federation)
    federation.note(f"{member.store.lose_one() or 'nothing'} is taken away at {member.name}")


def full_disk(federation: Federation) -> None:
    """The disk of a host takes no files for a while."""
    member, lasts_s = _one(federation), a_while_s(federation.chance)
    federation.note(f"the disk of {member.name} is full for {lasts_s:.0f} s")
    member.store.is_full = True
    if isinstance(member, Agent):
        member.say_free(0)

    def clear() -> None:
        member.store.is_full = False
        if isinstance(member, Agent):
            member.say_free(MUCH_BYTES)

    federation.later(lasts_s, clear)


# Hosts outside


def host_away(federation: Federation) -> None:
    """A host outside does not answer for a while."""
    _host_is(federation, federation.carrier.web.down, "does not answer")


def host_changes(federation: Federation) -> None:
    """The files of a host outside have other bytes for a while."""
    _host_is(federation, federation.carrier.web.changed, "gives other bytes")


def host_slow(federation: Federation) -> None:
    """A host outside gives little at a time for a while."""
    _host_is(federation, federation.carrier.web.slow, "is slow")


def hosts_cut(federation: Federation) -> None:
    """What hosts outside give ends too early, often, for a while."""
    web, lasts_s = federation.carrier.web, a_while_s(federation.chance)
    web.cuts = federation.chance.choice((0.3, 0.9))
    federation.note(f"{web.cuts:.0%} of what comes from outside is cut for {lasts_s:.0f} s")
    federation.later(lasts_s, lambda: setattr(web, "cuts", 0.0))


def _host_is(federation: Federation, hosts: set[str], what: str) -> None:
    host, lasts_s = federation.chance.choice(HOSTS), a_while_s(federation.chance)
    federation.note(f"{host} {what} for {lasts_s:.0f} s")
    hosts.add(host)
    federation.later(lasts_s, lambda: hosts.discard(host))


# Databases


def disk_trouble(federation: Federation) -> None:
    """The disk of a node's database fails now and then, or always, for a while."""
    member, lasts_s = _one(federation), a_while_s(federation.chance)
    member.fuse.disk_fails = federation.chance.choice((0.05, 0.3, 1.0))
    federation.note(f"the disk of {member.name} fails, {member.fuse.disk_fails:.0%}, for {lasts_s:.0f} s")
    federation.later(lasts_s, lambda: setattr(member.fuse, "disk_fails", 0.0))


def bad_decisions(federation: Federation) -> None:
    """Deciding fails on a node now and then for a while, each time alone: what its handlers did is committed."""
    member, lasts_s = _one(federation), a_while_s(federation.chance)
    member.fuse.stumbles = federation.chance.choice((0.1, 0.5))
    federation.note(f"deciding fails at {member.name}, {member.fuse.stumbles:.0%}, for {lasts_s:.0f} s")
    federation.later(lasts_s, lambda: setattr(member.fuse, "stumbles", 0.0))


def lose_agent(federation: Federation) -> None:
    """An agent is installed anew with its id; its job directories are still there, or not."""
    agent = federation.chance.choice(federation.agents)
    with_jobs = federation.chance.random() < 0.3
    federation.note(f"the database of {agent.name} is lost{', and its job directories' if with_jobs else ''}")
    agent.crash()
    agent.disk.wipe()
    if with_jobs:
        agent.host.wipe()
    federation.lost(agent)


def lose_manager(federation: Federation) -> None:
    """A manager is installed anew with its id."""
    manager = federation.chance.choice(federation.managers)
    federation.note(f"the database of {manager.name} is lost")
    manager.crash()
    manager.disk.wipe()
    federation.lost(manager)


def restore_agent(federation: Federation) -> None:
    """A backup of an agent's database is put back after a while."""
    _restore_later(federation, federation.chance.choice(federation.agents))


def restore_manager(federation: Federation) -> None:
    """A backup of a manager's database is put back after a while."""
    _restore_later(federation, federation.chance.choice(federation.managers))


def _restore_later(federation: Federation, member: Holder) -> None:
    copy: sqlite3.Connection = member.disk.copy()
    federation.note(f"the database of {member.name} is copied")

    def restore() -> None:
        if member not in federation.members:
            return
        federation.note(f"the database of {member.name} is restored from its copy")
        member.crash()
        member.disk.restore(copy)
        federation.lost(member)

    federation.later(min(a_while_s(federation.chance), 120.0), restore)


def clone(federation: Federation) -> None:
    """A second node has the id of another for a while: a copy, or one with nothing; then one of the two ends."""
    member, fresh = _one(federation), federation.chance.random() < 0.4
    lasts_s, instead = a_while_s(federation.chance), federation.chance.random() < 0.5
    if any(twin.name == member.name for twin in federation.twins):
        return
    federation.note(f"another {member.name} begins, {'fresh' if fresh else 'a copy'}")
    twin = federation.add_twin(member, fresh=fresh)

    def end() -> None:
        federation.note(f"{'the first' if instead else 'the other'} {member.name} ends")
        federation.end_twin(twin, instead=instead)

    federation.later(lasts_s, end)


# Stolen logins


def change_temper(federation: Federation) -> None:
    """One that lies does so in another way: silent or fast, with or without acknowledging; some as another process."""
    for liar in federation.liars:
        liar.change_temper()
        federation.note(
            f"{liar.name} rests {liar.pause_s:g} s{', is silent' * liar.is_silent}{', withholds' * liar.withholds}"
        )
        if federation.chance.random() < 0.3:
            liar.crash()


# Users


def cancel(federation: Federation) -> None:
    """A user does not want a workflow any more."""
    if federation.users.asked:
        federation.users.cancel(federation.chance.choice(federation.users.asked))


def retry(federation: Federation) -> None:
    """A user wants a workflow tried again, failed or not."""
    if federation.users.asked:
        federation.users.retry(federation.chance.choice(federation.users.asked))


def pause(federation: Federation) -> None:
    """A user pauses a template of which something is wanted."""
    if federation.users.asked:
        asked = federation.chance.choice(federation.users.asked)
        federation.note(f"{asked.template} is paused at {asked.manager}")
        federation.users.pause(federation.manager(asked.manager), asked.template)
        for _ in range(federation.chance.randrange(3)):
            federation.users.submit(asked.manager, asked.template)


def resume(federation: Federation) -> None:
    """A user resumes a template, paused or not."""
    if federation.users.asked:
        asked = federation.chance.choice(federation.users.asked)
        federation.users.resume(federation.manager(asked.manager), asked.template)


def rerun(federation: Federation) -> None:
    """A user wants another workflow like one."""
    if federation.users.asked:
        federation.users.rerun(federation.chance.choice(federation.users.asked))


def delete(federation: Federation) -> None:
    """A user deletes workflows that have ended."""
    for asked in federation.users.asked:
        if federation.chance.random() < 0.3:
            federation.users.delete(asked)


def delete_many(federation: Federation) -> None:
    """A user deletes the workflows of a template that have failed."""
    if federation.users.asked:
        asked = federation.chance.choice(federation.users.asked)
        federation.users.delete_many(federation.manager(asked.manager), asked.template)


# Owners of hosts


def pause_agent(federation: Federation) -> None:
    """The owner of a host keeps it idle for a while."""
    agent, lasts_s = federation.chance.choice(federation.agents), a_while_s(federation.chance)
    federation.note(f"{agent.name} is paused for {lasts_s:.0f} s")
    agent.pause(on=True)
    federation.later(lasts_s, lambda: agent.pause(on=False))


def drain_agent(federation: Federation) -> None:
    """An owner drains an agent, to switch its host off; after a while it takes work again."""
    agent, lasts_s = federation.chance.choice(federation.agents), a_while_s(federation.chance)
    federation.note(f"{agent.name} is drained for {lasts_s:.0f} s")
    agent.drain(on=True)
    federation.later(lasts_s, lambda: agent.drain(on=False))


def trial(federation: Federation) -> None:
    """The owner of a host tries a job type there, if a slot is free."""
    agent, job_type = federation.chance.choice(federation.agents), federation.chance.choice(TYPES)
    agent.try_job_type(job_type)


FAULTS: Mapping[str, tuple[float, Do]] = {
    "partition": (3, partition),
    "one way": (2, one_way),
    "wipe broker": (1, wipe_broker),
    "stop broker": (1, stop_broker),
    "restore broker": (1, restore_broker),
    "jump clock": (1, jump_clock),
    "freeze": (3, freeze),
    "slow jobs": (1, slow_jobs),
    "lag": (1, lag),
    "crash": (2, crash),
    "vanish": (3, vanish),
    "reboot": (2, reboot),
    "black hole": (1, black_hole),
    "flip bit": (1, flip_bit),
    "lose file": (1, lose_file),
    "full disk": (1, full_disk),
    "host away": (1, host_away),
    "host changes": (1, host_changes),
    "host slow": (1, host_slow),
    "hosts cut": (1, hosts_cut),
    "disk trouble": (2, disk_trouble),
    "bad decisions": (1, bad_decisions),
    "lose agent": (2, lose_agent),
    "restore agent": (3, restore_agent),
    "lose manager": (1, lose_manager),
    "restore manager": (2, restore_manager),
    "clone": (2, clone),
    "change temper": (3, change_temper),
    "cancel": (0.5, cancel),
    "retry": (1, retry),
    "pause": (1, pause),
    "resume": (1, resume),
    "rerun": (0.5, rerun),
    "delete": (0.5, delete),
    "delete many": (0.2, delete_many),
    "pause agent": (1, pause_agent),
    "drain agent": (1, drain_agent),
    "trial": (1, trial),
}
"""How often each comes, and what it does."""
