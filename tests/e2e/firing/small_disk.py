"""A server whose disk is full, in truth: on a small tmpfs, filled to its last page."""

import os

from . import processes
from .cell import Failed


def full_disk(scene, sink, boot, mib, again, *texts):
    """A server of its own, and a daemon of its own beside the main one: only this sink is in trouble. `boot(folder)` makes the server,
    `again(server)` brings it back once there is room; `texts` are in the sentence meanwhile."""
    folder = scene.fire.mount(f"{scene.fire.folder}/small.{sink}", mib)
    scene.kept.callback(processes.run, "umount", folder)
    server = boot(folder)
    scene.kept.callback(server.stop)
    world = scene.fire.world(f"small{sink}", servers=scene.fire.with_server(sink, server), org=scene.org)
    scene.kept.callback(world.close)
    ballast = f"{folder}/ballast"
    processes.run("dd", "if=/dev/zero", f"of={ballast}", "bs=4k", check=False)

    def waits():
        part = world.part(f"sink {sink}")
        return part["state"] == "waiting" and all(text in part["why"] for text in texts) and part

    scene.told = scene.until(f"{sink} waits", waits, 60, told=lambda: world.part(f"sink {sink}"))["why"]
    others = [each for each in world.sinks if each != sink]
    before = {each: world.sink(each)["cursor_rev"] for each in others}
    scene.until("the others go on", lambda: all(world.sink(each)["cursor_rev"] > before[each] for each in others))
    os.remove(ballast)
    again(server)
    scene.over()
    scene.load.stop()
    world.in_step(60)
    world.verify()
    # What the org's own faults left on the bus, this daemon has read as well: that is no matter of the disk.
    if f" sink.{sink} " in (quarantine := world.command("quarantine")):
        raise Failed(f"a full disk quarantined entries: {quarantine}")
