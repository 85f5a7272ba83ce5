-- The greatest rev of any row, whoever wrote it: above `rev` while a materialization keeps the cursor low.
alter table cursor add column highest bigint not null default 0;
update cursor set highest = rev;
