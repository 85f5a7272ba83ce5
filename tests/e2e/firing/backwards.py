"""Whether a row of Postgres or a record of Redis ever went backwards. Each server tells it itself: what a cell compares in the end cannot
tell of a lower rev that stood there for a while and was then replaced."""

import secrets
import socket
import threading
import time

from .wait import Failed, until

# Every table that has revs is watched from the moment that somebody makes it, whichever schema it stands in. The cursor's is no
# record's: it begins anew when its target does. Rev 0 is the daemon's own mark for a row that it owes anew, as when a column came
# back: what is written next must not lie below the rev before the mark.
WATCH = """
create schema watch;
create table watch.backwards (what text, key text, was bigint, became bigint);
create table watch.owed (what text, key text, was bigint, primary key (what, key));
create function watch.note() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
declare
  mine text := (select string_agg(coalesce(to_jsonb(new) ->> k, ''), ' ' order by k)
                from unnest(array['org', 'object', 'id', 'from_id', 'to_id', 'relation', 'subject', 'number', 'stream']) k);
  was_ bigint := old.rev;
begin
  if new.rev = 0 then
    insert into watch.owed values (tg_relid::regclass::text, mine, old.rev) on conflict do nothing;
    return null;
  end if;
  if old.rev = 0 then
    delete from watch.owed o where o.what = tg_relid::regclass::text and o.key = mine returning o.was into was_;
  end if;
  if new.rev < was_ then
    insert into watch.backwards values (tg_relid::regclass::text, (to_jsonb(old) - 'raw')::text, was_, new.rev);
  end if;
  return null;
end $$;
create function watch.begin_at_table() returns event_trigger language plpgsql security definer set search_path = pg_catalog as $$
declare made regclass;
begin
  for made in
    select c.objid::regclass from pg_event_trigger_ddl_commands() c
    join pg_class t on t.oid = c.objid and t.relkind = 'r' and t.relname <> 'cursor'
    join pg_attribute a on a.attrelid = t.oid and a.attname = 'rev' and not a.attisdropped
  loop
    execute format('create or replace trigger backwards after update on %s for each row when (new.rev < old.rev or old.rev = 0) '
                   'execute function watch.note()', made);
  end loop;
end $$;
create event trigger watch_tables on ddl_command_end when tag in ('CREATE TABLE') execute function watch.begin_at_table();
"""


def watch(postgres):
    postgres.sql(WATCH)


def watched(postgres, schema):
    """How many tables of that schema are watched."""
    return int(postgres.sql(f"select count(*) from pg_trigger g join pg_class t on t.oid = g.tgrelid "
                            f"where g.tgname = 'backwards' and t.relnamespace = '{schema}'::regnamespace"))


def found(postgres):
    """What went backwards since the last call, in words; empty: nothing."""
    lines = postgres.sql("with gone as (delete from watch.backwards returning *) "
                         "select what, left(key, 200), was, became from gone limit 5")
    return " / ".join(lines.splitlines())


# What a server holds, in one step of it: MONITOR shows where among the writes.
HELD = """
local out = {}
for _, key in ipairs(redis.call('keys', '*}:rec')) do
  out[#out + 1] = key
  out[#out + 1] = redis.call('hget', key, 'j@') or '0'
end
return out
"""


class RedisWatch:
    """Every rev that Redis is given while the watch is connected, by MONITOR, which also shows what functions do; each is compared with
    what the server held. Connected anew, as after a reset or while a cell kept everybody out, it reads what stands there by then: of
    what was written in between it sees the last rev. What a server holds goes with a flush, a deletion and its process, as after a
    restart from an old snapshot."""

    def __init__(self, redis):
        self.redis = redis
        self.lock = threading.Lock()  # of what follows
        self.held = {}  # key -> rev
        self.backwards = []
        self.process = None  # the server's, whose data `held` is about
        self.marks = set()
        self.read = {}  # mark -> what stood there when it was sent
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            time.sleep(0.05)  # until the next try to connect
            try:
                with socket.create_connection(("127.0.0.1", self.redis.port), 2) as connection:
                    connection.settimeout(None)
                    self.read = {}
                    connection.sendall(b"INFO server\r\nMONITOR\r\n")
                    with connection.makefile("rb") as lines:
                        for line in lines:
                            with self.lock:
                                self.take(line)
                            if line == b"+OK\r\n":
                                self.read_all()
            except OSError:
                pass  # it is down, or keeps us out

    def read_all(self):
        mark = secrets.token_hex(8)
        words = self.redis.call("eval_ro", HELD, "0", mark, check=False).split("\n")
        if words == [""]:
            words = []
        if any(not key.endswith("}:rec") or not rev.isdigit() for key, rev in zip(words[::2], words[1::2])) or len(words) % 2:
            raise OSError(f"it does not say what it holds: {words[0]}")
        self.read[mark.encode()] = {key.encode(): int(rev) for key, rev in zip(words[::2], words[1::2])}

    def take(self, line):
        if line.startswith(b"run_id:"):
            if line != self.process:
                self.process, self.held = line, {}
            return
        words = line.split(b'"', 5)  # time and place, command, blank, first argument, blank, rest
        if len(words) < 2:
            return
        command = words[1].lower()
        if command in (b"flushall", b"flushdb"):
            self.held = {}
        elif command == b"eval_ro":
            self.take_all(self.read.pop(line.split(b'"')[-2], None))
        elif command == b"echo" and len(words) > 3:
            self.marks.add(words[3].decode())
        elif command in (b"del", b"unlink"):
            for key in line.split(b'"')[3::2]:
                self.held.pop(key, None)
        elif command == b"hset" and len(words) > 5 and words[3].endswith(b"}:rec"):
            self.put(words[3], line)

    def take_all(self, read):
        """What stood there at this place among the writes. What is gone was deleted while nobody looked."""
        if read is None:
            return  # somebody else's
        for key, rev in read.items():
            self.compare(key, rev)
        self.held = read

    def put(self, key, line):
        _, found, rest = line.rpartition(b' "j@" "')
        if not found or not line.endswith(b"\n"):  # the last one of a connection may be cut
            return
        self.compare(key, int(rest[:rest.index(b'"')]))

    def compare(self, key, rev):
        was = self.held.get(key, 0)
        if rev < was:
            self.backwards.append(f"{key.decode()} {was} {rev}")
        self.held[key] = rev

    def found(self, prefix):
        """What went backwards since the last call, in words, once all that was sent until now has been looked at."""
        mark = secrets.token_hex(8)

        def told():
            self.redis.call("echo", mark, check=False)
            with self.lock:
                return mark in self.marks

        until("the watch of Redis has seen everything", told, 20)
        with self.lock:
            if not any(key.startswith(f"{prefix}:".encode()) for key in self.held):
                raise Failed(f"nothing watches the records of {prefix}")
            out, self.backwards = self.backwards[:5], []
        return " / ".join(out)

    def forget(self):
        """What went backwards until now was told already."""
        with self.lock:
            self.backwards = []
