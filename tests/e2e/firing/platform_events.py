"""Platform events: what the org published stands in the table and on the topic, each event once and in order.

An event is in no record's state, so nothing that compares records would miss one. The publisher numbers them: the org's truth is how
many there are. headwater-verify compares journal, table and topic with each other; here they are compared with what was published.
"""

import threading

from .wait import Failed

EVENT = "Order_Event__e"
TOPIC = f"/event/{EVENT}"
NUMBER = "Sequence__c"
TOLD_MAX = 5  # of each kind of difference


class Publisher:
    """Events numbered from 0. Of every fourth call's the bus has two, under one EventUuid. Thread-safe. After a call that failed the org
    may have events that nobody counted: there is no truth to compare with any more, and every further use fails."""

    TWICE_EVERY = 4

    def __init__(self, post):
        self.post, self.lock = post, threading.Lock()
        self.count = self.calls = 0
        self.gone = set()  # numbers that the bus dropped before anybody read them
        self.failure = None  # of a call whose events the org may have taken

    def publish(self, count=1):
        """The numbers of the new ones."""
        with self.lock:
            self.check()
            self.calls += 1
            try:
                self.post("/publish", {"event": EVENT, "count": count, "first": self.count, "fields": {NUMBER: "#"},
                                       "twice": self.calls % self.TWICE_EVERY == 0})
            except Exception as error:
                self.failure = error
                raise
            self.count += count
            return range(self.count - count, self.count)

    def check(self):
        if self.failure:
            raise Failed(f"nobody knows which platform events the org has: a call to publish some failed: {self.failure}")

    def kept(self):
        with self.lock:
            self.check()
            return [number for number in range(self.count) if number not in self.gone]


def taken(messages, committed, another_ledger):
    """(uuid, number) of what a consumer takes (README, Kafka): of committed messages all; else what has a rev above the last of its
    partition, and what was `retried` whatever its rev, once. `another_ledger`: one that began anew or was restored gave events other
    revs; then what has a known uuid is dropped too."""
    last, known, out = {}, set(), []
    for message in messages:
        uuid, partition, rev = message["value"]["source"]["event_uuid"], message["partition"], message["rev"]
        greatest = last.get(partition, -1)
        if committed:
            dropped = False
        elif message["retried"]:
            dropped = uuid in known
        else:
            dropped = rev <= greatest
        if dropped or (another_ledger and uuid in known):
            continue
        last[partition] = max(greatest, rev)
        known.add(uuid)
        out.append((uuid, int(message["value"]["event"][NUMBER])))
    return out


def check(where, published, found):
    """`found`: (uuid, number) as they stand there."""
    numbers, seen, doubled = [number for _, number in found], set(), []
    for number in numbers:
        if number in seen:
            doubled.append(number)
        seen.add(number)
    lost, unknown = sorted(set(published) - seen), sorted(seen - set(published))
    out = [f"{len(some)} {what}: {some[:TOLD_MAX]}" for what, some in (("lost", lost), ("doubled", doubled), ("never published", unknown)) if some]
    if len({uuid for uuid, _ in found}) != len(found) and not doubled:
        out.append("two of them have one EventUuid")
    if not out and numbers != published:
        out.append(f"out of order at {next(there for there, sent in zip(numbers, published) if there != sent)}")
    if out:
        raise Failed(f"platform events, {where} against {len(published)} that the org published: {'; '.join(out)}")


def verify(world, another_ledger):
    """All that was published, at each sink of the world that keeps events."""
    published, servers = world.org.events.kept(), world.servers
    if "postgres" in world.sinks:
        lines = servers.postgres.sql(f"select event_uuid, (payload ->> '{NUMBER}')::numeric::bigint from {world.targets}.platform_event "
                                     f"where topic = '{TOPIC}' order by rev").splitlines()
        check("the table", published, [(uuid, int(number)) for uuid, number in (line.split("|") for line in lines)])
    if "kafka" in world.sinks:
        committed = world.settings.get("sinks", {}).get("kafka", {}).get("transactions", False)
        messages = servers.kafka.messages(f"{world.targets}.events.{EVENT}", committed)
        check("the topic", published, taken(messages, committed, another_ledger))
