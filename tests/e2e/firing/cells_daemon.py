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
from .cell import SINKS, Failed, cell
from .world import World

CLAIM = {"sinks": {sink: {"claim_wait": "12s"} for sink in SINKS}}  # longer than a live holder's silence of 10 s
OVERTAKEN = {"postgres": "has claimed the cursor", "redis": "another daemon has taken over", "kafka": "taken over"}
# A login that signs nothing with a time: with JWT the org itself refuses a clock that is a day off.
CLIENT_CREDENTIALS = {"org": {"auth": {"flow": "client_credentials", "client_secret_file": "FOLDER/client.secret",
                                       "username": None, "private_key_file": None}}}


def kill_often(scene, kills):
    """SIGKILL at moments drawn evenly from the first 1.5 s of a life: while it opens, while it writes, when all is quiet."""
    draw = random.Random(7)
    for done in range(1, kills + 1):
        scene.daemon.kill()
        scene.fire.kills += 1
        scene.daemon.start()
        time.sleep(draw.uniform(0.02, 1.5))  # the moment of the next kill, not a wait for anything
        if done % 50 == 0:
            scene.daemon.up()
            scene.world.in_step(90)
            scene.fire.say(f"       {done} kills")
    scene.daemon.kill()
    scene.daemon.start()
    scene.daemon.up()
    scene.over()
    scene.fire.kills += 1
    scene.note(f"{kills + 1} kills, each of a daemon that was alive")


@cell("daemon", "SIGKILL under load, again and again", "resumes exactly: nothing lost, doubled or out of order", quick=True, rate=60,
      world={})  # its own: minutes of load leave tens of thousands of records, which every later cell would compare
def _(scene):
    kill_often(scene, max(1, scene.fire.kills_wanted * 3 // 4))


@cell("daemon", "SIGKILL under load, Kafka with transactions", "resumes exactly; readers of committed see each change once", rate=60,
      world={"config": {"sinks": {"kafka": {"transactions": True}}}})
def _(scene):
    kill_often(scene, max(1, scene.fire.kills_wanted // 4))


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
    reconnects = scene.metric("headwater_source_reconnects_total")
    for _ in range(50):
        scene.daemon.send(signal.SIGHUP)
    scene.moves(*scene.world.sinks)
    scene.over()
    scene.same("reconnects", reconnects, scene.metric("headwater_source_reconnects_total"))


@cell("daemon", "SIGSTOP and SIGCONT, ten times", "goes on as if nothing had been", quick=True)
def _(scene):
    draw = random.Random(3)
    for _ in range(10):
        scene.daemon.send(signal.SIGSTOP)
        time.sleep(draw.uniform(0.05, 0.5))  # how long it is frozen
        scene.daemon.send(signal.SIGCONT)
        scene.moves(*scene.world.sinks, times=1)
    scene.over()


@cell("daemon", "frozen for 8 s: longer than every deadline", "what its peers gave up on is opened again")
def _(scene):
    scene.daemon.send(signal.SIGSTOP)
    time.sleep(8)  # how long it is frozen
    scene.daemon.send(signal.SIGCONT)
    scene.moves(*scene.world.sinks)
    scene.over()


def twin(scene, name, state_dir=None):
    """A second daemon on the same org and the same targets, with a state directory of its own."""
    first = scene.world
    world = World(first.bin_dir, first.servers, name, first.sinks, org=first.org, targets=first.targets, state_dir=state_dir,
                  config=first.settings)
    scene.kept.callback(world.close)
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
    scene.same("fenced", 0, scene.metric("headwater_sink_fenced_total"))
    scene.over()
    scene.kept.close()


@cell("daemon", "two started at the same instant on new sinks",
      "exactly one writes to each, and all equal the org",
      world={"config": CLAIM, "start": False}, recovery_max=140)
def _(scene):
    first, second = scene.world, twin(scene, f"{scene.world.name}b")
    first.daemon.start()
    second.daemon.start()
    first.daemon.up()
    second.daemon.up()

    def states(sink):
        return sorted(world.part(f"sink {sink}")["state"] for world in (first, second))

    for sink in first.sinks:
        scene.until(f"one writes to {sink} and the other does not", lambda: states(sink) == ["blocked", "ok"],
                    told=lambda: [world.part(f"sink {sink}") for world in (first, second)])
    scene.note("the first holds " + ", ".join(sink for sink in first.sinks if first.part(f"sink {sink}")["state"] == "ok"))
    second.daemon.end()
    scene.over()


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
    scene.no_history("another ledger sends states while life goes on: what changes meanwhile is told by its next change, not by each")


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
    first.daemon.end()
    scene.over()
    scene.fire.hand_over(scene, second)


@cell("daemon", "its state directory restored from a copy", "notices cursors ahead of it, is born anew, all converge", rate=40)
def _(scene):
    world = scene.world
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
    scene.daemon.kill()
    scene.world.drop_state()
    scene.daemon.start()
    scene.daemon.up()
    scene.over()


@cell("daemon", "its state directory removed while it runs", "exits 1 in words; a new ledger reads what the org still has", world={})
def _(scene):
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
      world={"config": {"journal": {"bytes_max": "1MiB", "keep": "1s"}}}, rate=300, recovery_max=120)
def _(scene):
    with scene.servers.kafka.gate.fault(accept="refuse", cut="reset"):
        scene.until("the journal is full", lambda: scene.daemon.status()["ledger"]["journal_full"], 120,
                    told=lambda: scene.daemon.status()["ledger"])
        scene.until("nothing is asked for", lambda: asked(scene.org) == 0, 30, told=lambda: scene.org.stats()["streams"][-1:])
        bytes_now = scene.daemon.status()["ledger"]["journal_bytes"]
        if bytes_now > (1 << 20) * 1.25:
            raise Failed(f"the journal holds {bytes_now} bytes at a bound of {1 << 20}")
        scene.until("the others hold all there is", lambda: all(
            scene.world.sink(sink)["lag_entries"] == 0 for sink in ("postgres", "redis")))
        scene.note(f"journal {bytes_now} B")
        part = scene.world.part("stream demo /data/ChangeEvents")
        scene.told = part["why"]
        scene.load.stop()
    scene.over()


def asked(org):
    """What open streams may still be sent."""
    return sum(stream["outstanding"] for stream in org.stats()["streams"] if stream["open"])


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
    allow(20)
    scene.servers.redis.call("client", "kill", "type", "normal", "skipme", "yes")
    # Nobody can ask it for its status: a question needs a descriptor too.
    scene.logged("redis 127.0.0.1", "Too many open files")
    scene.kept.close()
    scene.over()
