-- Platform events as they came, in rev order; only ever added to. replay_id is in hex.
create table platform_event (
  org text not null,
  topic text not null,
  name text not null,          -- Order_Event__e
  rev bigint not null,
  created_at timestamptz,
  created_by text,
  event_uuid text,
  replay_id text not null,
  schema_id text,
  payload jsonb not null,
  primary key (org, rev)
);
-- A ledger that was restored from an old copy gives the events that come again other revs.
create unique index platform_event_once on platform_event (org, topic, replay_id, event_uuid) nulls not distinct;
