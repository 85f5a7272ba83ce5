#!/usr/bin/env bash
# Events are lost without a word: creates, updates, deletes, undeletes, and an update before one that is seen. The audit names each
# record, heals it, leaves receipts, and everything is equal again; under load it names nothing else. Then the schedule does the same.
#   audit_test.sh BIN_DIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh" "$1"
STACK_SEED=11
stack_up "$work" || fail "a server did not start"
printf 'audit: {every: 0s, settle: 1s}\n' >>"$work/headwater.yaml"
stack_daemon_start
org_post /load '{"transactions": 300, "rate": 0}'
in_step 90

lost() { curl -sf "$org_control/lost"; }
ids_of() { jq -r '[.[].findings[].id] | sort | unique | .[]'; }
audit() {  # audit CODE ARGUMENTS...: its receipts as JSON
  local code=0
  headwater --timeout 60 --json audit "${@:2}" >"$work/audit.json" || code=$?
  [ $code = "$1" ] || fail "audit ${*:2}: exit $code, not $1: $(cat "$work/audit.json")"
}

# Nothing is lost: nothing is found, while records change all the time.
audit 0 --repair
name() { printf '{"op":"create","object":"Lead","fields":{"LastName":"%s","Company":"Acme"}}' "$1"; }
for n in 1 2 3 4 5; do busy[n]=$(emit "$(name "busy $n")"); done
while [ ! -e "$work/enough" ]; do
  for n in 1 2 3 4 5; do emit "{\"op\":\"update\",\"object\":\"Lead\",\"id\":\"${busy[n]}\",\"fields\":{\"Title\":\"$SECONDS $n\"}}" >/dev/null; done
  emit "$(name "one more")" >/dev/null
done &
load=$!
audit 0 Lead --repair --full
touch "$work/enough"
wait $load
[ "$(ids_of <"$work/audit.json" | wc -l)" = 0 ] || fail "false findings under load: $(jq -c '.[] | select(.proven > 0)' "$work/audit.json")"
in_step 60

# One of each kind, by hand.
stale=$(emit "$(name stale)") hidden=$(emit "$(name hidden)") gone=$(emit "$(name gone)") back=$(emit "$(name back)")
emit "{\"op\":\"delete\",\"object\":\"Lead\",\"id\":\"$back\"}" >/dev/null
in_step 30
org_post /loss '{"share": 1}'
created=$(emit "$(name created)")
emit "{\"op\":\"update\",\"object\":\"Lead\",\"id\":\"$stale\",\"fields\":{\"Company\":\"Lost\"}}" >/dev/null
emit "{\"op\":\"update\",\"object\":\"Lead\",\"id\":\"$hidden\",\"fields\":{\"Company\":\"Lost\"}}" >/dev/null
emit "{\"op\":\"delete\",\"object\":\"Lead\",\"id\":\"$gone\"}" >/dev/null
emit "{\"op\":\"undelete\",\"object\":\"Lead\",\"id\":\"$back\"}" >/dev/null
org_post /loss '{"share": 0}'
emit "{\"op\":\"update\",\"object\":\"Lead\",\"id\":\"$hidden\",\"fields\":{\"Title\":\"CEO\"}}" >/dev/null
# And 5 % of the events of a life under load.
org_post /loss '{"share": 0.05, "seed": 3}'
org_post /load '{"transactions": 400, "rate": 0}'
org_post /loss '{"share": 0}'
through 60
headwater --json verify --wait 1 --truth "$org_control/truth" >"$work/verify.json" && fail "nothing differs: the loss lost nothing"

# Only listed: everything stays as it is.
audit 1 Lead
[ "$(headwater get "demo:Lead:$stale" | jq -r .fields.company)" = Acme ] || fail "an audit without --repair repaired"
# Healed.
lost | jq -r 'select(.change_type != "SILENT" and ((.seen_after or .told) | not)) | "demo:\(.object):\(.id)"' | sort -u >"$work/must"
revs() { while read -r key; do echo "$key $(headwater get "$key" 2>/dev/null | jq -r .meta.rev)"; done <"$work/must"; }
revs >"$work/before"
audit 0 --repair
revs >"$work/after"
ids_of <"$work/audit.json" >"$work/found"
cause_is() {  # cause_is ID CAUSE
  jq -e --arg id "$1" --arg cause "$2" '[.[].findings[]] | any(.id == $id and .cause == $cause and .healed)' "$work/audit.json" >/dev/null ||
    fail "$1 is not found as $2: $(jq -c --arg id "$1" '[.[].findings[] | select(.id == $id)]' "$work/audit.json")"
}
cause_is "$created" audit_missing
cause_is "$stale" audit_stale
cause_is "$hidden" audit_stale
cause_is "$gone" audit_gone
cause_is "$back" audit_missing
# Every record whose last event was lost is named, unless it was right before: read again for another reason, such as a deleted parent. Then
# the audit left it alone, and it equals the org all the same (below). One with a later event that was seen may be right already, too.
while read -r key; do
  grep -qx "${key##*:}" "$work/found" && continue
  [ "$(grep -F "$key " "$work/before")" = "$(grep -F "$key " "$work/after")" ] || fail "the loss of $key is healed, but not named"
