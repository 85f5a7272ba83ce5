#!/usr/bin/env bash
# What a record shows that its own event does not say: the name of its record type, also of one that the org got while the daemon
# runs, and what its mapping could not make of it. In all three targets, told afterwards without a restart.
#   facts_test.sh BIN_DIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh" "$1"
stack_up "$work" || fail "a server did not start"
cat >"$work/mapping.yaml" <<'YAML'
version: 1
mapping_rev: 1
entities:
  account:
    object: Account
    base: builtin
    fields:
      portal_number: {expr: Portal_Url__c, type: int}
YAML
echo "mapping: {files: ['$work/mapping.yaml']}" >>"$work/headwater.yaml"

sql() { psql -XAtq -v ON_ERROR_STOP=1 "$pg_url" -c "$1"; }
sql_says() { [ "$(sql "$1")" = "$2" ]; }
until_sql() {  # until_sql SECONDS QUERY ANSWER
  wait_for "$1" "the answer" sql_says "$2" "$3" || fail "'$2' says '$(sql "$2")', not '$3'"
}
equal() { stack_verify --wait 20 >"$work/verify.txt" 2>&1 || fail "$(cat "$work/verify.txt")"; }

stack_daemon_start
org_post /load '{"transactions": 300, "rate": 0}'
in_step 60
until_sql 10 "select count(*) from crm.account_live where record_type is null" 0
until_sql 10 "select string_agg(distinct record_type, ' ' order by record_type) from crm.case_live" "Complaint Support"
[ "$(sql "select count(*) > 0 from crm.account_live where record_type = 'PersonAccount' and is_person")" = t ] ||
  fail "no person account has its record type"
equal

# A record of a type that nobody knew gets its name without a restart.
type=$(curl -sf -X POST "$org_control/record-types" -d '{"object": "Account", "developer_name": "Supplier"}' | jq -r .id)
id=$(emit "{\"op\": \"create\", \"object\": \"Account\", \"fields\": {\"Name\": \"Nut & Bolt\", \"RecordTypeId\": \"$type\"}}")
until_sql 30 "select record_type from crm.account where id = '$id'" Supplier
[ "$(sql "select count(*) from crm.account where record_type_id is not null and record_type is null")" = 0 ] ||
  fail "a record has a type without a name"
in_step 30
equal

# What cannot be made of a record is null, listed, and not lost.
bad=$(emit '{"op": "create", "object": "Account", "fields": {"Name": "Odd", "Portal_Url__c": "north"}}')
listed='[{"rule": "transform_error", "field": "portal_number"}]'
until_sql 20 "select violations from crm.account where id = '$bad'" "$listed"
until_sql 5 "select raw ->> 'Portal_Url__c' from crm.account where id = '$bad'" north
headwater get "demo:Account:$bad" | jq -e '.meta.violations == [{"field": "portal_number", "rule": "transform_error"}]' >/dev/null ||
  fail "get does not list it"
in_step 20
equal
stack_daemon_kill TERM
stack_daemon_start
org_post /emit "{\"op\": \"update\", \"object\": \"Account\", \"id\": \"$bad\", \"fields\": {\"Portal_Url__c\": null}}"
until_sql 20 "select count(*) from crm.account where id = '$bad' and violations is null" 1
in_step 20
equal
echo "facts: OK"
