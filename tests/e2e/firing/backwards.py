"""Whether a row of Postgres ever went backwards. The server itself notes it: what a cell compares in the end cannot tell of a lower rev
that stood there for a while and was then replaced."""

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
