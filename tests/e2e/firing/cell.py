"""A cell of the matrix: one fault at one component, while load runs, and what must hold during it and after it.

A cell is a function of its Scene. It injects the fault, waits for what must be seen while it lasts, ends it and calls
`scene.over()`. What holds for every cell is checked by the runner: recovery to in-step, /readyz, equality by headwater-verify,
nothing quarantined that was not announced, bounds on memory, descriptors and threads.
"""

import contextlib
import dataclasses
import json
import re
import time
from collections.abc import Callable

from .wait import Failed, until
from .world import SINKS, TOPIC, World

CELLS = []
TRANSACTIONS = {"config": {"sinks": {"kafka": {"transactions": True}}}}  # of a cell's world


class Skipped(Exception):
    """This machine cannot make the fault; the text says what it lacks."""


@dataclasses.dataclass
class Cell:
    component: str
    fault: str
    expected: str
    run: Callable
    world: dict | None  # settings of a world of its own; None: the main one
    quick: bool
    rate: float  # transactions per second of the load; 0: none
    recovery_max: float  # seconds

    @property
    def name(self):
        return f"{self.component}/{self.fault}"


def cell(component, fault, expected, world=None, quick=False, rate=20, recovery_max=60):
    def register(run):
        CELLS.append(Cell(component, fault, expected, run, world, quick, rate, recovery_max))
        return run

    return register


