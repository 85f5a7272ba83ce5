"""The org in trouble: every way that a stream, a login, a schema or a record read can fail."""

import time

from .cell import Failed, cell
from .cells_network import events_come
from .platform_events import TOPIC as EVENTS
from .world import TOPIC

LOGIN_FAILS = 150  # seconds: the pause between two tries reaches its bound within them
ENDS = [{"clean": True},
        {"error_code": "service.unavailable", "status": 14},
        {"error_code": "subscription.internal.error", "status": 13},
        {"error_code": "service.protection.triggered", "status": 8},
        {"error_code": "service.auth.error", "status": 16},
        {"error_code": "never.heard.of", "status": 2}]


@cell("org", "streams ended in every way it has", "resumes after its position each time", quick=True)
def _(scene):
    for end in ENDS:
        counted = scene.stream_metric("headwater_source_reconnects_total")
        scene.org.post("/streams/kill", end)
        scene.until("the end is counted", lambda: scene.stream_metric("headwater_source_reconnects_total") > counted)
        events_come(scene)
    scene.over()


@cell("org", "GOAWAY every second", "resumes each time, no event lost or doubled", world={"org_options": ["--connection-age", "1s"]})
def _(scene):
    reconnects = scene.stream_metric("headwater_source_reconnects_total")
    scene.until("four connections were ended", lambda: scene.stream_metric("headwater_source_reconnects_total") >= reconnects + 4, 60)
    events_come(scene)
    scene.over()


@cell("org", "all sessions expire", "logs in again by itself")
def _(scene):
    issued = scene.org.stats()["tokens_issued"]
    scene.org.post("/tokens/expire")
    scene.org.post("/streams/kill", {"error_code": "service.auth.error", "status": 16})
    scene.until("a new login", lambda: scene.org.stats()["tokens_issued"] > issued)
    events_come(scene)
    scene.over()


@cell("org", "sessions revoked while login is out of order", "waits and says so, sinks go on, then logs in")
def _(scene):
    scene.org.faults(token_failures=1_000_000)
    scene.kept.callback(scene.org.faults, clear=True)
    scene.org.post("/tokens/revoke")
    scene.org.post("/streams/kill", {"error_code": "service.auth.error", "status": 16})
    scene.stream_is("waiting", "HTTP 503")
    failed = scene.metric("headwater_token_refreshes_failed")
    scene.until("logins are tried on", lambda: scene.metric("headwater_token_refreshes_failed") >= failed + 3, 60)
    scene.kept.close()
    scene.over()


@cell("org", "login fails for two and a half minutes", "tries ever more rarely, sinks hold all there was, then logs in", recovery_max=120)
def _(scene):
    scene.org.faults(token_failures=1_000_000)
    scene.kept.callback(scene.org.faults, clear=True)
    failed = scene.metric("headwater_token_refreshes_failed")
    scene.org.post("/tokens/revoke")
    scene.org.post("/streams/kill", {"error_code": "service.auth.error", "status": 16})
    scene.stream_is("waiting", "HTTP 503")
    moments = []

    def tried():
        count = scene.metric("headwater_token_refreshes_failed") - failed
        if count > len(moments):
            moments.extend([time.monotonic()] * int(count - len(moments)))
        return time.monotonic() >= began + LOGIN_FAILS

    began = time.monotonic()
    scene.until("that long", tried, LOGIN_FAILS + 60)
    # Stream and org worker try, each after a pause drawn below a bound that doubles from 1 s to 60 s.
    early, late = (sum(low <= moment - began < low + 75 for moment in moments) for low in (0, 75))
    longest = max((after - before for before, after in zip(moments, moments[1:])), default=0)
    if not (early > late and longest > 10 and len(moments) >= 5):
        raise Failed(f"logins: {early} in the first 75 s, {late} in the next, {longest:.0f} s between two at most")
    scene.until("the sinks hold all that came", lambda: all(
        sink["open"] and sink["lag_entries"] == 0 for sink in scene.daemon.status()["sinks"]))
    scene.note(f"{early} logins in the first 75 s, {late} in the next; at most {longest:.0f} s between two")
    scene.kept.close()
    scene.over()


@cell("org", "login hangs", "gives up at its deadline, says so, then logs in", recovery_max=120)
def _(scene):
    with scene.org.login.fault(accept="hang", cut="reset"):
        scene.org.post("/tokens/expire")
        scene.org.post("/streams/kill", {"error_code": "service.auth.error", "status": 16})
        scene.stream_is("waiting", "services/oauth2/token")
        failed = scene.metric("headwater_token_refreshes_failed")
        scene.until("tried again", lambda: scene.metric("headwater_token_refreshes_failed") > failed, 60)
    scene.over()


