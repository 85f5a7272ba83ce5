"""The soak: one daemon, load all the time, a fault every 20 seconds, and memory that must not climb."""

import random
import time

from .runner import RSS_MIB_MAX
from .wait import Failed
from .world import Load

EVERY_SECONDS = 20
RATE = 60  # transactions per second
# Before it begins: so much life that the ledger holds more than its caches do (64 MiB of blocks, the states' own). Before that they
# fill up, which looks like a leak; what climbs after it is one.
WARM_TRANSACTIONS, WARM_STEP = 150_000, 5_000
SLOPE_PERCENT_MAX = 5.0  # of the mean, in 10 minutes


def faults(world):
    """Name -> begin, end. Each lasts 4 s."""
    servers, org = world.servers, world.org
    out = {"org: sessions expire": (lambda: org.post("/tokens/expire"), lambda: None),
           "org: streams killed": (lambda: org.post("/streams/kill", {}), lambda: None),
           "org: REST fails": (lambda: org.faults(rest_failures=20), lambda: org.faults(clear=True)),
           "org: keepalives only": (lambda: org.faults(events_held=True), lambda: org.faults(clear=True))}
    gates = {sink: servers.of(sink).gate for sink in world.sinks} | {"org": org.pubsub}
    for name, gate in gates.items():
        out[f"{name}: reset"] = (gate.cut, lambda: None)
        out[f"{name}: refused"] = (lambda gate=gate: (gate.set(accept="refuse"), gate.cut()), gate.clear)
        out[f"{name}: half-open"] = (lambda gate=gate: gate.both(drop=True), gate.clear)
        out[f"{name}: slow"] = (lambda gate=gate: gate.both(latency_ms=300), gate.clear)
    for sink in world.sinks:
        server = servers.of(sink)
        out[f"{sink}: frozen"] = (server.freeze, server.thaw)
    out["postgres: killed"] = (servers.postgres.kill, servers.postgres.start)
    out["redis: emptied"] = (lambda: servers.redis.call("flushall"), lambda: None)
    return out


def sequence(draw, names, count):
    """Every fault once before any comes again. Those of one kind are dealt to both halves of a round in turn: a fault that takes memory
    for a while, in one half alone, would look like a slope."""
    out = []
    while len(out) < count:
        dealt = sorted(draw.sample(names, len(names)), key=lambda name: name.partition(": ")[2])
        for half in (dealt[::2], dealt[1::2]):
            out += draw.sample(half, len(half))
    return out[:count]


def slope(samples):
    """Least squares, in units per second."""
    count = len(samples)
    mean_t = sum(t for t, _ in samples) / count
    mean_y = sum(y for _, y in samples) / count
    spread = sum((t - mean_t) ** 2 for t, _ in samples)
    return sum((t - mean_t) * (y - mean_y) for t, y in samples) / spread


def sample_until(world, deadline, samples, started):
    while (now := time.monotonic()) < deadline:
        samples.append((now - started, world.daemon.rss_mib(peak=False)))
        time.sleep(min(1.0, deadline - now))  # the next sample's turn


def run(fire, seconds, seed):
    """One sentence of figures; raises Failed if a bound does not hold. `seed`: of the order of the faults."""
    world = fire.main or fire.world("main")
    fire.main = world
    draw, samples, done = random.Random(seed), [], []
    at_first, threads_at_first = world.daemon.descriptors(), world.daemon.threads()
    for _ in range(WARM_TRANSACTIONS // WARM_STEP):
        world.org.post("/load", {"transactions": WARM_STEP, "rate": 0})
        world.in_step(300)
    names = sorted(faults(world))
    fire.say(f"       soak: warm at {world.daemon.rss_mib(peak=False):.0f} MiB; seed {seed}")
    started = time.monotonic()
    with Load(world.org, RATE) as load:
        for name in sequence(draw, names, max(1, seconds // EVERY_SECONDS)):
            elapsed = time.monotonic() - started
            begin, end = faults(world)[name]
            begin()
            sample_until(world, time.monotonic() + 4, samples, started)
            end()
            done.append(name)
            fire.say(f"       soak {elapsed:4.0f} s  {name:<24} rss {samples[-1][1]:.0f} MiB  sockets, files "
                     f"{world.daemon.descriptors()}  threads {world.daemon.threads()}")
            sample_until(world, started + elapsed + EVERY_SECONDS, samples, started)
        load.stop()
    world.in_step(120)
    world.verify()
    fire.check_forwards(world)
    mean = sum(rss for _, rss in samples) / len(samples)
    percent = slope(samples) * 600 / mean * 100
    peak = max(rss for _, rss in samples)
    written = world.daemon.metric("headwater_sink_entries_total")
    figures = (f"Soak: {seconds} s, {len(done)} faults, {len(set(done))} of {len(names)} kinds (seed {seed}), {written:.0f} entries written; memory {mean:.0f} MiB, peak {peak:.0f}, "
               f"slope {percent:+.1f} % in 10 minutes; sockets and files {at_first} at first, "
               f"{world.daemon.descriptors()} at the end; threads {threads_at_first} and {world.daemon.threads()}.")
    fire.say(figures)
    if percent > SLOPE_PERCENT_MAX:
        raise Failed(f"{figures} Does not hold: at most {SLOPE_PERCENT_MAX:g} %.")
    if len(done) >= len(names) and (missed := sorted(set(names) - set(done))):
        raise Failed(f"{figures} Does not hold: {len(names)} draws meet every kind. Not met: {', '.join(missed)}.")
    if peak > RSS_MIB_MAX:
        raise Failed(f"{figures} Does not hold: at most {RSS_MIB_MAX} MiB.")
    fire.base["main"] = (at_first, threads_at_first)
    fire.check_flat(world)
    return figures