done <"$work/must"
# What is named beside them no event told either: lookups that a lost deletion cleared, for one.
lost | jq -r .id | sort -u >"$work/all_lost"
beside=$(comm -13 "$work/all_lost" "$work/found" | wc -l)
in_step 60
prints 0 "equal: " headwater verify --wait 20 --truth "$org_control/truth"
[ "$(jq '[.[].proven] | add' "$work/audit.json")" = "$(jq '[.[].healed] | add' "$work/audit.json")" ] || fail "not all is healed"
echo "lost $(lost | wc -l) changes of $(wc -l <"$work/all_lost") records; named $(wc -l <"$work/found"), $beside of them changed by what was lost"

# Told to who asks later: receipts, /status, metrics; the ledger keeps them.
headwater --json audit Lead --receipts | jq -e 'length == 4 and .[1].result == "equal" and .[2].result == "different" and .[3].result == "repaired"' >/dev/null ||
  fail "receipts: $(headwater audit Lead --receipts)"
stack_status | jq -e '.audit.last | any(.object == "Lead" and .result == "repaired" and (has("findings") | not))' >/dev/null || fail "/status: $(stack_status | jq -c .audit)"
[ "$(metric 'headwater_audit_mismatches_total{object="Lead"')" -ge 5 ] || fail "the metric does not count"

# Formulas change without an event and without a stamp: refreshed, no finding, no drift, no hole.
org_post /schema '{"object": "Lead", "add": {"name": "Heat__c", "type": "double", "formula": true}}'
for score in 4.5 7; do
  org_post /schema "{\"object\": \"Lead\", \"recalculate\": {\"name\": \"Heat__c\", \"value\": \"$score\"}}"
  audit 0 Lead --full
  [ "$(headwater get "demo:Lead:$stale" | jq .extra.Heat__c)" != $score ] || fail "an audit without --repair refreshed"
  audit 0 Lead --full --repair
  jq -e '.[0].result == "equal" and .[0].derived > 0 and .[0].proven == 0 and .[0].drift_ppm == 0' "$work/audit.json" >/dev/null || fail "formulas count as drift: $(cat "$work/audit.json")"
  scored() { [ "$(headwater get "demo:Lead:$stale" | jq .extra.Heat__c)" = $score ]; }
  wait_for 20 "the value of the formula" scored || fail "it is $(headwater get "demo:Lead:$stale" | jq .extra.Heat__c)"
done
[ "$(metric 'headwater_audit_derived_total{object="Lead"')" -ge 2 ] || fail "the metric does not count formulas"
in_step 60
prints 0 "equal: " headwater verify --wait 20 --truth "$org_control/truth"

# A row damaged in each sink is found, and healed by telling the record again.
sql() { psql -XAtq -v ON_ERROR_STOP=1 "$pg_url" -c "$1" || fail "psql: $1"; }
one=$(sql "select id from crm.account where not is_deleted order by id limit 1")
two=$(sql "select id from crm.account where not is_deleted order by id offset 1 limit 1")
three=$(sql "select id from crm.account where not is_deleted order by id offset 2 limit 1")
four=$(sql "select id from crm.account where not is_deleted order by id offset 3 limit 1")
# The first one's rev is raised besides: nothing with a rev of ours would be taken there.
sql "update crm.account set name = 'damaged', rev = rev + 1000000000000 where org = 'demo' and id = '$one'; delete from crm.account where org = 'demo' and id = '$two'"
redis-cli -p "$redis_port" hset "crm:{demo:Account:$three}:rec" j '{}' >/dev/null
key=demo:Account:$four
read -r partition rev < <(kcat -q -C -e -b "$brokers" -t crm.records.account -f '%k %p\n' -o beginning 2>/dev/null | awk -v key="$key" '$1 == key {print $2, 7; exit}')
headwater get "$key" | jq -c '.meta.rev = 7' | kcat -q -P -b "$brokers" -t crm.records.account -p "$partition" -k "$key" -H org=demo -H "rev=$rev" || fail "kcat cannot produce"
prints 1 "postgres = ledger" headwater audit --sinks
headwater --json audit --sinks --repair >"$work/sinks.json" || fail "the sinks are not healed: $(jq -c .differences "$work/sinks.json")"
for id in "$one" "$two" "$three" "$four"; do
  jq -e --arg key "demo:Account:$id" '.restated | any(. == $key)' "$work/sinks.json" >/dev/null || fail "$id is not told again: $(jq -c .restated "$work/sinks.json")"
