"""What a network does to a connection, at every sink and at the org: the same eight faults, by the gate in front of each."""

from .cell import SINKS, Failed, cell

# A word of the sentence that each part must show while its peer cannot be reached.
NAMES = {"postgres": "postgres", "redis": "redis 127.0.0.1", "kafka": "kafka"}


def retries(scene, sink):
    return scene.metric(f'headwater_sink_retries_total{{class="transient",sink="{sink}"')


def sink_cells(sink):
    # librdkafka keeps its connections itself: the sink sees no error.
    again = "librdkafka connects anew each time, others go on" if sink == "kafka" else "opens again each time, others go on"

    @cell(sink, "connections refused", "waits and says so, others go on", quick=sink != "redis")
    def _(scene):
        with scene.servers.of(sink).gate.fault(accept="refuse", cut="reset"):
            scene.sink_is(sink, "waiting", NAMES[sink])
            scene.others_move(sink)
        scene.over()

    @cell(sink, "accepts and says nothing", "waits after its deadline, others go on")
    def _(scene):
        with scene.servers.of(sink).gate.fault(accept="hang", cut="reset"):
            scene.sink_is(sink, "waiting", NAMES[sink])
            scene.others_move(sink)
        scene.over()

    @cell(sink, "half-open: bytes vanish", "gives up at its deadline and connects anew, others go on", quick=sink == "redis")
    def _(scene):
        with scene.servers.of(sink).gate.fault(up={"drop": True}, down={"drop": True}):
            scene.sink_is(sink, "waiting", NAMES[sink])
            scene.others_move(sink)
        scene.over()

    @cell(sink, "answers vanish, requests arrive", "the outcome is unknown: the same entries again, none doubled")
    def _(scene):
        scene.moves(sink, times=1)  # so that what is asked is to write, and not what a sink asks after a pause
        with scene.servers.of(sink).gate.fault(down={"drop": True}):
            scene.sink_is(sink, "waiting", NAMES[sink])
            scene.others_move(sink)
        scene.over()
        if sink == "kafka":
            found_again(scene)

    @cell(sink, "reset again and again", again)
    def _(scene):
        gate, before = scene.servers.of(sink).gate, retries(scene, sink)
        for _ in range(6):
            accepted = gate.counts()["accepted"]
            if gate.cut() == 0:
                raise Failed(f"{sink} had no connection to reset")
            scene.until("it connects anew", lambda: gate.counts()["accepted"] > accepted)
            scene.others_move(sink)
        scene.over()
        if sink != "kafka":
            scene.until("each was told", lambda: retries(scene, sink) >= before + 6, told=lambda: retries(scene, sink) - before)

    @cell(sink, "reset in the middle of replies", again, quick=sink == "postgres")
    def _(scene):
        gate = scene.servers.of(sink).gate
        accepted = gate.counts()["accepted"]
        with gate.fault(down={"reset_after_bytes": 3000}, cut="reset"):
            scene.until("three connections were cut", lambda: gate.counts()["accepted"] >= accepted + 3)
            scene.others_move(sink)
        scene.over()

    @cell(sink, "200 ms of latency", "slower, never retried, others at their own speed")
    def _(scene):
        before = retries(scene, sink)
        with scene.servers.of(sink).gate.fault(up={"latency_ms": 100}, down={"latency_ms": 100}):
            scene.moves(sink)
            scene.others_move(sink)
        scene.over()
        scene.same("retries", before, retries(scene, sink))

    @cell(sink, "trickles at 3 kB/s", "falls behind and shows its lag, others go on")
    def _(scene):
        with scene.servers.of(sink).gate.fault(up={"bytes_per_second": 3000}, down={"bytes_per_second": 3000}):
            scene.until(f"{sink} lags", lambda: scene.world.sink(sink)["lag_entries"] > 0)
            scene.others_move(sink)
        scene.over()

    @cell(sink, "7 bytes at a time", "goes on, never retried")
    def _(scene):
        before = retries(scene, sink)
        with scene.servers.of(sink).gate.fault(up={"slice_bytes": 7}, down={"slice_bytes": 7}):
            scene.moves(sink)
        scene.over()
        scene.same("retries", before, retries(scene, sink))


