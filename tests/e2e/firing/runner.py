"""Runs cells one after the other on servers that are booted once, and says what each found."""

import contextlib
import dataclasses
import shutil
import time
import traceback

from .cell import Scene, counters
from .servers import Servers
from .wait import Failed, until
from .world import Load, World

RSS_MIB_MAX = 256  # of headwaterd, at any moment of any cell
# The ledger opens and closes files as it compacts; sockets and threads come back to where they were.
FILES_MORE_MAX, SOCKETS_MORE_MAX, THREADS_MORE_MAX = 40, 3, 4


@dataclasses.dataclass
class Outcome:
    cell: object
    ok: bool
    why: str
    recovery: float | None
    seconds: float
    rss_mib: float
    notes: list
    told: str | None


class Fire:
    def __init__(self, bin_dir, folder, kafka=True, say=print):
        self.bin_dir, self.folder, self.say = bin_dir, folder, say
        self.servers = Servers(bin_dir, folder, kafka)
        self.sinks = ("postgres", "redis", "kafka") if kafka else ("postgres", "redis")
        self.main = None
        self.outcomes = []
        self.base = {}  # world name -> what descriptors and threads were at first

    def world(self, name, **settings):
        settings.setdefault("sinks", self.sinks)
        world = World(self.bin_dir, self.servers, name, **settings)
        try:
            world.daemon.start()
            world.daemon.up()
            world.org.post("/load", {"transactions": 30, "rate": 0})
            world.in_step()
        except BaseException:
            world.close()
            raise
        return world

    def run(self, cells):
        for each in cells:
            if each.world is None and self.main is None:
                self.main = self.world("main")
            outcome = self.run_one(each)
            self.outcomes.append(outcome)
            recovery = "      -" if outcome.recovery is None else f"{outcome.recovery:6.1f} s"
            self.say(f"{'ok    ' if outcome.ok else 'FAILED'} {each.name:<52} recovery {recovery}  "
                     f"rss {outcome.rss_mib:4.0f} MiB  took {outcome.seconds:5.1f} s  {'; '.join(outcome.notes)}")
            if outcome.told:
                self.say(f"       told: {outcome.told}")
            if not outcome.ok:
                self.say(f"       {outcome.why}")
                self.heal()
        return self.outcomes

    def run_one(self, each):
        started = time.monotonic()
        scene, why, recovery = None, "", None
        with contextlib.ExitStack() as stack:
            try:
                world = self.main
                if each.world is not None:
                    world = self.world(f"w{len(self.outcomes)}", **each.world)
                    stack.callback(world.close)
                scene = Scene(each, world, self)
                recovery = self.play(each, scene)
            except Failed as failed:
                why = str(failed)
            except Exception:
                why = traceback.format_exc()
            finally:
                rss = scene.daemon.rss_mib() if scene and scene.daemon.process and scene.daemon.process.poll() is None else 0
                try:
                    if scene:
                        scene.kept.close()
                except Exception:
                    why = why or traceback.format_exc()
        notes = scene.notes if scene else []
        return Outcome(each, not why, why, recovery, time.monotonic() - started, rss, notes, scene.told if scene else None)

    def play(self, each, scene):
        world, daemon = scene.world, scene.daemon
        world.in_step()
        daemon.mark = end_of(daemon.log)
        daemon.forget_peak()
        self.base.setdefault(world.name, (daemon.descriptors(), daemon.threads()))
        before, rows_before = counters(daemon.metrics()), daemon.status()["quarantine_open"]
        process = daemon.process
        load = Load(world.org, each.rate)
        with load if each.rate else contextlib.nullcontext():
            each.run(scene)
            if scene.over_at is None:
                scene.over()
            if each.rate:
                load.stop()
        world.in_step(each.recovery_max + 30, scene.holes)
        recovery = time.monotonic() - scene.over_at
        if recovery > each.recovery_max:
            raise Failed(f"recovery took {recovery:.1f} s, at most {each.recovery_max:g}")
        after = counters(daemon.metrics())
        if daemon.process is not process:
            before = {}  # counted from the last start
        scene.note(", ".join(f"{name} {after[name] - before.get(name, 0):.0f}" for name in after
                             if after[name] - before.get(name, 0)))
        self.check_after(scene, rows_before)
        return recovery

    def check_after(self, scene, rows_before):
        world, daemon = scene.world, scene.daemon
        rows = daemon.status()["quarantine_open"] - rows_before
        if rows != scene.quarantined:
            raise Failed(f"{rows} rows were quarantined, not {scene.quarantined}: {world.command('quarantine')[:600]}")
        if scene.ready:
            ready, text = world.ready()
            if not ready:
                raise Failed(f"/readyz is red after the fault: {text}")
        if scene.verify:
            world.verify()
        peak = daemon.rss_mib()
        if peak > RSS_MIB_MAX:
            raise Failed(f"memory: {peak:.0f} MiB, at most {RSS_MIB_MAX}")
        self.check_flat(world)

    def check_flat(self, world):
        (sockets, files), threads = self.base[world.name]

        def flat():
            now_sockets, now_files = world.daemon.descriptors()
            return (now_sockets <= sockets + SOCKETS_MORE_MAX and now_files <= files + FILES_MORE_MAX
                    and world.daemon.threads() <= threads + THREADS_MORE_MAX)

        until("descriptors and threads as before", flat, 15,
              told=lambda: f"{world.daemon.descriptors()} sockets and files, {world.daemon.threads()} threads; "
                           f"at first {(sockets, files)}, {threads}")

    def heal(self):
        """After a failed cell: everything up again, so that the next one starts from in-step."""
        for server in self.servers.all:
            server.gate.clear()
            if server.process is None:
                server.start()
            else:
                server.thaw()
        if self.main is None:
            return
        org, daemon = self.main.org, self.main.daemon
        org.pubsub.clear()
        org.login.clear()
        org.faults(clear=True)
        daemon.end()
        daemon.start()
        daemon.up()
        try:
            self.main.in_step(90)
            self.main.verify()
        except Failed as failed:
            # What one cell broke for good must not colour the others: they go on in a fresh world.
            self.say(f"       the main world does not heal ({str(failed)[:300]}); a new one")
            self.main.close()
            self.main = None
            self.base.pop("main", None)
            self.forget_main_names()

    def forget_main_names(self):
        self.servers.postgres.sql("drop schema if exists crm cascade")
        self.servers.redis.call("eval", "for _, k in ipairs(redis.call('keys', 'crm:*')) do redis.call('del', k) end", "0")
        if self.servers.kafka:
            self.servers.kafka.delete_topics("crm[.].*")
        shutil.rmtree(f"{self.folder}/main.state", ignore_errors=True)

    def close(self):
        with contextlib.ExitStack() as stack:
            stack.callback(self.servers.close)
            if self.main:
                stack.callback(self.main.close)


def end_of(path):
    with open(path, "rb") as file:
        return file.seek(0, 2)