done
[ "$(jq '.restated | length' "$work/sinks.json")" = 4 ] || fail "more is told again than was damaged: $(jq -c .restated "$work/sinks.json")"
[ "$(sql "select count(*) from crm.account where name = 'damaged'")" = 0 ] || fail "the damaged row is still there"
# Each was a hole of its sink until it was proven right.
drifted() { headwater --json holes --all | jq -r '.[] | select(.cause == "sink_drift" and .status == "repaired" and .evidence != "") | "\(.sink) \(.id)"' | sort; }
for hole in "postgres $one" "postgres $two" "redis $three" "kafka $four"; do
  grep -qx "$hole" <<<"$(drifted)" || fail "$hole was no hole, or is none that was proven: $(headwater holes --all)"
done
headwater --json holes | jq -e 'all(.cause != "sink_drift")' >/dev/null || fail "a hole of a sink stays open: $(headwater holes)"
in_step 30
prints 0 "equal: " headwater verify --wait 20 --truth "$org_control/truth"

# By the schedule, over a restart.
stack_daemon_kill TERM
sed -i 's/^audit:.*/audit: {every: 3s, settle: 1s}/' "$work/headwater.yaml"
org_post /loss '{"share": 1}'
emit "{\"op\":\"update\",\"object\":\"Lead\",\"id\":\"$stale\",\"fields\":{\"Company\":\"Lost again\"}}" >/dev/null
org_post /loss '{"share": 0}'
stack_daemon_start
healed() { [ "$(headwater get "demo:Lead:$stale" | jq -r .fields.company)" = "Lost again" ]; }
wait_for 90 "the schedule's audit" healed || fail "the schedule did not heal it: $(stack_status | jq -c .audit)"
told() { headwater --json audit Lead --receipts | jq -e --arg id "$stale" 'any(.by == "schedule" and (.findings | any(.id == $id)))' >/dev/null; }
wait_for 20 "the schedule's receipt" told || fail "the schedule's receipt does not name it"

# A damaged row is found and healed by the schedule, too.
sql "update crm.account set name = 'damaged' where org = 'demo' and id = '$one'"
redis-cli -p "$redis_port" hset "crm:{demo:Account:$two}:rec" j '{}' >/dev/null
sink_healed() {
  [ "$(sql "select count(*) from crm.account where name = 'damaged'")" = 0 ] && [ "$(redis-cli -p "$redis_port" hget "crm:{demo:Account:$two}:rec" j)" != '{}' ]
}
wait_for 60 "the sinks' audit" sink_healed || fail "the sinks are not healed: $(stack_status | jq -c .audit)"
closed_by_schedule() { headwater --json holes --all | jq -e --arg id "$two" 'any(.cause == "sink_drift" and .sink == "redis" and .id == $id and .closed_by == "audit of redis")' >/dev/null; }
wait_for 20 "the end of the sink's hole" closed_by_schedule || fail "the schedule proved no hole: $(headwater holes --all)"
named() { stack_status | jq -e '.audit.last | any(.org == "sinks" and .object == "postgres")' >/dev/null; }
wait_for 20 "the sinks' receipts" named || fail "no receipt of the sinks: $(stack_status | jq -c .audit)"

# What Postgres refuses of a record waits in quarantine, in one row: no audit takes it for drift or tells it again.
bad=$(emit '{"op":"create","object":"Account","fields":{"Name":"fine"}}')
sql "alter table crm.account add constraint no_bad check (name <> 'bad')"
emit "{\"op\":\"update\",\"object\":\"Account\",\"id\":\"$bad\",\"fields\":{\"Name\":\"bad\"}}" >/dev/null
rows() { headwater --json quarantine list | jq 'length'; }
refused() { [ "$(rows)" = 1 ]; }
wait_for 30 "the refusal" refused || fail "in quarantine: $(headwater quarantine list)"
bad_rev=$(headwater get "demo:Account:$bad" | jq -r .meta.rev)
receipts() { headwater --json audit --receipts | jq '[.[] | select(.org == "sinks" and .object == "postgres" and .known == 1)] | length'; }
audited_twice() { [ "$(receipts)" -ge 2 ]; }
wait_for 60 "two audits" audited_twice || fail "no audit knows of it: $(headwater audit --receipts)"
refused || fail "it was refused again: $(headwater quarantine list)"
[ "$(headwater get "demo:Account:$bad" | jq -r .meta.rev)" = "$bad_rev" ] || fail "it was told again"
[ "$(headwater --json holes | jq '[.[] | select(.cause == "sink_drift")] | length')" = 0 ] || fail "it is drift: $(headwater holes)"
sql "alter table crm.account drop constraint no_bad"
emit "{\"op\":\"update\",\"object\":\"Account\",\"id\":\"$bad\",\"fields\":{\"Name\":\"good\"}}" >/dev/null
released() { [ "$(rows)" = 0 ]; }
wait_for 30 "the end of the refusal" released || fail "it stays: $(headwater quarantine list)"

