#!/usr/bin/env bash
# Another mapping comes by SIGHUP while events stream: taken whole or not at all, all records follow without a restart, a column
# appears in Postgres under a reader's eyes, and an object that moves to another entity leaves nothing where it was.
#   mapping_reload_test.sh BIN_DIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh" "$1"
STACK_ENTITIES=invoice
stack_up "$work" || fail "a server did not start"
echo "mapping: {files: ['$work/mapping.yaml']}" >>"$work/headwater.yaml"
sed -i "s|postgres: {url: '$pg_url'}|postgres: {url: '$pg_url', lock_timeout: 1s}|" "$work/headwater.yaml"

sql() { psql -XAtq -v ON_ERROR_STOP=1 "$pg_url" -c "$1"; }
sql_says() { [ "$(sql "$1")" = "$2" ]; }
until_sql() {  # until_sql SECONDS QUERY ANSWER
  wait_for "$1" "the answer" sql_says "$2" "$3" || fail "'$2' says '$(sql "$2")', not '$3'"
}
mapping() {  # mapping REV TEXT: the file, then SIGHUP
  printf 'version: 1\nmapping_rev: %s\n%s\n' "$1" "$2" >"$work/mapping.yaml"
  : >"$work/headwaterd.log"
  [ -z "${daemon_pid:-}" ] || kill -HUP "$daemon_pid"
}
taken() { wait_for_log 20 "mapping=another"; }
settled() { wait_for_log 60 "all records are projected by the mapping in force"; in_step 60; }
equal() { stack_verify --wait 20 >"$work/verify.txt" 2>&1 || fail "$(cat "$work/verify.txt")"; }
live() { curl -sf "$org_control/counts" | jq -r ".${1}"; }

mapping 1 ""
stack_daemon_start
org_post /load '{"transactions": 400, "rate": 0}'
in_step 60
pid=$daemon_pid

# Taken whole or not at all.
mapping 1 "entities: {account: {object: Account, base: builtin, fields: {segment: {expr: 'Industry', type: text}}}}"
wait_for_log 10 "mapping_rev is 1 and the one in force is 1: it must grow with every edit"
mapping 2 "entities: {account: {object: Account, base: builtin, fields: {segment: {expr: 'Industry |', type: text}}}}"
wait_for_log 10 "mapping.yaml:3:"
log_has "mapping=another" && fail "a mapping with a problem was taken"

# A column, while events come and a reader holds the table: the sink waits for it, and tries again.
(psql -XAtq "$pg_url" -c "begin; select count(*) from crm.account; select pg_sleep(4); commit" >/dev/null) &
org_post /load '{"transactions": 100, "rate": 0}'
mapping 3 "entities: {account: {object: Account, base: builtin, fields: {segment: {expr: 'Industry', type: text, column: true}}}}"
taken
org_post /load '{"transactions": 100, "rate": 0}'
settled
until_sql 60 "select count(*) from crm.account where x_segment is distinct from industry" 0
[ "$(sql "select count(*) > 0 from crm.account_live where x_segment is not null")" = t ] || fail "no record has a segment"
until_sql 10 "select count(*) from crm.account where mapping_rev = 3 and x_segment is not null" \
  "$(sql "select count(*) from crm.account where industry is not null")"
equal

# Another type of the column, which Postgres cannot take: refused whole, by what Postgres has and not by the mapping in force.
segment() { printf "entities: {account: {object: Account, base: builtin, fields: {segment: {%s}}}}" "$1"; }
text="expr: 'Industry', type: text" money="expr: 'AnnualRevenue', type: decimal, column: true"
refused() {
  wait_for_log 20 "column account.x_segment is text, but the mapping says numeric"
  log_has "mapping=another" && fail "a mapping that Postgres cannot take was taken"
}
mapping 4 "$(segment "$money")"
refused
# The field without its column: nothing old is left in it. Then the column again.
mapping 4 "$(segment "$text")"
taken
settled
until_sql 30 "select count(*) from crm.account where x_segment is not null" 0
until_sql 10 "select count(*) from crm.account where fields ->> 'segment' is distinct from industry" 0
log_has "no field of the mapping fills column account.x_segment any more" || fail "nothing says that the column is filled no more"
equal
mapping 5 "$(segment "$money")"
refused
mapping 5 "$(segment "$text, column: true")"
taken
settled
until_sql 30 "select count(*) from crm.account where x_segment is distinct from industry" 0
equal

# While Postgres cannot be asked, such a mapping is taken: the sink is blocked and says why, and the way back is another SIGHUP.
reachable() { psql -XAtq "${pg_url%/*}/template1" -c "alter database postgres allow_connections $1" -c "select pg_terminate_backend(pid) from pg_stat_activity where datname = 'postgres'" >/dev/null; }
reachable false
mapping 6 "$(segment "$money")"
taken
log_has "it cannot be asked" || fail "nothing says that Postgres was not asked"
reachable true
wait_for_part 60 "sink postgres" blocked "column account.x_segment is text, but the mapping says numeric"
mapping 7 "$(segment "$text, column: true")"
taken
settled
equal

# An object moves to an entity of its own, and back.
mapping 8 "entities: {invoice: {object: Invoice__c, fields: {amount: {expr: 'Amount__c', type: decimal, column: true}}}}"
taken
settled
until_sql 20 "select count(*) from crm.invoice_live" "$(live Invoice__c)"
until_sql 10 "select count(*) from crm.custom_record_live where object = 'Invoice__c'" 0
equal
org_post /load '{"transactions": 50, "rate": 0}'
in_step 30
mapping 9 ""
taken
settled
until_sql 20 "select count(*) from crm.custom_record_live where object = 'Invoice__c'" "$(live Invoice__c)"
until_sql 10 "select count(*) from crm.invoice_live" 0
equal

# Its own table under its own name, and back.
mapping 10 "custom: {Invoice__c: {entity: 'custom:Invoice__c', fields: {amount: {expr: 'Amount__c', type: decimal, column: true}}}}"
taken
settled
until_sql 20 "select count(*) from crm.custom_invoice__c_live" "$(live Invoice__c)"
until_sql 10 "select count(*) from crm.custom_record where object = 'Invoice__c'" 0
equal
mapping 11 ""
taken
settled
until_sql 20 "select count(*) from crm.custom_record_live where object = 'Invoice__c'" "$(live Invoice__c)"
until_sql 10 "select count(*) from crm.custom_invoice__c_live" 0
equal

[ "$pid" = "$daemon_pid" ] && kill -0 "$pid" || fail "the daemon was restarted"
echo "mapping_reload: OK"