@cell("org", "login refused, then allowed", "red with the remedy, tried again", rate=5, recovery_max=100)
def _(scene):
    scene.org.faults(token_failures=1_000_000, token_status=400, token_error="invalid_grant")
    scene.kept.callback(scene.org.faults, clear=True)
    scene.org.post("/tokens/expire")
    scene.org.post("/streams/kill", {"error_code": "service.auth.error", "status": 16})
    scene.stream_is("blocked", "invalid_grant")
    scene.red("invalid_grant")
    scene.kept.close()
    scene.over()


@cell("org", "topic forbidden, then allowed", "red with the remedy, tried again", rate=5, recovery_max=100)
def _(scene):
    scene.org.faults(refuse_topic="/data/ChangeEvents")
    scene.kept.callback(scene.org.faults, clear=True)
    scene.org.post("/streams/kill", {"error_code": "service.unavailable", "status": 14})
    scene.stream_is("blocked", "View All Data")
    scene.red("View All Data")
    scene.kept.close()
    scene.over()


@cell("org", "GetSchema fails", "waits at that event and says so, nothing quarantined", world={"prepare": "schemas_fail"})
def _(scene):
    scene.stream_is("waiting", "schema")
    scene.org.faults(clear=True)
    scene.over()


@cell("org", "keepalives only for a while", "nothing is torn down; what was held back comes")
def _(scene):
    reconnects = scene.stream_metric("headwater_source_reconnects_total")
    scene.org.faults(events_held=True)
    scene.kept.callback(scene.org.faults, clear=True)
    told = 'headwater_source_last_keepalive_timestamp_seconds'
    for _ in range(8):
        before = scene.stream_metric(told)
        scene.until("a keepalive comes", lambda: scene.stream_metric(told) > before)
    scene.same("reconnects", reconnects, scene.stream_metric("headwater_source_reconnects_total"))
    scene.kept.close()
    scene.over()


@cell("org", "silent: neither events nor keepalives", "torn down after silence_max and resumed")
def _(scene):
    scene.org.faults(events_held=True, keepalives_off=True)
    scene.kept.callback(scene.org.faults, clear=True)
    scene.stream_is("waiting", "no response for 6 s", "subscribing again", seconds=60)
    scene.kept.close()
    scene.over()


@cell("org", "all of the credit withheld, then silence", "no more is asked for than fits; waits while keepalives come, tears down when they stop")
def _(scene):
    reconnects = scene.stream_metric("headwater_source_reconnects_total")
    scene.org.faults(events_held=True)
    scene.kept.callback(scene.org.faults, clear=True)

    def stream():
        return [stream for stream in scene.org.stats()["streams"] if stream["topic"] == TOPIC][-1]

    sent, delivered = scene.org.stats()["last_replay_id"], stream()["delivered"]
    told = "headwater_source_last_keepalive_timestamp_seconds"
    for _ in range(4):
        last = scene.stream_metric(told)
        scene.until("a keepalive comes", lambda: scene.stream_metric(told) > last)
        asked = stream()["outstanding"]
        if not 0 < asked <= 100:
            raise Failed(f"{asked} events are asked for, of at most 100")
    scene.until("events wait at the org", lambda: scene.org.stats()["last_replay_id"] != sent)
    scene.same("events delivered", delivered, stream()["delivered"])
    scene.same("reconnects", reconnects, scene.stream_metric("headwater_source_reconnects_total"))
    scene.org.faults(keepalives_off=True)
    scene.stream_is("waiting", "no response for 6 s", "subscribing again", seconds=60)
    scene.kept.close()
    scene.over()


@cell("org", "half of the credit withheld", "goes on with what it gets")
def _(scene):
    scene.org.faults(half_credit_withheld=True)
    scene.kept.callback(scene.org.faults, clear=True)
    for _ in range(3):
        events_come(scene)
    scene.kept.close()
    scene.over()


@cell("org", "each response 700 ms late", "goes on without a reconnect")
def _(scene):
    reconnects = scene.stream_metric("headwater_source_reconnects_total")
    scene.org.post("/latency", {"ms": 700})
    scene.kept.callback(scene.org.post, "/latency", {"ms": 0})
    for _ in range(3):
        events_come(scene)
    scene.same("reconnects", reconnects, scene.stream_metric("headwater_source_reconnects_total"))
    scene.kept.close()
    scene.over()


def gap(scene, victim, kind="GAP_UPDATE", what="Account"):
    """The org says that a record changed, and not how."""
    scene.org.post("/emit", {"raw": {"object": what, "change_type": kind, "record_ids": [victim]}})