prints 0 " audited, " headwater status
grep -Eq '^  demo +[0-9]+ audited, .* findings, ' <<<"$(headwater status)" || fail "status has no line of the org's audits: $(headwater status)"
grep -Eq '^  sinks +2 audited, ' <<<"$(headwater status)" || fail "status has no line of the sinks' audits: $(headwater status)"

# A withdrawn read permission deletes nothing and is said; an unknown org or no right is refused.
org_post /faults '{"hide_records": "Lead"}'
alive() { stack_status | jq '[.ledger.records[] | select(.object == "Lead") | .alive] | add'; }
before=$(alive)
mass() { stack_status | jq -e '.holes | any(.cause == "mass_delete" and .object == "Lead")' >/dev/null; }
wait_for 60 "the hole of the hidden object" mass || fail "nothing is said of it: $(stack_status | jq -c .audit)"
[ "$(alive)" = "$before" ] || fail "records were deleted"
org_post /faults '{"clear": true}'
unmass() { ! mass; }
wait_for 60 "the hole's end" unmass || fail "the hole stays: $(stack_status | jq -c .holes)"
prints 2 "there is no org nowhere" headwater audit --org nowhere

# An account takes with it more opportunities than the brake lets go, and no event says so: the recycle bin proves it. With the bin
# emptied nothing does: the brake holds, is shown, and no audit says equal or closes its hole until a person answers.
many=$(($(stack_status | jq '[.ledger.records[] | select(.object == "Opportunity") | .alive] | add') / 20 + 15))
family() {
  account=$(emit '{"op":"create","object":"Account","fields":{"Name":"Parent"}}')
  children=()
  for _ in $(seq $many); do
    children+=("$(emit "{\"op\":\"create\",\"object\":\"Opportunity\",\"fields\":{\"Name\":\"Child\",\"StageName\":\"s\",\"CloseDate\":\"2027-01-01\",\"AccountId\":\"$account\"}}")")
  done
  in_step 30
}
cascade() { emit "{\"op\":\"delete\",\"object\":\"Account\",\"id\":\"$account\",\"related\":true,\"child_events\":\"none\"}" >/dev/null; }
childless() { [ "$(sql "select count(*) from crm.opportunity_live where name = 'Child'")" = 0 ]; }
spared() { headwater --json holes | jq '[.[] | select(.cause == "mass_delete" and .object == "Opportunity" and .scope == "'"$1"'")] | length'; }
family
cascade
wait_for 30 "the end of the children" childless || fail "children live on: $(headwater holes)"
[ "$(spared object)" = 0 ] || fail "the brake asks a person for what the org says itself: $(headwater holes)"
family
stack_daemon_kill TERM
cascade
emit "{\"op\":\"empty_bin\",\"object\":\"Opportunity\",\"ids\":[$(printf '"%s",' "${children[@]}" | sed 's/,$//')]}" >/dev/null
stack_daemon_start
braked() { [ "$(spared record)" -gt 0 ]; }
wait_for 30 "the brake" braked || fail "no brake: $(headwater holes)"
audit 1 Opportunity --repair
jq -e '.[0].known > 0' "$work/audit.json" >/dev/null || fail "what is known to be wrong is not told: $(cat "$work/audit.json")"
[ "$(spared object)" = 1 ] || fail "the audit closed the hole: $(headwater holes --all)"
[ "$(curl -s -o /dev/null -w '%{http_code}' "$http_url/readyz")" = 503 ] || fail "ready, while the brake holds"
prints 0 ", the next at " headwater holes
prints 0 "reads all of Opportunity" headwater resync Opportunity --confirm
wait_for 60 "the end of the children" childless || fail "a person's word is not taken: $(headwater holes)"
unbraked() { [ "$(spared object)" = 0 ] && [ "$(spared record)" = 0 ]; }
wait_for 30 "the brake's end" unbraked || fail "the hole stays: $(headwater holes)"
prints 0 "equal: " headwater verify --wait 20 --truth "$org_control/truth"
echo "audit: OK"