class Scene:
    """What a cell sees and says. Sinks not named are those of its world."""

    def __init__(self, each, world: World, fire):
        self.cell, self.world, self.fire = each, world, fire
        self.servers, self.org, self.daemon = world.servers, world.org, world.daemon
        self.quarantined = 0  # rows that this cell announces
        self.holes = 0  # that stay open, as this version cannot close them
        self.history = True  # False: Kafka's changes topics are not compared, the cell says why
        self.load = None
        self.ready = True  # False: /readyz stays 503, and the cell checks why
        self.notes = []
        self.told = None  # the sentence that an operator read first
        self.over_at = None
        self.seconds = []  # daemons beside the one that the cell is about
        self.kept = contextlib.ExitStack()  # what must be undone, whatever happens

    def over(self):
        """The fault is over: recovery counts from here."""
        self.over_at = time.monotonic()

    def rss_mib(self):
        """The most that any of its daemons took."""
        return max(each.rss_mib() for each in [self.daemon, *self.seconds])

    def note(self, text):
        self.notes.append(text)

    def no_history(self, why):
        """The changes topics cannot hold the whole story. All else must be equal as ever."""
        self.history = False
        self.note(f"changes topics not compared: {why}")

    def part(self, name, state, *texts, seconds=60):
        """Waits until a part is in that state, with all texts in its sentence."""

        def holds():
            part = self.world.part(name)
            return part["state"] == state and all(text in (part["why"] or "") for text in texts) and part

        seen = until(f"{name} {state} with {texts}", holds, seconds, told=lambda: self.world.part(name))
        self.told = self.told or seen["why"]

    def sink_is(self, sink, state, *texts, seconds=60):
        self.part(f"sink {sink}", state, *texts, seconds=seconds)

    def stream_is(self, state, *texts, seconds=60):
        self.part("stream demo /data/ChangeEvents", state, *texts, seconds=seconds)

    def org_is(self, state, *texts, seconds=60):
        self.part("org demo", state, *texts, seconds=seconds)

    def red(self, *texts):
        """/readyz says 503 now, and why."""
        ready, text = self.world.ready()
        if ready or not all(each in text for each in texts):
            raise Failed(f"/readyz is {'200' if ready else '503'} and says {text!r}, without {texts}")

    def moves(self, *sinks, seconds=60, times=2):
        """These sinks write on: their cursors advance, `times` times in a row."""
        for _ in range(times):
            before = {sink: self.world.sink(sink)["cursor_rev"] for sink in sinks}
            until(f"{', '.join(sinks)} write on",
                  lambda: all(self.world.sink(sink)["cursor_rev"] > before[sink] for sink in sinks), seconds,
                  told=lambda: self.daemon.status()["sinks"])

    def waits_it_out(self, sink, *texts):
        """The sink waits and says so, others go on; then what `kept` undoes is undone, and the fault is over."""
        self.sink_is(sink, "waiting", *texts)
        self.others_move(sink)
        self.kept.close()
        self.over()

    def others_move(self, *sinks, seconds=60, times=2):
        self.moves(*(sink for sink in self.world.sinks if sink not in sinks), seconds=seconds, times=times)

    def logged(self, *texts, seconds=30):
        until(f"the log says {texts}", lambda: all(text in self.daemon.said() for text in texts), seconds)

    def opened(self, sink, world=None):
        """How often that daemon opened the sink since the cell began: each time (what it did first, the cursor it found, its epoch)."""
        line = r'msg="sink opened: ([^"]*)" sink=' + sink + r" org=\S+ cursor=(\d+) epoch=(\d+)"
        said = (world or self.world).daemon.said()
        return [(how, int(cursor), int(epoch)) for how, cursor, epoch in re.findall(line, said)]

    def skipped_history(self, world):
        """What it never tells Kafka, as it says itself: holes, closed since nothing fills them."""
        return [hole for hole in json.loads(world.command("--json", "holes", "--all")) if hole["cause"] == "sink_history"]

    def beyond(self, sink, times):
        """A rev that the sink reached by now; it then writes on so many times."""
        self.moves(sink, times=1)
        rev = self.world.sink(sink)["cursor_rev"]
        self.moves(sink, times=times)
        return rev

    def went_back(self, sink, rev, opened_before):
        """The target's cursor is behind that rev again, and the journal is read from there. `opened_before`: opens that are older."""
        opened = self.until(f"{sink} is opened again", lambda: self.opened(sink)[opened_before:])
        how, cursor, _ = opened[0]
        if how != "following the journal" or cursor > rev:
            raise Failed(f"{sink} was set back behind {rev}, and opened with: {how}, cursor {cursor}")
        self.note(f"the cursor went back by {rev - cursor} revs at least")

    def entries(self, world, sink):
        """What that daemon has written there since it started."""
        return world.daemon.metric("headwater_sink_entries_total", f'sink="{sink}"')

    def never_wrote(self, world, *sinks):
        for sink in sinks:
            self.same(f"entries that {world.name} wrote to {sink}", 0, self.entries(world, sink))

    def messages(self, kind, committed=False):
        """All messages of the topics of that kind."""
        kafka = self.servers.kafka
        return [message for topic in kafka.topics(f"{self.world.targets}.{kind}.") for message in kafka.messages(topic, committed)]

    def changes(self, committed=False):
        return self.messages("changes", committed)

    def until(self, what, condition, seconds=60, told=None):
        return until(what, condition, seconds, told=told)

    def same(self, what, before, after):
        if before != after:
            raise Failed(f"{what}: {before:g} before, {after:g} after")

    def metric(self, start):
        return self.daemon.metric(start)

    def stream_metric(self, start):
        """Of the stream of changes."""
        return self.daemon.metric(start, f'stream="{TOPIC}"')


def counters(metrics):
    """The few that tell a cell's story: by a short name."""
    out = {}
    for name, value in metrics.items():
        for start, short in (("headwater_sink_retries_total", "retries"), ("headwater_source_reconnects_total", "reconnects"),
                             ("headwater_sink_entries_total", "entries"), ("headwater_token_refreshes_failed", "logins failed"),
                             ("headwater_sink_fenced_total", "fenced"), ("headwater_quarantined_total", "quarantined"),
                             ("headwater_decode_errors_total", "quarantined")):
            if name.startswith(start):
                out[short] = out.get(short, 0) + value
    return out