def found_again(scene):
    """What arrived unanswered stands behind the cursor that the next open found, and is not sent a second time."""
    scene.moves("kafka")
    scene.load.stop()
    scene.world.in_step()
    _, cursor, epoch = scene.opened("kafka")[-1]
    messages = scene.changes() + scene.messages("events")
    found = {(each["key"], each["rev"]) for each in messages if each["epoch"] < epoch and each["rev"] > cursor}
    again = {(each["key"], each["rev"]) for each in messages if each["epoch"] >= epoch}
    if not found:
        raise Failed(f"nothing had arrived behind the cursor {cursor} that epoch {epoch} found")
    if found & again:
        raise Failed(f"sent again though they stood there: {sorted(found & again)[:5]}")
    scene.note(f"{len(found)} messages had arrived unanswered, and were not sent again")


for each in SINKS:
    sink_cells(each)


def received(scene):
    """Events that came in since the daemon started."""
    return scene.stream_metric("headwater_source_events_total")


def events_come(scene, seconds=60):
    before = received(scene)
    scene.until("events come", lambda: received(scene) > before, seconds)


@cell("org", "Pub/Sub refuses connections", "the stream waits and says so, then resumes after its position", quick=True)
def _(scene):
    with scene.org.pubsub.fault(accept="refuse", cut="reset"):
        scene.stream_is("waiting", "/data/ChangeEvents of org demo")
    scene.over()


@cell("org", "Pub/Sub accepts and says nothing", "the stream waits and says so, then resumes", recovery_max=120)
def _(scene):
    with scene.org.pubsub.fault(accept="hang", cut="reset"):
        scene.stream_is("waiting", "/data/ChangeEvents of org demo", seconds=60)
    scene.over()


@cell("org", "half-open: the stream's bytes vanish", "torn down after silence_max and resumed", quick=True)
def _(scene):
    with scene.org.pubsub.fault(up={"drop": True}, down={"drop": True}):
        scene.stream_is("waiting", "/data/ChangeEvents of org demo", seconds=60)
    scene.over()


@cell("org", "the stream's connection is reset again and again", "resumes each time, no event lost or doubled")
def _(scene):
    for _ in range(5):
        scene.org.pubsub.cut()
        events_come(scene)
    scene.over()


@cell("org", "responses are cut in the middle", "resumes after its position each time")
def _(scene):
    accepted = scene.org.pubsub.counts()["accepted"]
    with scene.org.pubsub.fault(down={"reset_after_bytes": 20_000}, cut="reset"):
        scene.until("three connections were cut", lambda: scene.org.pubsub.counts()["accepted"] >= accepted + 3, 60)
    scene.over()


@cell("org", "400 ms of latency on the stream", "goes on without a reconnect")
def _(scene):
    reconnects = scene.stream_metric("headwater_source_reconnects_total")
    with scene.org.pubsub.fault(up={"latency_ms": 200}, down={"latency_ms": 200}):
        for _ in range(3):
            events_come(scene)
    scene.over()
    scene.same("reconnects", reconnects, scene.stream_metric("headwater_source_reconnects_total"))


@cell("org", "responses trickle at 8 kB/s", "goes on without a reconnect")
def _(scene):
    reconnects = scene.stream_metric("headwater_source_reconnects_total")
    with scene.org.pubsub.fault(down={"bytes_per_second": 8_000}):
        for _ in range(3):
            events_come(scene)
    scene.over()
    scene.same("reconnects", reconnects, scene.stream_metric("headwater_source_reconnects_total"))


@cell("org", "responses come 7 bytes at a time", "goes on without a reconnect")
def _(scene):
    reconnects = scene.stream_metric("headwater_source_reconnects_total")
    with scene.org.pubsub.fault(up={"slice_bytes": 7}, down={"slice_bytes": 7}):
        for _ in range(3):
            events_come(scene)
    scene.over()
    scene.same("reconnects", reconnects, scene.stream_metric("headwater_source_reconnects_total"))