@cell("org", "gap events", "each is a hole until the record was read again: what no other event told is everywhere", quick=True)
def _(scene):
    def lead(name, **more):
        return scene.org.emit("create", "Lead", {"LastName": name, "Company": "Untold"}, **more)

    counted = 'headwater_holes_opened_total{cause="gap"}'
    opened = scene.metric(counted)
    changed, gone, back = [lead(f"Changed {n}") for n in range(3)], lead("Gone"), lead("Back")
    scene.org.emit("delete", "Lead", id=back)
    # From here on the org changes without a word, and then says of which records only.
    untold = [lead("New", silent=True)]
    for each in changed:
        scene.org.emit("update", "Lead", {"Company": "Told By A Gap"}, id=each, silent=True)
    scene.org.emit("delete", "Lead", id=gone, silent=True)
    scene.org.emit("undelete", "Lead", id=back, silent=True)
    for kind, leads in (("GAP_CREATE", untold), ("GAP_UPDATE", changed), ("GAP_DELETE", [gone]), ("GAP_UNDELETE", [back])):
        for each in leads:
            gap(scene, each, kind, "Lead")
    scene.over()
    # The deletes are holes of their own kind: what became of the records is asked for.
    scene.until("each gap is a hole", lambda: scene.metric(counted) >= opened + len(changed) + len(untold), told=lambda: scene.metric(counted) - opened)


@cell("org", "gap events while REST fails", "the holes stay open and are shown, streams go on, then they close", recovery_max=120)
def _(scene):
    scene.org.faults(rest_failures=1_000_000)
    scene.kept.callback(scene.org.faults, clear=True)
    for account in scene.org.records("Account")[:5]:
        gap(scene, account["id"])
    scene.until("the holes are shown", lambda: len(scene.world.holes()) >= 5, told=scene.world.holes)
    scene.org_is("waiting", "HTTP 503")
    scene.moves(*scene.world.sinks)
    scene.kept.close()
    scene.over()


@cell("org", "an event under another object's schema", "to quarantine with its bytes; its record is read again")
def _(scene):
    victim = scene.org.records("Account")[0]["id"]
    scene.org.post("/emit", {"raw": {"object": "Account", "change_type": "UPDATE", "record_ids": [victim],
                                     "fields": {"Name": "Under A Wrong Schema"}, "schema_id": "Contact"}})
    scene.logged("event cannot be decoded: kept in quarantine")
    scene.over()
    scene.quarantined = 1


@cell("org", "an event under an unknown schema id", "to quarantine with its bytes; a stretch that may be missing is shown, red, and read again", world={})
def _(scene):
    scene.org.post("/emit", {"raw": {"object": "Account", "schema_id": "no-such-schema", "payload_hex": "00ff"}})
    scene.logged("event cannot be decoded: kept in quarantine")
    scene.moves(*scene.world.sinks)
    scene.red("stretch hole open")
    scene.over()
    scene.quarantined = 1


@cell("org", "the stored positions expired", "a stretch that may be missing is shown, red; goes on from the earliest event; records are read again by jobs, "
      "of platform events a person accepts it", world={})
def _(scene):
    with scene.load.paused():
        scene.world.in_step()
        scene.daemon.end()
        missed = scene.org.emit("create", "Account", {"Name": "Sent While Nobody Listened"})
        scene.org.events.gone.update(scene.org.events.publish(3))
        scene.org.post("/retention")
    scene.daemon.start()
    scene.daemon.up()

    def expired(topic):
        return [hole for hole in scene.world.holes() if hole["cause"] == "expired" and hole.get("topic") == topic]

    scene.until("both holes are shown", lambda: expired(TOPIC) and expired(EVENTS), told=scene.world.holes)
    scene.logged("position refused: starting at the earliest event kept")
    scene.red("stretch hole open", "expired")
    scene.moves(*scene.world.sinks)
    scene.over()
    scene.until("what was missed is read", lambda: "Sent While Nobody" in scene.world.command("get", f"demo:Account:{missed}"))
    scene.until("the hole of changes is closed", lambda: not expired(TOPIC), told=scene.world.holes)
    # No record can be read that would bring an event back: this one stays open, and red, until a person closes it.
    lost = expired(EVENTS)
    scene.same("open holes of the event stream", 1, len(lost))
    scene.red("stretch hole open", "expired")
    scene.world.command("holes", "close", str(lost[0]["number"]), "--reason", "three of them were lost")
    scene.same("open holes of the event stream after it was closed", 0, len(expired(EVENTS)))
    scene.note(f"{len(scene.org.events.gone)} platform events were lost for good, and the hole said so")
