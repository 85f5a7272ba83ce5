"""The daemon itself: killed, frozen, stopped, started twice, copied, set back; its clock, its disk and its bounds."""

import os
import pathlib
import random
import resource
import shutil
import signal
import struct
import time

from . import processes
from .cell import SINKS, TRANSACTIONS, Failed, cell
from .wait import until
from .world import World

CLAIM = {"sinks": {sink: {"claim_wait": "12s"} for sink in SINKS}}  # longer than a live holder's silence of 10 s
CLAIM_IN_TRANSACTIONS = {"sinks": {**CLAIM["sinks"], "kafka": {"claim_wait": "12s", "transactions": True}}}
OVERTAKEN = {"postgres": "has claimed the cursor", "redis": "another daemon has taken over", "kafka": "taken over"}
# Why Kafka's changes are not compared where life goes on while a ledger takes over what another one told.
NEW_LEDGER = ("another ledger gives states of what it cannot know to be told, up to its head (hole sink_history); a record that changes "
              "before its state is read has none, and its next change builds on one that nobody tells")
# A login that signs nothing with a time: with JWT the org itself refuses a clock that is a day off.
CLIENT_CREDENTIALS = {"org": {"auth": {"flow": "client_credentials", "client_secret_file": "FOLDER/client.secret",
                                       "username": None, "private_key_file": None}}}


def written(scene):
    """How far Postgres is, asked there: a life that is about to be killed may not answer yet."""
    return int(scene.servers.postgres.sql(f"select rev from {scene.world.targets}.cursor"))


def kill_often(scene, kills, writes=None):
    """SIGKILL at moments drawn evenly: of every second life in its first 1.5 s, while it opens or writes or when all is quiet; of the
    others once they have written, in the midst of it. `writes()`: waits until this life has."""

    def writes_to_postgres():
        until("this life writes", lambda: written(scene) > held, 60, every=0.1, told=scene.daemon.last_words)

    writes, draw = writes or writes_to_postgres, random.Random(7)
    held, wrote, has_written = written(scene), 0, False
    for done in range(1, kills + 1):
        scene.daemon.kill()
        before, held = held, written(scene)
        wrote += has_written or held > before
        scene.fire.kills += 1
        scene.daemon.start()
        # How long it lives on is the moment of the next kill, not a wait for anything.
        has_written = done % 2 == 1
        if has_written:
            writes()
            time.sleep(draw.uniform(0, 0.3))
        else:
            time.sleep(draw.uniform(0.02, 1.5))
        if done % 50 == 0:
            scene.daemon.up()
            with scene.load.paused():
                scene.world.in_step(90)
                scene.world.verify()
            scene.fire.say(f"       {done} kills, all targets equal")
    scene.daemon.kill()
    scene.daemon.start()
    scene.daemon.up()
    scene.over()
    scene.fire.kills += 1
    scene.note(f"{kills + 1} kills, each of a daemon that was alive; {wrote} of its lives had written")
    if wrote < kills // 2:
        raise Failed(f"of {kills} lives only {wrote} had written when they were killed")


@cell("daemon", "SIGKILL under load, again and again", "resumes exactly: nothing lost, doubled or out of order", quick=True, rate=60,
      world={})  # its own: minutes of load leave tens of thousands of records, which every later cell would compare
