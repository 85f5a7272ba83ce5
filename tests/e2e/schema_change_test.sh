#!/usr/bin/env bash
# An administrator changes the org while it streams: fields come, go, get other names and types, a deployment tells by two schemas in
# turn, an object is new. The daemon is not restarted, no value is lost, each change is told once, a declared column appears.
#   schema_change_test.sh BIN_DIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh" "$1"
STACK_ENTITIES=custom:Project__c
stack_up "$work" || fail "a server did not start"
org_post /load '{"transactions": 150, "rate": 0}'
objects=$(curl -sf "$org_control/counts" | jq -r 'keys | join(", ")')
sed -i -e "s/start: earliest/start: snapshot/" -e "s/^    streams:/    snapshot: {objects: [$objects]}\n    streams:/" "$work/headwater.yaml"
printf 'version: 1\nmapping_rev: 1\n' >"$work/mapping.yaml"
echo "mapping: {files: ['$work/mapping.yaml']}" >>"$work/headwater.yaml"

sql() { psql -XAtq -v ON_ERROR_STOP=1 "$pg_url" -c "$1"; }
sql_says() { [ "$(sql "$1")" = "$2" ]; }
until_sql() {  # until_sql SECONDS QUERY ANSWER
  wait_for "$1" "the answer" sql_says "$2" "$3" || fail "'$2' says '$(sql "$2")', not '$3'"
}
set_field() { emit "{\"op\":\"update\",\"object\":\"Account\",\"id\":\"$1\",\"fields\":{\"$2\":\"$3\"}}" >/dev/null; }
untold() {  # untold COMMAND...: what it changes is told by no event
  org_post /loss '{"share": 1}'
  "$@"
  org_post /loss '{"share": 0}'
}
holds() { [ "$(headwater get "demo:Account:$1" | jq -rc ".extra.$2")" = "$3" ]; }
until_holds() { wait_for 60 "$2" holds "$@" || fail "$1 has $2 $(headwater get "demo:Account:$1" | jq -rc ".extra.$2"), not $3"; }
notices() { grep -cF "another schema: events are decoded by it" "$work/headwaterd.log"; }
notices_are() { [ "$(notices)" = "$1" ] || fail "$(notices) schemas were told, not $1: $(grep -F 'another schema' "$work/headwaterd.log")"; }
is_equal() { stack_in_step && stack_verify --wait 5 >"$work/verify.txt" 2>&1; }
equal() { wait_for 120 "equality" is_equal || fail "$(cat "$work/verify.txt")"; }  # an object with a new field is read first
# Values of a field that went or has another name stay, which the org does not have any more.
targets_equal() {
  in_step 60
  stack_verify --wait 20 >"$work/verify.txt" 2>&1
  for check in "postgres = ledger" "redis = ledger"; do
    grep -Eq "^$check +equal: " "$work/verify.txt" || fail "$(cat "$work/verify.txt")"
  done
}

stack_daemon_start
pid=$daemon_pid
ready() { curl -sf "$http_url/readyz" >/dev/null; }
wait_for 60 "the first reading" ready || fail "not ready: $(curl -s "$http_url/readyz")"
equal
mapfile -t accounts < <(curl -sf "$org_control/truth?object=Account" | jq -r .id | head -4)
set_field "${accounts[0]}" Industry Paper  # the first event of an object shows its schema, later ones what is new
equal
told=$(notices)

# A new field: told by events, and where no event told it, read.
org_post /schema '{"object": "Account", "add": {"name": "Tier__c", "type": "picklist"}}'
untold set_field "${accounts[0]}" Tier__c gold
set_field "${accounts[1]}" Tier__c tin
until_holds "${accounts[1]}" Tier__c tin
until_holds "${accounts[0]}" Tier__c gold
equal
log_has "change=\"added: Tier__c\"" || fail "the new field is not told: $(grep 'another schema' "$work/headwaterd.log")"
notices_are $((told + 1))

# A deployment: events by either schema in turn, each known and told once.
fetched() { metric headwater_schemas_fetched_total; }
org_post /schema '{"object": "Account", "deploying": true}'
org_post /load '{"transactions": 150, "rate": 0}'
through 30
schemas=$(fetched)  # of all objects by now: life brings first events of some
[ "$schemas" -ge 2 ] || fail "$schemas schemas were fetched, though Account alone has had two"
for n in 1 2 3 4; do set_field "${accounts[2]}" Tier__c "t$n"; set_field "${accounts[2]}" Industry "i$n"; done
until_holds "${accounts[2]}" Tier__c t4
# Records are created by the older one, too, which cannot say their new field: it is read.
for n in 1 2 3 4; do fresh[n]=$(emit "{\"op\":\"create\",\"object\":\"Account\",\"fields\":{\"Name\":\"fresh $n\",\"Tier__c\":\"f$n\"}}"); done
for n in 1 2 3 4; do until_holds "${fresh[n]}" Tier__c "f$n"; done
org_post /schema '{"object": "Account", "deploying": false}'
equal
notices_are $((told + 1))
[ "$(fetched)" = "$schemas" ] || fail "$(($(fetched) - schemas)) schemas were fetched again"

# A column for it, declared while events come.
printf 'version: 1\nmapping_rev: 2\n%s\n' \
  "entities: {account: {object: Account, base: builtin, fields: {tier: {expr: 'Tier__c', type: text, column: true}}}}" >"$work/mapping.yaml"
