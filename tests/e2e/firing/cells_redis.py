"""Redis in trouble of its own: empty, full, read-only, frozen, set back, or refusing."""

import os
import shutil
import subprocess

from .cell import cell
from .servers import Redis
from .small_disk import full_disk


@cell("redis", "stopped, comes back empty", "every record's state again, others go on")
def _(scene):
    redis = scene.servers.redis
    redis.stop_empty()
    scene.sink_is("redis", "waiting", "redis 127.0.0.1", "Connection refused")
    scene.others_move("redis")
    redis.start()
    scene.over()


@cell("redis", "FLUSHALL under load, three times", "notices at the next write, every record's state again", quick=True)
def _(scene):
    for _ in range(3):
        scene.moves("redis")
        scene.servers.redis.call("flushall")
    scene.others_move("redis")
    scene.over()
    scene.logged("the server went back (flushed, restored or failed over)")


@cell("redis", "FLUSHALL, the journal no longer reaching back", "every record's state again, then the journal",
      world={"config": {"journal": {"bytes_max": "1MiB", "keep": "1s"}}, "sinks": ("postgres", "redis")}, rate=100)
def _(scene):
    written = scene.metric("headwater_journal_entries") + 1_500
    scene.until("entries were written", lambda: scene.metric("headwater_sink_entries_total") / 2 > written, 60)
    scene.servers.redis.call("flushall")
    scene.over()
    scene.logged("sink opened: sending record states first", "sink has all record states: following the journal")


@cell("redis", "stands still (SIGSTOP)", "gives up at its deadline, others go on")
def _(scene):
    scene.servers.redis.freeze()
    scene.sink_is("redis", "waiting", "redis 127.0.0.1")
    scene.others_move("redis")
    scene.servers.redis.thaw()
    scene.over()


@cell("redis", "busy for 5 s (DEBUG SLEEP)", "gives up at its deadline, then goes on")
def _(scene):
    scene.fire.background(scene, "redis-cli", "-p", str(scene.servers.redis.port), "debug", "sleep", "5")
    scene.sink_is("redis", "waiting", "redis 127.0.0.1")
    scene.others_move("redis")
    scene.over()


@cell("redis", "out of memory (maxmemory, noeviction)", "waits and says so, nothing quarantined, others go on", quick=True)
def _(scene):
    redis = scene.servers.redis
    redis.call("config", "set", "maxmemory", "1mb")
    scene.kept.callback(redis.call, "config", "set", "maxmemory", "0")
    scene.waits_it_out("redis", "OOM", "raise the server's maxmemory")


@cell("redis", "read-only replica answers", "waits and says so, nothing quarantined, others go on")
def _(scene):
    redis = scene.servers.redis
    # A primary that is never reached: the data stays, and the server serves reads alone.
    redis.call("replicaof", "127.0.0.1", "1")
    scene.kept.callback(redis.call, "replicaof", "no", "one")
    scene.waits_it_out("redis", "READONLY")


@cell("redis", "cannot save to its disk (MISCONF)", "waits and says so, nothing quarantined, others go on")
def _(scene):
    redis = scene.servers.redis
    folder = f"{redis.folder}/gone"
    os.makedirs(folder)
    redis.call("config", "set", "dir", folder)
    shutil.rmtree(folder)
    redis.call("config", "set", "save", "1 1")

    def mend():
        redis.call("config", "set", "save", "")
        redis.call("config", "set", "dir", redis.folder)
        redis.call("config", "set", "stop-writes-on-bgsave-error", "no")
        redis.call("config", "set", "stop-writes-on-bgsave-error", "yes")
        redis.call("bgsave", check=False)

    scene.kept.callback(mend)
    scene.waits_it_out("redis", "MISCONF")


@cell("redis", "disk full (tmpfs), append-only file", "waits and says so, nothing quarantined, others go on", rate=40)
def _(scene):
    def boot(folder):
        redis = Redis(f"{folder}/redis", scene.servers.gates, "small.redis")
        redis.call("config", "set", "appendonly", "yes")
        scene.until("the file is written", lambda: "aof_rewrite_in_progress:0" in redis.call("info", "persistence"))
        return redis

    # It tries to write its file each second, and takes commands again once it can.
    full_disk(scene, "redis", boot, 128, lambda redis: None, "MISCONF", "No space left on device")


@cell("redis", "connections killed by an operator, five times", "opens again each time")
def _(scene):
    for _ in range(5):
        scene.moves("redis", times=1)
        scene.servers.redis.call("client", "kill", "type", "normal", "skipme", "yes")
    scene.others_move("redis")
    scene.over()


@cell("redis", "functions flushed", "loads them again, nothing lost")
def _(scene):
    for _ in range(3):
        scene.moves("redis", times=1)
        scene.servers.redis.call("function", "flush")
    scene.others_move("redis")
    scene.over()