def _(scene):
    kill_often(scene, max(1, scene.fire.kills_wanted * 7 // 8))


@cell("daemon", "SIGKILL under load, Kafka with transactions", "resumes exactly; readers of committed see each change once", rate=60,
      world=TRANSACTIONS)
def _(scene):
    # Each step of a transaction takes a while, so that kills meet one between its messages and its end.
    def writes_to_kafka():
        scene.daemon.up()
        scene.until("Kafka is open", lambda: scene.world.sink("kafka")["open"])
        scene.moves("kafka", times=1)

    with scene.servers.kafka.gate.fault(down={"latency_ms": 20}):
        kill_often(scene, max(8, scene.fire.kills_wanted // 8), writes_to_kafka)
    scene.load.stop()
    scene.world.in_step(90)
    aborted = len(scene.changes()) - len(scene.changes(committed=True))
    if aborted <= 0:
        raise Failed("no kill met an open transaction: nothing was aborted")
    scene.note(f"{aborted} messages on the changes topics were aborted")


@cell("daemon", "killed together with all three servers", "all come back to one truth", rate=60)
def _(scene):
    for _ in range(2):
        scene.moves(*scene.world.sinks)
        scene.daemon.kill()
        servers = [scene.servers.of(sink) for sink in scene.world.sinks]
        for server in servers:
            server.kill()
        for server in servers:
            server.start()
        scene.daemon.start()
        scene.daemon.up()
    scene.over()


@cell("daemon", "SIGTERM and start, five times under load", "drains, exits 0, goes on where it stopped", quick=True)
def _(scene):
    for _ in range(5):
        scene.moves(*scene.world.sinks, times=1)
        code = scene.daemon.end()
        if code != 0:
            raise Failed(f"SIGTERM ended with {code}")
        scene.daemon.start()
        scene.daemon.up()
    scene.over()


@cell("daemon", "SIGHUP fifty times under load", "reloads, nothing is disturbed")
def _(scene):
    reconnects = scene.stream_metric("headwater_source_reconnects_total")
    for _ in range(50):
        scene.daemon.send(signal.SIGHUP)
    scene.moves(*scene.world.sinks)
    scene.over()
    scene.same("reconnects", reconnects, scene.stream_metric("headwater_source_reconnects_total"))


@cell("daemon", "SIGSTOP and SIGCONT, ten times", "goes on as if nothing had been", quick=True)
def _(scene):
    draw = random.Random(3)
    for _ in range(10):
        scene.daemon.send(signal.SIGSTOP)
        time.sleep(draw.uniform(0.05, 0.5))  # how long it is frozen
        scene.daemon.send(signal.SIGCONT)
        scene.moves(*scene.world.sinks, times=1)
    scene.over()


@cell("daemon", "frozen for 14 s: longer than every deadline, and its peers hang up", "all that they gave up is opened again")
def _(scene):
    gates = {sink: scene.servers.of(sink).gate for sink in scene.world.sinks} | {"the stream": scene.org.pubsub}
    reconnects = scene.stream_metric("headwater_source_reconnects_total")
    scene.daemon.send(signal.SIGSTOP)
    time.sleep(14)  # how long it is frozen
    accepted = {name: gate.counts()["accepted"] for name, gate in gates.items()}
    for name, gate in gates.items():
        if gate.cut() == 0:
            raise Failed(f"{name} had no connection to give up")
    scene.daemon.send(signal.SIGCONT)
    for name, gate in gates.items():
        scene.until(f"{name} is connected anew", lambda: gate.counts()["accepted"] > accepted[name])
    scene.moves(*scene.world.sinks)
    scene.over()
    scene.until("the end of the stream is counted", lambda: scene.stream_metric("headwater_source_reconnects_total") > reconnects)


@cell("daemon", "frozen for 22 s, Kafka with transactions", "longer than a transaction may last: what the broker ended is sent again, once",
      world=TRANSACTIONS, rate=5)  # so that a transaction of few partitions ends within its deadline however late answers are
def _(scene):
    # The daemon waits for an answer within a transaction that it has begun: that one is open, and the broker ends it.
    with scene.servers.kafka.gate.fault(down={"latency_ms": 800}):
        scene.moves("kafka", times=1)
        scene.daemon.send(signal.SIGSTOP)
        opened = len(scene.opened("kafka"))
    time.sleep(22)  # how long it is frozen: 10 s that a transaction may last, 10 s until the broker looks
    scene.daemon.send(signal.SIGCONT)
    scene.until("Kafka is opened again", lambda: len(scene.opened("kafka")) > opened)
    scene.moves(*scene.world.sinks)
    scene.over()


def twin(scene, name, state_dir=None):
    """A second daemon on the same org and the same targets, with a state directory of its own."""
    first = scene.world
    world = World(first.bin_dir, first.servers, name, first.sinks, org=first.org, targets=first.targets, state_dir=state_dir,
                  config=first.settings)
    scene.kept.callback(world.close)
    scene.seconds.append(world.daemon)
    return world


@cell("daemon", "a second one on the same sinks", "refused at each and told who is there; the first never notices")
def _(scene):
    second = twin(scene, f"{scene.world.name}b")
    second.daemon.start()
    second.daemon.up()
    for sink in scene.world.sinks:
        scene.until(f"the second is refused at {sink}", lambda: second.part(f"sink {sink}")["state"] == "blocked")
        if scene.world.state_dir not in second.part(f"sink {sink}")["why"]:
            raise Failed(f"the second is not told who is there: {second.part(f'sink {sink}')}")
    scene.told = second.part("sink postgres")["why"]
    scene.moves(*scene.world.sinks)
    scene.never_wrote(second, *scene.world.sinks)
    scene.same("fenced", 0, scene.metric("headwater_sink_fenced_total"))
    scene.over()
    scene.kept.close()


@cell("daemon", "two started at the same instant on new sinks, Kafka with transactions", "exactly one writes to each, and all equal the org",
      world={"config": CLAIM_IN_TRANSACTIONS, "start": False}, recovery_max=140)
@cell("daemon", "two started at the same instant on new sinks",
      "exactly one writes to each, and all equal the org",
      world={"config": CLAIM, "start": False}, recovery_max=140)
def _(scene):
    first, second = scene.world, twin(scene, f"{scene.world.name}b")
    first.daemon.start()
    second.daemon.start()
    first.daemon.up()
    second.daemon.up()

    in_transactions = first.settings is CLAIM_IN_TRANSACTIONS

    def states(sink):
        return sorted(world.part(f"sink {sink}")["state"] for world in (first, second))

    def one_holds(sink):
        # Between the two the broker may decide: then it has fenced one that had begun.
        return states(sink) == ["blocked", "ok"] or (in_transactions and sink == "kafka" and states(sink) == ["fatal", "ok"])

    for sink in first.sinks:
        scene.until(f"one writes to {sink} and the other does not", lambda: one_holds(sink),
                    told=lambda: [world.part(f"sink {sink}") for world in (first, second)])
    holders = {sink: first if first.part(f"sink {sink}")["state"] == "ok" else second for sink in first.sinks}
    for sink, holder in holders.items():
        scene.until(f"who holds {sink} writes", lambda: scene.entries(holder, sink) > 0)
    scene.load.stop()
    for sink, holder in holders.items():
        scene.until(f"{sink} holds all that came", lambda: not holder.holes() and not holder.behind_org() and holder.sink(sink)["lag_entries"] == 0)
        if not (in_transactions and sink == "kafka"):
            scene.never_wrote(first if holder is second else second, sink)
    scene.note("the first holds " + ", ".join(sink for sink in first.sinks if holders[sink] is first))
    first_is_fenced = first.part("sink kafka")["state"] == "fatal"
    if in_transactions:
        fenced_one_told = told_by_one_at_a_time(scene, holders["kafka"], first if holders["kafka"] is second else second)
    else:
        fenced_one_told = False
        # Both count from the same instant, so a message that neither counts would be one more.
        told = scene.changes() + scene.messages("events")
        scene.same("messages of changes and events", sum(scene.entries(world, "kafka") for world in (first, second)), len(told))
    first.another_ledger = fenced_one_told or holders["kafka"] is second  # what that one told is on the topics as well
    scene.over()
    if first_is_fenced:
        scene.fire.hand_over(scene, second)  # a fenced one never claims again
    else:
        second.daemon.end()


def told_by_one_at_a_time(scene, holder, other):
    """What readers of committed see of two daemons that began at once, by the epoch in each message, which is that of one claim: nothing
    of one that was fenced behind what its heir wrote, nothing twice, no change by both, nothing of one that never held it. True if the
    other had committed something before it was fenced: then its heir told the rest, and what it could not know to be told is a hole of
    its history. That the holder tells all that it tells once and in order is the checker's."""
    claims = [(epoch, world) for world in (holder, other) for _, _, epoch in scene.opened("kafka", world)]
    teller = dict(claims)
    scene.same("claims under an epoch of their own", len(claims), len(teller))
    seen, changes, messages = set(), {holder.name: set(), other.name: set()}, {holder.name: 0, other.name: 0}
    for topic in (topic for kind in ("changes", "events") for topic in scene.servers.kafka.topics(f"{holder.targets}.{kind}.")):
        newest = {}  # partition -> epoch
        for message in scene.servers.kafka.messages(topic, committed=True):
            epoch, partition, value = message["epoch"], message["partition"], message["value"]
            if epoch not in teller:
                raise Failed(f"{topic}: a message of epoch {epoch}, which nobody has opened: {sorted(teller)}")
            if epoch < newest.get(partition, 0):
                raise Failed(f"{topic}: behind epoch {newest[partition]}, a message of epoch {epoch}, which was overtaken")
            newest[partition] = epoch
            name = teller[epoch].name
            messages[name] += 1
            if (once := (name, topic, message["key"], message["rev"])) in seen:
                raise Failed(f"{topic}: told twice by one daemon: {once}")
            seen.add(once)
            # A state tells no change (a deleted record's is a delete with no image before it); events are told again by every other
            # ledger, and told apart by their EventUuid.
            state = topic.startswith(f"{holder.targets}.events.") or value["op"] == "r" or (value["op"] == "d" and not value["before"])
            if not state and value["transaction"]:
                changes[name].add((message["key"], value["transaction"]["id"], value["transaction"]["total_order"]))
    # That a commit stood whose answer was lost is no lie; that one is counted and does not stand would be.
    if (counted := scene.entries(other, "kafka")) > messages[other.name]:
        raise Failed(f"{other.name} counts {counted:g} entries as written to Kafka, where {messages[other.name]} of its messages stand")
    # Whoever takes over has waited for longer than the other was silent, and read on: up to its head it gives states.
    if (both := changes[holder.name] & changes[other.name]):
        raise Failed(f"{len(both)} changes were told by both daemons: {sorted(both)[:3]}")
    scene.note(f"Kafka was told {messages[holder.name]} messages by the one that holds it, {messages[other.name]} by the other before")
    scene.same("holes of its history", 1 if messages[other.name] else 0, len(scene.skipped_history(holder)))
    if messages[other.name]:
        scene.no_history(NEW_LEDGER)
    return messages[other.name] > 0


@cell("daemon", "frozen, overtaken, resumed; Kafka with transactions", "fenced at each sink, red, and never claims again by itself",
      world={"config": CLAIM_IN_TRANSACTIONS}, rate=40)
@cell("daemon", "frozen, overtaken by another, and resumed", "stops at each sink, red, and never claims again by itself",
      world={"config": CLAIM}, rate=40)
def _(scene):
    first, second = scene.world, twin(scene, f"{scene.world.name}b")
    scene.moves(*first.sinks)
    scene.daemon.send(signal.SIGSTOP)
    second.daemon.start()
    second.daemon.up()
    scene.until("the second holds all sinks", lambda: all(
        second.part(f"sink {sink}")["state"] == "ok" for sink in first.sinks), 120, told=lambda: second.daemon.status()["parts"])
    scene.daemon.send(signal.SIGCONT)
    for sink in first.sinks:
        scene.sink_is(sink, "fatal", OVERTAKEN[sink], seconds=40)
    scene.red("is fatal")
    scene.over()
    scene.fire.hand_over(scene, second)
    scene.same("holes of Kafka's history", 1, len(scene.skipped_history(second)))
    scene.no_history(NEW_LEDGER)


@cell("daemon", "a clone of its state directory, Kafka with transactions",
      "refused while the original lives; takes over as a ledger of its own when it ends", world={"config": CLAIM_IN_TRANSACTIONS}, recovery_max=120)
@cell("daemon", "a clone of its state directory", "refused while the original lives; takes over as a ledger of its own when it ends",
      world={"config": CLAIM}, recovery_max=120)
def _(scene):
    first = scene.world
    first.daemon.end()
    clone = f"{first.folder}/{first.name}.clone"
    processes.run("cp", "-a", first.state_dir, clone)
    first.daemon.start()
    first.daemon.up()
    second = twin(scene, f"{first.name}b", clone)
    second.daemon.start()
    second.daemon.up()
    for sink in first.sinks:
        scene.until(f"the clone is refused at {sink}", lambda: second.part(f"sink {sink}")["state"] == "blocked",
                    told=lambda: second.part(f"sink {sink}"))
    scene.moves(*first.sinks)
    scene.never_wrote(second, *first.sinks)
    first.daemon.end()
    scene.over()
    scene.fire.hand_over(scene, second)


@cell("daemon", "its state directory restored, Kafka with transactions", "notices cursors ahead of it, is born anew, all converge", rate=40,
      world=TRANSACTIONS)
@cell("daemon", "its state directory restored from a copy", "notices cursors ahead of it, is born anew, all converge", rate=40, world={})
def _(scene):
    world = scene.world
    world.another_ledger = True
    scene.daemon.end()
    copy = f"{world.state_dir}.copy"
    processes.run("cp", "-a", world.state_dir, copy)
    scene.daemon.start()
    scene.daemon.up()
    scene.moves(*world.sinks, times=8)
    scene.daemon.kill()
    shutil.rmtree(world.state_dir)
    os.rename(copy, world.state_dir)
    scene.daemon.start()
    scene.daemon.up()
    scene.over()


@cell("daemon", "its state directory lost", "a new ledger reads what the org still has; all converge", world={})
def _(scene):
    scene.world.another_ledger = True
    scene.daemon.kill()
    scene.world.drop_state()
    scene.daemon.start()
    scene.daemon.up()
    scene.over()


@cell("daemon", "its state directory removed while it runs", "exits 1 in words; a new ledger reads what the org still has", world={})
def _(scene):
    scene.world.another_ledger = True
    scene.world.drop_state()
    scene.until("it ends", lambda: scene.daemon.process.poll() is not None, 60)
    code = scene.daemon.end()
    scene.told = scene.daemon.last_words()
    if code != 1 or "was removed or replaced" not in scene.daemon.said():
        raise Failed(f"a removed state directory ended with {code}: {scene.told}")
    scene.daemon.start()
    scene.daemon.up()
    scene.over()


@cell("ledger", "the last 4 kB of its log torn off", "opens at what is whole, reads the rest again", rate=40)
def _(scene):
    scene.moves(*scene.world.sinks, times=4)
    scene.daemon.kill()
    log = newest(scene.world, ".log")
    size = os.path.getsize(log)
    os.truncate(log, max(0, size - 4096))
    scene.daemon.start()
    scene.daemon.up()
    scene.over()


@cell("ledger", "a byte flipped in the middle of its log", "refuses to start, in words, rather than lose what follows", world={}, rate=0)
def _(scene):
    scene.org.post("/load", {"transactions": 200, "rate": 0})
    scene.world.in_step()
    scene.daemon.kill()
    log = newest(scene.world, ".log")
    flip(log, os.path.getsize(log) // 2)
    scene.daemon.start()
    code = scene.daemon.process.wait(60)
    scene.told = scene.daemon.said().strip().splitlines()[-1]
    if code != 1 or "orrupt" not in scene.told:
        raise Failed(f"a damaged ledger ended with {code}: {scene.told}")
    flip(log, os.path.getsize(log) // 2)
    scene.daemon.start()
    scene.daemon.up()
    scene.over()


def newest(world, ending):
    found = [path for path in map(str, pathlib.Path(world.state_dir).rglob(f"*{ending}")) if os.path.getsize(path)]
    return max(found, key=os.path.getmtime)


def flip(path, at):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 0xFF]))


@cell("ledger", "its disk full (tmpfs)", "exits 1 in words; with room again it starts and goes on", world={"state_dir": "tmpfs"}, rate=0)
def _(scene):
    ballast = f"{scene.world.state_dir}/ballast"
    processes.run("dd", "if=/dev/zero", f"of={ballast}", "bs=4k", check=False)

    def write_on():  # what the ledger has allocated it still fills
        scene.org.post("/load", {"transactions": 300, "rate": 0})
        return scene.daemon.process.poll() is not None

    scene.until("it ends", write_on, 120, told=lambda: scene.world.lags())
    code = scene.daemon.end()
    scene.told = scene.daemon.last_words()
    if code != 1 or "o space left" not in scene.daemon.said():
        raise Failed(f"a full disk ended with {code}: {scene.told}")
    os.remove(ballast)
    scene.daemon.start()
    scene.daemon.up()
    scene.over()


@cell("ledger", "the journal at its bound while Kafka is down", "asks for nothing more, other sinks hold all; resumes by itself",
      world={"config": {"journal": {"bytes_max": "1MiB", "keep": "1s"}, "org": {"pubsub": {"silence_max": "120s"}}}}, rate=300,
      recovery_max=120)  # without credit the org is silent: that must not be what ends the stream
def _(scene):
    with scene.servers.kafka.gate.fault(accept="refuse", cut="reset"):
        scene.until("the journal is full", lambda: scene.daemon.status()["ledger"]["journal_full"], 120,
                    told=lambda: scene.daemon.status()["ledger"])
        scene.until("nothing is asked for", lambda: set(asked(scene.org)) == {0}, 30, told=lambda: scene.org.stats()["streams"][-2:])
        nothing_is_asked(scene)
        bytes_now = scene.daemon.status()["ledger"]["journal_bytes"]
        if bytes_now > (1 << 20) * 1.25:
            raise Failed(f"the journal holds {bytes_now} bytes at a bound of {1 << 20}")
        scene.until("the others hold all there is", lambda: all(
            scene.world.sink(sink)["lag_entries"] == 0 for sink in ("postgres", "redis")))
        scene.note(f"journal {bytes_now} B")
        part = scene.world.part("stream demo /data/ChangeEvents")
        scene.told = part["why"]
        scene.load.stop()
        delivered = scene.org.stats()["events_delivered"]
    scene.over()
    scene.until("events are delivered again", lambda: scene.org.stats()["events_delivered"] > delivered)


def asked(org):
    """What each open stream may still be sent."""
    return [stream["outstanding"] for stream in org.stats()["streams"] if stream["open"]]


def nothing_is_asked(scene):
    """For as long as ten keepalives take, while life goes on at the org: the stream is open, and has no credit."""
    delivered, began, sent = scene.org.stats()["events_delivered"], time.monotonic(), set()

    def goes_on():
        if set(asked(scene.org)) != {0}:
            raise Failed(f"with a full journal, streams are open with a credit of {asked(scene.org)}")
        stats = scene.org.stats()
        scene.same("events delivered", delivered, stats["events_delivered"])
        sent.add(stats["last_replay_id"])
        return time.monotonic() - began >= 10 * 0.25 and len(sent) > 10

    scene.until("life goes on at the org", goes_on)


class Clock:
    """The daemon's wall clock, off by as many seconds as `set` says (tests/tools/clock_shift.cpp)."""

    def __init__(self, world):
        self.path = f"{world.folder}/{world.name}.clock"
        self.set(0)
        world.daemon.preload = {"LD_PRELOAD": f"{world.bin_dir}/headwater-clock.so", "HEADWATER_CLOCK_FILE": self.path}

    def set(self, seconds):
        # In place: the daemon has the file mapped.
        with open(self.path, "r+b" if os.path.exists(self.path) else "wb") as file:
            file.write(struct.pack("q", seconds))


def off_by(scene, seconds):
    clock = Clock(scene.world)
    scene.daemon.end()
    scene.daemon.start()
    scene.daemon.up()
    scene.moves(*scene.world.sinks)
    clock.set(seconds)
    scene.moves(*scene.world.sinks)
    scene.daemon.kill()
    scene.daemon.start()
    scene.daemon.up()
    scene.moves(*scene.world.sinks)
    clock.set(0)
    scene.moves(*scene.world.sinks)
    scene.over()


@cell("daemon", "its clock set back a day, while it runs and over a restart", "revs go on upwards, no guard refuses in silence",
      world={"config": CLIENT_CREDENTIALS})
def _(scene):
    off_by(scene, -86_400)


@cell("daemon", "its clock set ahead a day, and back", "revs go on upwards, no guard refuses in silence", world={"config": CLIENT_CREDENTIALS})
def _(scene):
    off_by(scene, 86_400)


@cell("daemon", "no descriptor left while it runs", "waits where it cannot connect, goes on once there are some again")
def _(scene):
    def allow(most):
        pid = scene.daemon.process.pid
        _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard if most is None else most, hard))

    scene.kept.callback(allow, None)
    allow(3)  # the least number that a new one could have: what is open stays open
    scene.servers.redis.call("client", "kill", "type", "normal", "skipme", "yes")
    # Nobody can ask it for its status: a question needs a descriptor too.
    scene.logged("redis 127.0.0.1", "Too many open files")
    scene.kept.close()
    scene.over()
