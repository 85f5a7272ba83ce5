-- Source fields that the org shows no longer, so that their values are the last that were known; null: none. Entity tables follow.
alter table custom_record add column retired jsonb;
create or replace view custom_record_live as select * from custom_record where not is_deleted;