kill -HUP "$daemon_pid"
until_sql 60 "select x_tier from crm.account where id = '${accounts[0]}'" gold
set_field "${accounts[3]}" Tier__c lead
until_sql 20 "select x_tier from crm.account where id = '${accounts[3]}'" lead
equal

# Another name: no event tells the values under it. They are read, and the mapping follows.
org_post /schema '{"object": "Account", "rename": {"from": "Tier__c", "to": "Level__c"}}'
set_field "${accounts[1]}" Level__c silver
until_holds "${accounts[1]}" Level__c silver
until_holds "${accounts[0]}" Level__c gold
log_has "renamed: Tier__c to Level__c" || fail "the new name is not told"
notices_are $((told + 2))
printf 'version: 1\nmapping_rev: 3\n%s\n' \
  "entities: {account: {object: Account, base: builtin, fields: {tier: {expr: 'Level__c', type: text, column: true}}}}" >"$work/mapping.yaml"
kill -HUP "$daemon_pid"
until_sql 60 "select x_tier from crm.account where id = '${accounts[1]}'" silver
until_sql 20 "select x_tier from crm.account where id = '${accounts[0]}'" gold
equal

# Another type: the org turned every value into another one, and told none.
org_post /schema '{"object": "Account", "add": {"name": "Reach__c", "type": "text"}}'
set_field "${accounts[0]}" Reach__c 4.5
set_field "${accounts[1]}" Reach__c 12
until_holds "${accounts[1]}" Reach__c 12
equal
org_post /schema '{"object": "Account", "retype": {"name": "Reach__c", "type": "double"}}'
emit "{\"op\":\"update\",\"object\":\"Account\",\"id\":\"${accounts[2]}\",\"fields\":{\"Reach__c\":7}}" >/dev/null
typed() { headwater get "demo:Account:${accounts[0]}" | jq -e '.extra.Reach__c == 4.5' >/dev/null; }
wait_for 60 "the value of the new type" typed || fail "$(headwater get "demo:Account:${accounts[0]}" | jq -c .extra)"
log_has "retyped: Reach__c from Text to Double" || fail "the new type is not told"
equal
notices_are $((told + 4))

# A field that goes takes no value along.
org_post /schema '{"object": "Account", "remove": "Level__c"}'
set_field "${accounts[3]}" Industry Steel
through 30
log_has "removed: Level__c" || fail "the removed field is not told"
until_sql 10 "select x_tier from crm.account where id = '${accounts[1]}'" silver
notices_are $((told + 5))

# While the daemon is down a field gets another type, which no event tells, and another object a new one.
org_post /schema '{"object": "Contact", "add": {"name": "Rank__c", "type": "text"}}'
mapfile -t contacts < <(curl -sf "$org_control/truth?object=Contact" | jq -r .id | head -2)
rank() { emit "{\"op\":\"update\",\"object\":\"Contact\",\"id\":\"$1\",\"fields\":{\"Rank__c\":$2}}" >/dev/null; }
rank "${contacts[0]}" '"3"'
rank "${contacts[1]}" '"4"'
ranked() { headwater get "demo:Contact:${contacts[$1]}" | jq -e ".extra.Rank__c == $2" >/dev/null; }
wait_for 60 "the rank" ranked 1 '"4"' || fail "$(headwater get "demo:Contact:${contacts[1]}" | jq -c .extra)"
targets_equal
stack_daemon_kill TERM
org_post /schema '{"object": "Contact", "retype": {"name": "Rank__c", "type": "double"}}'
stack_daemon_start
pid=$daemon_pid
wait_for 60 "the value of the new type" ranked 0 3 || fail "nobody read it again: $(headwater get "demo:Contact:${contacts[0]}" | jq -c .extra)"
wait_for 60 "the value of the new type" ranked 1 4 || fail "nobody read it again: $(headwater get "demo:Contact:${contacts[1]}" | jq -c .extra)"
targets_equal

# A new object: its first event brings all of it, and what refers to it.
org_post /schema '{"create": "Project__c", "prefix": "a0P", "fields": [{"name": "Budget__c", "type": "currency"}, {"name": "Account__c", "type": "ref", "refers_to": ["Account"]}]}'
project() { emit "{\"op\":\"create\",\"object\":\"Project__c\",\"fields\":{\"Name\":\"P $1\",\"Budget__c\":$1,\"Account__c\":\"${accounts[0]}\"}}" >/dev/null; }
many() { for n in $(seq 20); do project "$n"; done; }
untold many
project 21
until_sql 60 "select count(*) from crm.custom_record_live where object = 'Project__c'" 21
read_in() { headwater --json jobs --all | jq -e 'any(.object == "Project__c" and .why == "snapshot" and .state == "done")'; }
wait_for 60 "the reading of Project__c" read_in || fail "Project__c was not read in: $(headwater jobs --all)"
until_sql 10 "select count(*) from crm.edge where from_object = 'Project__c' and to_id = '${accounts[0]}'" 21
targets_equal

[ "$pid" = "$daemon_pid" ] && kill -0 "$pid" || fail "the daemon was restarted"
wait_for 10 "readiness" ready || fail "not ready: $(curl -s "$http_url/readyz")"
[ "$(stack_status | jq .quarantine_open)" = 0 ] || fail "something is in quarantine"
echo "schema_change: OK"
