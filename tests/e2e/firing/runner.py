"""Runs cells one after the other on servers that are booted once, and says what each found."""

import contextlib
import dataclasses
import os
import shutil
import subprocess
import time
import traceback
import types

from .cell import Scene, Skipped, counters
from . import backwards, processes
from .servers import Servers
from .wait import Failed, until
from .world import Load, World

RSS_MIB_MAX = 256  # of headwaterd, at any moment of any cell
# All come back to where they were in the world's first cell, but for what is open for a moment: a connection that is about to close,
# the ledger's manifest while the next one is written, a client's pipes, a thread that answers HTTP.
FILES_MORE_MAX, SOCKETS_MORE_MAX, THREADS_MORE_MAX = 4, 3, 4


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
    skipped: str = ""


class Fire:
    def __init__(self, bin_dir, folder, kafka=True, say=print, kills=200, told=lambda outcome: None):
        self.told = told  # called with each cell's outcome
        self.bin_dir, self.folder, self.say = bin_dir, folder, say
        self.kills_wanted, self.kills = kills, 0
        self.rss_mib_max = RSS_MIB_MAX
        self.servers = Servers(bin_dir, folder, kafka)
        self.sinks = ("postgres", "redis", "kafka") if kafka else ("postgres", "redis")
        self.main = None
        self.outcomes = []
        self.base = {}  # world name -> what descriptors and threads were at first

    def world(self, name, servers=None, start=True, prepare=None, **settings):
        """`start`: False leaves the daemon down. `prepare`: what happens to the org before it starts."""
        settings.setdefault("sinks", self.sinks)
        undo = contextlib.ExitStack()
        if settings.get("state_dir") == "tmpfs":
            settings["state_dir"] = self.mount(f"{self.folder}/{name}.state", 200)
            undo.callback(processes.run, "umount", settings["state_dir"])
        world = World(self.bin_dir, servers or self.servers, name, **settings)
        world.undo = undo
        try:
            world.org.post("/load", {"transactions": 30, "rate": 0})
            world.org.events.publish(10)
            if prepare == "schemas_fail":
                world.org.faults(getschema_unavailable=1_000_000)
            if start:
                world.daemon.start()
                world.daemon.up()
            if start and not prepare:
                world.in_step()
        except BaseException:
            world.close()
            raise
        return world

    @staticmethod
    def mount(folder, mib):
        if os.getuid() != 0:
            raise Skipped("needs root, to mount a tmpfs")
        os.makedirs(folder)
        try:
            processes.run("mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=755", "headwater-fire", folder)
        except subprocess.CalledProcessError as error:
            raise Skipped(f"cannot mount a tmpfs: {error.stdout.strip()}") from None
        return folder

    def with_server(self, sink, server):
        """The same servers, but for this one."""
        return types.SimpleNamespace(**{**vars(self.servers), sink: server})

    @staticmethod
    def background(scene, *command):
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        scene.kept.callback(process.wait)

    def hand_over(self, scene, second):
        """From here on `second` is what the cell is about. What it had open while it was refused is no measure of what it needs now."""
        scene.world.daemon.end()
        second.daemon.peak_mib = scene.world.daemon.peak_mib
        second.another_ledger = True
        scene.world, scene.daemon = second, second.daemon

    def run(self, cells):
        for each in cells:
            if each.world is None and self.main is None:
                self.main = self.world("main")
            outcome = self.run_one(each)
            self.outcomes.append(outcome)
            self.told(outcome)
            if outcome.skipped:
                self.say(f"skip   {each.name:<52} {outcome.skipped}")
                continue
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
        scene, why, recovery, skipped = None, "", None, ""
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
            except Skipped as lacking:
                skipped = str(lacking)
            except Exception:
                why = traceback.format_exc()
            finally:
                rss = scene.rss_mib() if scene else 0
                try:
                    if scene:
                        scene.kept.close()
                except Exception:
                    why = why or traceback.format_exc()
        notes = scene.notes if scene else []
        return Outcome(each, not why, why, recovery, time.monotonic() - started, rss, notes, scene.told if scene else None, skipped)

    def play(self, each, scene):
        running = scene.daemon.process is not None
        if running and not (each.world or {}).get("prepare"):
            scene.world.in_step()
        scene.daemon.mark = end_of(scene.daemon.log)
        before, process = {}, scene.daemon.process
        if running:
            scene.daemon.forget_peak()
            if not (each.world or {}).get("prepare"):
                self.base.setdefault(scene.world.name, (scene.daemon.descriptors(), scene.daemon.threads()))
            before = counters(scene.daemon.metrics())
        scene.load = Load(scene.world.org, each.rate)
        with scene.load if each.rate else contextlib.nullcontext():
            each.run(scene)
            if scene.over_at is None:
                scene.over()
            if each.rate:
                scene.load.stop()
        world, daemon = scene.world, scene.daemon  # a cell may have handed over to another
        world.in_step(each.recovery_max + 30, scene.holes)
        recovery = time.monotonic() - scene.over_at
        if recovery > each.recovery_max:
            raise Failed(f"recovery took {recovery:.1f} s, at most {each.recovery_max:g}")
        after = counters(daemon.metrics())
        restarted = daemon.process is not process
        if restarted:
            before = {}  # counted from the last start
        scene.note(", ".join(f"{name} {after[name] - before.get(name, 0):.0f}" for name in after
                             if after[name] - before.get(name, 0)))
        self.check_after(scene, after.get("quarantined", 0) - before.get("quarantined", 0))
        return recovery

    def check_after(self, scene, rows):
        world, daemon = scene.world, scene.daemon
        if rows != scene.quarantined:
            raise Failed(f"{rows:.0f} rows were quarantined, not {scene.quarantined}: {world.command('quarantine')[:600]}")
        if scene.ready:
            ready, text = world.ready()
            if not ready:
                raise Failed(f"/readyz is red after the fault: {text}")
        world.verify(*([] if scene.history else ["--no-history"]))
        self.check_forwards(world)
        peak = scene.rss_mib()
        if peak > RSS_MIB_MAX:
            raise Failed(f"memory: {peak:.0f} MiB, at most {RSS_MIB_MAX}")
        self.check_flat(world)

    @staticmethod
    def check_forwards(world):
        postgres = world.servers.postgres
        if not backwards.watched(postgres, world.targets):
            raise Failed(f"nothing watches the tables of {world.targets}")
        if (back := backwards.found(postgres)):
            raise Failed(f"rows of Postgres went backwards (table, row, rev, became): {back}")
        if (back := world.servers.redis.watch.found(world.targets)):
            raise Failed(f"records of Redis went backwards (key, rev, became): {back}")

    def check_flat(self, world):
        if world.name not in self.base:
            return  # it was started within the cell: there is nothing to compare with
        (sockets, files), threads = self.base[world.name]

        def flat():
            now_sockets, now_files = world.daemon.descriptors()
            return (now_sockets <= sockets + SOCKETS_MORE_MAX and now_files <= files + FILES_MORE_MAX
                    and world.daemon.threads() <= threads + THREADS_MORE_MAX)

        until("descriptors and threads as before", flat, 40,
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
        backwards.found(self.servers.postgres)  # told already
        self.servers.redis.watch.forget()
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
            self.servers.kafka.admin("delete", "crm.")
        shutil.rmtree(f"{self.folder}/main.state", ignore_errors=True)

    def kills_of_cell(self):
        """SIGKILLs since the last call."""
        out, self.kills = self.kills, 0
        return out

    def close(self):
        with contextlib.ExitStack() as stack:
            stack.callback(self.servers.close)
            if self.main:
                stack.callback(self.main.close)


def end_of(path):
    with open(path, "rb") as file:
        return file.seek(0, 2)
