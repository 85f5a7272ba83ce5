-- The fixed tables. Run with search_path set to the sink's schema, in one transaction with all other
-- migrations; see unified-model.md section 13 for what they mean.

-- One row per (sink, org): where the sink stands, and its fence. Moved in the transaction that writes the data.
create table cursor (
  sink text not null,
  org text not null,
  ledger text not null,        -- '' until the first batch of a materialization
  holder text not null,
  epoch bigint not null,
  rev bigint not null,
  commit_ts timestamptz,
  updated_at timestamptz not null default now(),
  primary key (sink, org)
);

-- Ends the transaction of a fenced writer: SQLSTATE HW001 is ours alone. A function, because the batch is
-- sent in one go, commit included, and only an error can stop the commit.
create function require_fence(moved bigint, expected integer) returns void language plpgsql as $$
begin
  if moved <> expected then
    raise exception using errcode = 'HW001', message = 'another holder has claimed the cursor';
  end if;
end
$$;

-- The head of every read table; also holds objects without declared columns.
create table custom_record (
  org text not null,
  object text not null,
  id char(18) collate "C" not null,
  bu text not null,
  customer_id text,
  rev bigint not null,
  ver text collate "C" not null,
  hash text not null,
  mapping_rev int not null,
  commit_ts timestamptz,
  complete boolean not null,
  is_deleted boolean not null default false,
  deleted_at timestamptz,
  delete_reason text,
  merged_into char(18) collate "C",
  name text,
  owner_id char(18) collate "C",
  currency char(3),
  record_type_id char(18) collate "C",
  record_type text,
  created_at timestamptz,
  created_by_id char(18) collate "C",
  updated_at timestamptz,
  updated_by_id char(18) collate "C",
  fields jsonb not null default '{}',  -- canonical fields that have no column of their own, nulls left out
  extra jsonb not null default '{}',
  raw jsonb not null default '{}',
  violations jsonb,
  primary key (org, object, id)
) with (fillfactor = 80);

create view custom_record_live as select * from custom_record where not is_deleted;

-- Child to parent, one per lookup. src is the stating record; it states one target per rel.
create table edge (
  org text not null,
  src_id char(18) collate "C" not null,
  rel text not null,
  from_object text not null,
  from_id char(18) collate "C" not null,
  to_object text not null,             -- '' while the id's prefix is unknown
  to_id char(18) collate "C" not null,
  via_object text,
  attrs jsonb,
  sort_at timestamptz,
  rev bigint not null,
  primary key (org, src_id, rel)
) with (fillfactor = 80);
-- Ids come first: an index that begins with org looks as good as the primary key to a planner that has no statistics yet, and
-- then every batch walks all edges of the org.
create index edge_to on edge (to_id, org, rel, sort_at desc, from_id);
create index edge_via on edge (from_id, org, rel) where via_object is not null;

-- Mirrors of what is open in the ledger: id = rev of the opening entry, key = its key there.
create table hole (
  id bigint primary key,
  key text not null unique,
  org text not null,
  scope text not null,
  cause text not null,
  since timestamptz,
  opened_at timestamptz not null,
  attempts int not null default 0
);
create table quarantine (
  id bigint primary key,
  key text not null unique,
  org text not null,
  object text,
  record_id char(18) collate "C",
  stage text not null,
  reason_code text not null,
  reason text,
  schema_id text,
  attempts int not null default 0,
  first_seen timestamptz not null,
  last_seen timestamptz not null
);
