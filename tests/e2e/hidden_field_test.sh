#!/usr/bin/env bash
# Field-level security takes two fields from the integration user, a mapped one and one that is not. Events keep them in their schema and
# leave them null: what is known of them stays, also through a delete and an undelete, and `verify` calls that no difference. Shown again,
# their values are read. The record
# lists them in the daemon's answer and in every target, from when the org was asked what it shows until it shows them again.
#   hidden_field_test.sh BIN_DIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh" "$1"
stack_up "$work" || fail "a server did not start"
sed -i "s|tls: false}|tls: false, channel_settle: 0s}|" "$work/headwater.yaml"

lead() { emit "{\"op\":\"$1\",\"object\":\"Lead\",\"id\":\"$id\",\"fields\":${2:-{\}}}" >/dev/null; }
says() { [ "$(headwater get "demo:Lead:$id" 2>/dev/null | jq -c "$1")" = "$2" ]; }
until_says() { wait_for 30 "$1" says "$@" || fail "it says $(headwater get "demo:Lead:$id" | jq -c .), not $1 = $2"; }
known='[.fields.title, .extra.Tier__c, .fields.company]'
in_postgres() { psql -XAtq -v ON_ERROR_STOP=1 "$pg_url" -c "select coalesce(retired, 'null') from crm.lead where id = '$id'"; }
in_redis() { redis-cli -p "$redis_port" hget "crm:{demo:Lead:$id}:rec" j; }
in_kafka() { kcat -q -C -e -b "$brokers" -t crm.records.lead -f '%k\t%s\n' -o beginning 2>/dev/null | awk -F'\t' -v key="demo:Lead:$id" '$1 == key {last = $2} END {print last}'; }
lists() {  # lists WHAT: the record does, everywhere
  [ "$(headwater get "demo:Lead:$id" | jq -c .meta.retired)" = "$1" ] && [ "$(in_postgres | jq -c .)" = "$1" ] &&
    [ "$(in_redis | jq -c .meta.retired)" = "$1" ] && [ "$(in_kafka | jq -c .meta.retired)" = "$1" ]
}
until_lists() { wait_for 30 "the list" lists "$1" || fail "not $1 everywhere: $(headwater get "demo:Lead:$id" | jq -c .meta) $(in_postgres) $(in_redis) $(in_kafka)"; }

stack_daemon_start
org_post /schema '{"object": "Lead", "add": {"name": "Tier__c", "type": "text"}}'
id=$(emit '{"op":"create","object":"Lead","fields":{"LastName":"Lee","Company":"Acme","Title":"CEO","Tier__c":"gold"}}')
until_says "$known" '["CEO","gold","Acme"]'
until_lists null

org_post /schema '{"object": "Lead", "hide": "Tier__c"}'
org_post /schema '{"object": "Lead", "hide": "Title"}'
lead update '{"Title": "CFO", "Company": "Bolt"}'
until_says "$known" '["CEO","gold","Bolt"]'
lead delete
until_says .meta.deleted true
lead undelete
until_says .meta.deleted false
read_again() { headwater --json holes --all | jq -e --arg id "$id" 'any(.id == $id and .cause == "undeleted" and .status == "repaired")' >/dev/null; }
wait_for 30 "the row" read_again || fail "it was not read again: $(headwater --json holes --all)"
says "$known" '["CEO","gold","Bolt"]' || fail "what is hidden was taken for empty: $(headwater get "demo:Lead:$id")"
# Title is none that a description has ever shown: it may be one that events alone tell.
until_lists '["Tier__c"]'
in_step 30
verify

# A new record says nothing of what is hidden, once the org was asked what it shows; null is null of what it does.
headwater resync Lead >/dev/null || fail "resync was refused"
read_anew() { headwater --json jobs --all | jq -e 'any(.object == "Lead" and .why == "resync" and .state == "done")' >/dev/null; }
wait_for 60 "the reading of Lead" read_anew || fail "Lead was not read: $(headwater jobs --all)"
new=$(emit '{"op":"create","object":"Lead","fields":{"LastName":"New","Company":"Cog","Title":"CTO","Tier__c":"tin"}}')
fresh() { headwater get "demo:Lead:$new" 2>/dev/null | jq -e '.fields.company == "Cog" and (.extra | has("Product_Interest__c") and (has("Tier__c") | not))' >/dev/null; }
wait_for 30 "the new record" fresh || fail "of a new record it says $(headwater get "demo:Lead:$new" | jq -c .extra)"
in_step 30
verify

org_post /schema '{"object": "Lead", "show": "Tier__c"}'
org_post /schema '{"object": "Lead", "show": "Title"}'
# Reading nobody's row asks what the org shows now: what changed unheard is a hole, and is read.
headwater resync Lead --where "Company = 'Nobody'" >/dev/null || fail "resync was refused"
until_says "$known" '["CFO","gold","Bolt"]'
shown_again() { headwater --json holes --all | jq -e 'any(.object == "Lead" and .cause == "field_hidden" and .status == "repaired")' >/dev/null; }
wait_for 30 "the hole of the fields" shown_again || fail "no hole of the fields was repaired: $(headwater --json holes --all)"
until_lists null
in_step 30
verify
stack_daemon_kill TERM
[ "$daemon_exit" = 0 ] || fail "SIGTERM ended with $daemon_exit"
echo "hidden_field: OK"
