#!/usr/bin/env bash
# While an org lives, a share of its events is lost without a word. The scheduled audits alone find it: one audit period after the
# loss ends everything is equal in every sink, each lost change is named by a receipt or left no trace, and nothing else is named.
#   silent_loss_test.sh BIN_DIR [TRANSACTIONS [SHARE [PERIOD_SECONDS]]]     80000 0.001 120: the number that is promised
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh" "$1"
transactions=${2:-2500} share=${3:-0.006} period=${4:-15}
records=$((5000 + transactions)) rate=$((150 + transactions / 200))
STACK_SEED=7
stack_up "$work" || fail "a server did not start"

# Many records, of which no event is left; then an org at work.
org_post /fill "{\"records\": $records}"
org_post /load '{"transactions": 200, "rate": 0}'
org_post /retention '{}'
objects=$(curl -sf "$org_control/counts" | jq -r 'to_entries | map(select(.value > 0).key) | join(", ")')
sed -i -e "s/start: earliest/start: snapshot/" -e "s/^    streams:/    snapshot: {objects: [$objects]}\n    streams:/" "$work/headwater.yaml"
printf 'audit: {every: %ss, settle: 2s}\n' "$period" >>"$work/headwater.yaml"
stack_daemon_start
has_jobs() { headwater --json jobs --all | jq -e 'length > 0' >/dev/null; }
jobs_over() { headwater --json jobs | jq -e 'length == 0' >/dev/null; }
wait_for 60 "the first job" has_jobs || fail "nothing is read in"
wait_for $((60 + records / 100)) "the end of all jobs" jobs_over || fail "jobs stay open: $(headwater jobs)"
in_step $((60 + records / 100))

events() { curl -sf "$org_control/stats" | jq .events_published; }
lost() { curl -sf "$org_control/lost"; }
receipts() { headwater --json audit --receipts; }
before=$(events)
org_post /loss "{\"share\": $share, \"seed\": 4}"
org_post /load "{\"transactions\": $transactions, \"rate\": $rate}"
# Deletes are few: chance alone may spare them all.
gone=$(curl -sf "$org_control/truth?object=Lead" | head -1 | jq -r .id)
org_post /loss '{"share": 1}'
org_post /emit "{\"op\": \"delete\", \"object\": \"Lead\", \"ids\": [\"$gone\"]}"
org_post /loss '{"share": 0}'
ended=$(date -u +%Y-%m-%dT%H:%M:%S.000Z) ended_s=$SECONDS
published=$(($(events) - before))
# The org goes on living, with nothing lost any more, until every object was audited from its beginning.
touch "$work/living"
(while [ -e "$work/living" ]; do curl -sf -X POST "$org_control/load" -d '{"transactions": 20, "rate": 20}' >/dev/null; done) &
life=$!
all_audited() {
  stack_status | jq -e --arg ended "$ended" '[.audit.last[] | select(.org == "demo")] | length > 0 and all(.started_at >= $ended)' >/dev/null
}
wait_for $((10 * period + records / 50)) "an audit of every object" all_audited || fail "not all objects were audited: $(stack_status | jq -c .audit)"
took=$((SECONDS - ended_s))
rm "$work/living"
wait $life
in_step 120
prints 0 "equal: " headwater verify --wait 30 --truth "$org_control/truth"

# By name: what was lost, and what the audits found.
receipts >"$work/receipts.json"
lost >"$work/lost.json"
jq -r '.[] | select(.org == "demo") | .findings[].id' "$work/receipts.json" | sort -u >"$work/named"
jq -r .id "$work/lost.json" | sort -u >"$work/all_lost"
jq -r 'select(.change_type != "SILENT" and (.told | not)) | "\(.id) \(.object) \(.change_type) \(.commit_timestamp)"' "$work/lost.json" | sort -u >"$work/must"
false_findings=$(comm -23 "$work/named" "$work/all_lost" | wc -l)
[ "$false_findings" = 0 ] || fail "$false_findings findings of what was never lost: $(comm -23 "$work/named" "$work/all_lost" | head -3)"
# Not named: it was right before an audit came, since the record was read again for another reason (a deletion of what it refers to, a
# merge). The topic of its changes tells of that reading.
changes_of() {  # changes_of OBJECT ID
  local entity
  entity=$(stack_status | jq -r --arg object "$1" 'first(.ledger.records[] | select(.object == $object).entity)')
  "$bin_dir/headwater-read-topic" --brokers "$brokers" --topic "crm.changes.$(sed 's/:/./g' <<<"$entity")" 2>/dev/null |
    jq -c --arg key "demo:$1:$2" 'select(.key == $key)'
}
read_again() {  # read_again OBJECT ID COMMIT_MS
  changes_of "$1" "$2" | jq -se --argjson since "$3" 'any(.value.ts_ms >= $since and (.value.source.change_type | IN("REFETCH", "RECONCILE", "SNAPSHOT")))' >/dev/null
}
unnamed=0
while read -r id object type commit; do
  grep -qx "$id" "$work/named" && continue
  read_again "$object" "$id" "$commit" || fail "the lost $type of $object $id ($commit) is right, but nothing says why: $(changes_of "$object" "$id" | jq -c '[.value.op, .value.source.change_type, .value.ts_ms]' | tr '\n' ' ')"
  unnamed=$((unnamed + 1))
done <"$work/must"
kinds=$(jq -r .change_type "$work/lost.json" | sort | uniq -c | awk '{printf "%s%d %s", sep, $1, $2; sep = ", "}')
jq -e -s 'any(.change_type == "DELETE") and any(.change_type == "CREATE") and any(.change_type == "UPDATE")' "$work/lost.json" >/dev/null ||
  fail "not one of each kind was lost: $kinds"
open_holes=$(headwater --json holes | jq length)
[ "$open_holes" = 0 ] || fail "holes stay open: $(headwater holes)"
echo "$((published + $(wc -l <"$work/must"))) events, $kinds lost in silence; $(wc -l <"$work/named") records named, 0 false, $unnamed read again before"
echo "every object audited $took s after the last loss (period $period s); findings by cause: $(jq -c '[.[] | select(.org == "demo") | .findings[].cause] | group_by(.) | map({(.[0]): length}) | add' "$work/receipts.json")"
echo "silent loss: OK"
