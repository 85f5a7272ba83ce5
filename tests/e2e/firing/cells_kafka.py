"""Kafka in trouble of its own: stopped, killed, frozen, or its topics changed behind our back."""

import json
import random
import secrets
import time

from .cell import TRANSACTIONS, Failed, cell
from .servers import Kafka
from .small_disk import full_disk


@cell("kafka", "stopped and started", "waits, others go on, catches up")
def _(scene):
    kafka = scene.servers.kafka
    kafka.stop()
    scene.sink_is("kafka", "waiting", "kafka")
    scene.others_move("kafka")
    kafka.start()
    scene.over()


@cell("kafka", "killed in the middle of writes, twice", "reads its topics back, sends what they lack and no more")
def _(scene):
    for _ in range(2):
        scene.moves("kafka")
        scene.servers.kafka.kill()
        scene.others_move("kafka")
        scene.servers.kafka.start()
    scene.over()


@cell("kafka", "stands still (SIGSTOP)", "gives up at its deadline, others go on")
def _(scene):
    scene.servers.kafka.freeze()
    scene.sink_is("kafka", "waiting", "kafka")
    scene.others_move("kafka")
    scene.servers.kafka.thaw()
    scene.over()


@cell("kafka", "disk full (tmpfs)", "the broker gives up; waits, others go on; with room and a restart it catches up", rate=40, recovery_max=90)
def _(scene):
    def boot(folder):
        return Kafka(scene.fire.bin_dir, f"{folder}/kafka", scene.servers.gates, "small.kafka")

    def again(kafka):
        kafka.kill()  # a broker whose log directory failed does not come back to it by itself
        kafka.start()

    full_disk(scene, "kafka", boot, 160, again, "kafka")


@cell("kafka", "a message larger than max.message.bytes", "that entry alone to quarantine, its neighbours land; a retry tells the record again", world={})
def _(scene):
    topic = f"{scene.world.targets}.changes.account"
    records = f"{scene.world.targets}.records.account"
    for each in (topic, records):
        scene.servers.kafka.admin("configure", each, "max.message.bytes=20000")
    scene.org.emit("create", "Account", {"Name": "Large", "Description": secrets.token_hex(15_000)})
    scene.logged("sink refuses an entry for good", seconds=30)
    row = json.loads(scene.world.command("--json", "quarantine"))[0]["number"]
    scene.moves("kafka")  # newer revs stand on the topics when the record comes again
    scene.sink_is("kafka", "ok")
    for each in (topic, records):
        scene.servers.kafka.admin("configure", each)
    scene.over()
    said = scene.world.command("quarantine", "retry", str(row))
    if f"row {row} is closed: kafka accepted rev" not in said:
        raise Failed(said)
    scene.quarantined = 1


def denied(scene, why):
    topic = f"{scene.world.targets}.changes.contact"
    scene.servers.kafka.admin("deny", topic)
    scene.kept.callback(scene.servers.kafka.admin, "allow", topic)
    scene.org.emit("create", "Contact", {"LastName": "Unwritten"})
    scene.sink_is("kafka", "blocked", why, "grant Describe, Read and Write", seconds=60)
    scene.red("sink kafka is blocked")
    scene.others_move("kafka")
    scene.kept.close()
    scene.over()


@cell("kafka", "writing to a topic is forbidden, then granted", "red with the remedy, nothing quarantined, tried again", rate=5, recovery_max=100)
def _(scene):
    denied(scene, "TOPIC_AUTHORIZATION_FAILED")


@cell("kafka", "transactions: writing to a topic is forbidden, then granted", "red with the remedy, nothing quarantined, tried again",
      world=TRANSACTIONS, rate=5, recovery_max=100)
def _(scene):
    denied(scene, "does not show it to us")


@cell("kafka", "transactions: a changes topic deleted", "told, made anew, and filled with every record's state; other topics get nothing twice",
      world=TRANSACTIONS)
@cell("kafka", "a changes topic deleted", "told, made anew, and filled with every record's state", world={})
def _(scene):
    scene.servers.kafka.admin("delete", f"{scene.world.targets}.changes.account")
    scene.over()
    scene.logged("it was truncated or made anew; all records of demo are sent again", seconds=60)


@cell("kafka", "all topics deleted while the daemon is down", "made anew, and filled with every record's state", world={})
def _(scene):
    scene.daemon.end()
    scene.servers.kafka.admin("delete", f"{scene.world.targets}.")
    scene.daemon.start()
    scene.daemon.up()
    scene.over()


@cell("kafka", "partitions added to a topic", "told, and every record's state again, so that keys are where they belong", world={})
def _(scene):
    """Old images stay in the old partitions: of two partitions the greater rev counts, for readers as for the checker."""
    scene.servers.kafka.admin("grow", f"{scene.world.targets}.records.account", "5")
    scene.daemon.end()
    scene.daemon.start()
    scene.daemon.up()
    scene.over()
    scene.logged("all records of demo are sent again")


@cell("kafka", "transactions: restored from an old copy of its logs", "goes on after the older cursor, from the journal", world=TRANSACTIONS)
@cell("kafka", "restored from an old copy of its logs", "goes on after the older cursor, from the journal")
def _(scene):
    kafka = scene.servers.kafka
    kafka.stop()
    kafka.save("backup")
    kafka.start()
    rev = scene.beyond("kafka", times=7)
    kafka.stop()
    opened = len(scene.opened("kafka"))
    kafka.restore("backup")
    kafka.start()
    scene.over()
    scene.went_back("kafka", rev, opened)


@cell("kafka", "transactions: broker killed in the middle of one", "aborted whole and sent again; readers of committed see each once",
      world=TRANSACTIONS)
def _(scene):
    for _ in range(2):
        scene.moves("kafka")
        scene.servers.kafka.kill()
        scene.others_move("kafka")
        scene.servers.kafka.start()
    scene.over()


@cell("kafka", "transactions: half-open: bytes vanish", "gives up at its deadline, ends what was open and sends it again, once",
      world=TRANSACTIONS)
def _(scene):
    with scene.servers.kafka.gate.fault(up={"drop": True}, down={"drop": True}):
        scene.sink_is("kafka", "waiting", "kafka")
        scene.others_move("kafka")
    scene.over()


@cell("kafka", "transactions: answers vanish, requests arrive", "whether one was committed is read there, never guessed: each change once",
      world=TRANSACTIONS, rate=5)  # few partitions in each, as answers are late
def _(scene):
    """Answers come late before they vanish: the next to vanish is of any step of a transaction, its end as well. Which ones were
    committed though nobody said so, the cursor tells when the sink opens again."""
    gate, draw, unknown, tries = scene.servers.kafka.gate, random.Random(5), 0, 0
    while tries < 3 and not unknown:
        tries += 1
        with gate.fault(down={"latency_ms": 300}):
            scene.moves("kafka", times=1)
            opened = len(scene.opened("kafka"))
            time.sleep(draw.uniform(0.5, 1))  # which step it is: the third answer after the last commit is the next one's
            gate.set(down={"drop": True})
            scene.sink_is("kafka", "waiting", "kafka")
            reached = scene.world.sink("kafka")["cursor_rev"]
            scene.others_move("kafka", times=1)
        scene.until("kafka is opened again", lambda: len(scene.opened("kafka")) > opened)
        unknown += scene.opened("kafka")[opened][1] > reached
        scene.moves("kafka", times=1)
    scene.over()
    scene.note(f"{unknown} of {tries} had been committed, and no answer said so")