@cell("redis", "one key of another type under the prefix", "that record alone to quarantine, its neighbours land")
def _(scene):
    redis = scene.servers.redis
    victim = scene.org.emit("create", "Account", {"Name": "Met Nobody"})
    scene.until("it is there", lambda: redis.call("exists", f"crm:{{demo:Account:{victim}}}:rec") == "1")
    key = f"crm:{{demo:Account:{victim}}}:rec"
    redis.call("del", key)
    redis.call("lpush", key, "not ours")
    scene.org.emit("update", "Account", {"Name": "Met A List"}, id=victim)
    scene.logged("sink refuses an entry for good", seconds=20)
    scene.sink_is("redis", "ok")
    scene.moves("redis")
    redis.call("del", key)
    scene.over()
    scene.org.emit("update", "Account", {"Name": "Met Nothing"}, id=victim)
    scene.quarantined = 1


@cell("redis", "restored from an old snapshot", "goes on after the older cursor, from the journal")
def _(scene):
    redis = scene.servers.redis
    scene.moves("redis", times=1)  # another world's cell may have flushed the server
    redis.call("save")
    scene.kept.callback(os.remove, f"{redis.folder}/dump.rdb")
    rev = scene.beyond("redis", times=7)
    redis.stop_empty()
    opened = len(scene.opened("redis"))
    redis.start()
    scene.over()
    scene.went_back("redis", rev, opened)


@cell("redis", "killed, the end of its append-only file lost", "the cursor went back with the data: read again from there")
def _(scene):
    """As when the machine goes: what the kernel had not yet brought to the disk is not there."""
    redis, files = scene.servers.redis, f"{scene.servers.redis.folder}/appendonlydir"
    redis.call("config", "set", "appendonly", "yes")
    scene.kept.callback(shutil.rmtree, files)
    scene.until("the file is written", lambda: "aof_rewrite_in_progress:0" in redis.call("info", "persistence"))
    scene.moves("redis")
    shutil.copytree(files, f"{files}.synced")
    rev = scene.beyond("redis", times=3)
    redis.kill()
    opened = len(scene.opened("redis"))
    shutil.rmtree(files)
    os.rename(f"{files}.synced", files)
    scene.others_move("redis")
    redis.start("--appendonly", "yes")
    redis.call("config", "set", "appendonly", "no")
    scene.over()
    scene.went_back("redis", rev, opened)


@cell("redis", "wrong password, then corrected", "red with the remedy, nothing quarantined, tried again with the file read anew",
      rate=5, recovery_max=100)
def _(scene):
    redis = scene.servers.redis
    redis.call("acl", "setuser", "headwater", "resetpass", ">second")
    redis.call("client", "kill", "type", "normal", "skipme", "yes")
    scene.sink_is("redis", "blocked", "WRONGPASS", "password_file")
    scene.red("sink redis is blocked")
    scene.others_move("redis")
    scene.world.write_password("redis", "second")
    redis.PASSWORD = "second"
    scene.over()


@cell("redis", "privilege revoked, then granted", "red with the remedy, nothing quarantined, tried again", rate=5, recovery_max=100)
def _(scene):
    redis = scene.servers.redis
    redis.call("acl", "setuser", "headwater", "-fcall")
    scene.kept.callback(redis.call, "acl", "setuser", "headwater", "+@all")
    scene.sink_is("redis", "blocked", "NOPERM", "grant the user")
    scene.red("sink redis is blocked")
    scene.others_move("redis")
    scene.kept.close()
    scene.over()


@cell("redis", "paused by an operator (CLIENT PAUSE)", "gives up at its deadline, then goes on; what was paused arrives too")
def _(scene):
    scene.servers.redis.call("client", "pause", "9000", "all")
    scene.sink_is("redis", "waiting", "redis 127.0.0.1")
    scene.others_move("redis")
    scene.over()


@cell("redis", "no connection left (maxclients)", "waits and says so, nothing quarantined, others go on")
def _(scene):
    """Whoever comes first has the one place there is: the server is asked over a connection that stays."""
    redis = scene.servers.redis
    operator = subprocess.Popen(["redis-cli", "-p", str(redis.port)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, text=True)

    def say(line):
        operator.stdin.write(line + "\n")
        operator.stdin.flush()

    def mend():
        say("config set maxclients 1000")
        operator.stdin.close()
        operator.wait()

    scene.kept.callback(mend)
    say("config set maxclients 1")
    say("client kill type normal skipme yes")
    scene.waits_it_out("redis", "max number of clients")


@cell("redis", "a key deleted by someone behind its back", "found by the audit of the sinks, and written again")
def _(scene):
    redis = scene.servers.redis
    victim = scene.org.emit("create", "Account", {"Name": "Evicted"})
    key = f"crm:{{demo:Account:{victim}}}:rec"
    scene.until("it is there", lambda: redis.call("exists", key) == "1")
    redis.call("del", key)
    scene.over()
    said = scene.world.command("--config", scene.daemon.config + ".running", "audit", "--sinks", "--repair")
    scene.until("the key is there again", lambda: redis.call("exists", key) == "1", told=lambda: said)
