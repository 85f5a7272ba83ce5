#!/usr/bin/env bash
# An org that is full when we come is read in while it changes and the daemon is killed, and every target equals it then. What a
# lost position, an overflow and lost events leave behind is read again by itself or by `resync`, and a permission that was
# withdrawn deletes nothing.
#   snapshot_test.sh BIN_DIR [RECORDS [KILLS]]     100000 50: the numbers that are promised, some minutes
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh" "$1"
records=${2:-6000} kills=${3:-4}
patience=$((60 + records / 200))
STACK_ORG_OPTIONS=(--clock-lag 24h)  # the records are a day old when the daemon begins
stack_up "$work" || fail "a server did not start"

jobs_over() { headwater --json jobs | jq -e 'length == 0' >/dev/null; }
read_in() {  # read_in SECONDS: no job is open, and what it found is everywhere
  wait_for "$1" "the end of all jobs" jobs_over || fail "jobs stay open: $(headwater --json jobs)"
  in_step "$1"
}
closed_hole() {  # closed_hole CAUSE: its evidence
  headwater --json holes --all | jq -er --arg cause "$1" 'map(select(.cause == $cause and .status == "repaired"))[0].evidence'
}

# Years of records of which no event is left.
org_post /loss '{"share": 1}'
org_post /replay "{\"events\": $records, \"records\": $records, \"update_share\": 0, \"objects\": [\"Account\", \"Contact\", \"Lead\"]}"
org_post /load '{"transactions": 200, "rate": 0}'
org_post /loss '{"share": 0}'
org_post /retention '{}'
objects=$(curl -sf "$org_control/counts" | jq -r 'keys | join(", ")')
sed -i -e "s/start: earliest/start: snapshot/" -e "s/^    streams:/    snapshot: {objects: [$objects]}\n    streams:/" "$work/headwater.yaml"

# Pages and jobs that go wrong on the way, 20 % of the records changing, and no warning before the end.
org_post /faults '{"pages_failed": 2, "pages_short": 2, "bulk_polls": 1, "bulk_failed": 1}'
(for _ in $(seq $((kills + 1))); do
  curl -sf -X POST "$org_control/load" -d "{\"transactions\": $((records / 5 / (kills + 1))), \"rate\": $((records / 10))}" >/dev/null
done) &
loader=$!
RANDOM=11
for round in $(seq "$kills"); do
  stack_daemon_start
  wait_for 30 "headwaterd" stack_status || fail "start $round"
  sleep "$(awk -v r=$RANDOM 'BEGIN {printf "%.3f", r / 32768 * 1.5}')"
  kill_daemon
done
stack_daemon_start
wait "$loader"
has_jobs() { headwater --json jobs --all | jq -e 'length > 0' >/dev/null; }
wait_for 60 "the first job" has_jobs || fail "nothing is read in"
read_in $((10 * patience))
verify
headwater --json jobs --all | jq -e 'all(.state == "done" and .why == "snapshot")' >/dev/null || fail "a job is not done"
rows=$(headwater --json jobs --all | jq 'map(.rows) | add')
echo "snapshot: $rows rows read beside $kills kills, $(headwater --json jobs --all | jq -c 'map({(.object): .rows}) | add')"

# What is counted is what the jobs say: of one job of this life of the daemon, all its rows.
counted=$(metric headwater_snapshot_rows_total)
prints 0 "reads all of Contact" headwater resync Contact
read_in $patience
last=$(headwater --json jobs --all | jq 'max_by(.number).rows')
[ "$last" -gt 0 ] && [ "$(metric headwater_snapshot_rows_total)" = $((counted + last)) ] ||
  fail "the metric tells of $(metric headwater_snapshot_rows_total) rows, not of $counted and $last"

# Of a stream that never told anything nobody knows since when it may lack something: all would be read.
org_post /load '{"transactions": 5, "rate": 0}'
in_step $patience

# A position that is lost: what was saved since is read again, not the day before, with evidence. Some of it left the recycle bin.
lead() { printf '{"op": "%s", "object": "Lead", "ids": ["%s"]}' "$1" "$2"; }
stack_daemon_kill TERM
org_post /load '{"transactions": 60, "rate": 0}'
mapfile -t gone < <(curl -sf "$org_control/truth?object=Lead" | jq -r .id | head -3)
for id in "${gone[@]}"; do org_post /emit "$(lead delete "$id")"; org_post /emit "$(lead empty_bin "$id")"; done
org_post /retention '{}'
org_post /load '{"transactions": 20, "rate": 0}'
stack_daemon_start
wait_for $patience "the hole's end" closed_hole expired || fail "the hole stays: $(headwater holes)"
read_in $((2 * patience))
verify
grep -Eq 'records of Account saved since [^ ]+ from version .* log of deletions from' <<<"$(closed_hole expired)" || fail "no evidence: $(closed_hole expired)"
grep -Eq 'of Lead saved since [^;]* of which [1-9][0-9]* lived here' <<<"$(closed_hole expired)" || fail "what left the recycle bin was not asked for: $(closed_hole expired)"
repaired=$(headwater --json jobs --all | jq 'map(select(.why == "repair").rows) | add')
[ "$repaired" -lt $((rows / 3)) ] || fail "the repair read $repaired rows of $rows"
echo "snapshot: a stretch was repaired by $repaired rows of $rows"

# An overflow tells of an object and no record; events that were lost tell nothing at all.
untold=$(curl -sf "$org_control/truth?object=Contact" | head -1 | jq -r .id)
org_post /loss '{"share": 1}'
org_post /load '{"transactions": 60, "rate": 0}'
emit "{\"op\": \"update\", \"object\": \"Contact\", \"id\": \"$untold\", \"fields\": {\"LastName\": \"Overflown\"}}" >/dev/null
org_post /loss '{"share": 0}'
of_untold() { psql -XAtq "$pg_url" -c "select last_name from crm.contact where id = '$untold'"; }
[ "$(of_untold)" != Overflown ] || fail "the lost change was told"
org_post /emit '{"raw": {"object": "Contact", "change_type": "GAP_OVERFLOW", "record_ids": ["000000000000000AAA"]}}'
wait_for $patience "the overflow's end" closed_hole overflow || fail "the hole stays: $(headwater holes)"
# It is closed: what its object had changed without a word is everywhere, before anybody orders a reading.
in_step $patience
[ "$(of_untold)" = Overflown ] || fail "the overflow's hole was closed, and Contact $untold is '$(of_untold)'"
for object in $(curl -sf "$org_control/counts" | jq -r 'to_entries[] | select(.value > 0).key'); do prints 0 "reads all of $object" headwater resync "$object"; done
read_in $((2 * patience))
verify

# A permission that is withdrawn looks as if all were gone: a person must say so.
org_post /faults '{"hide_records": "Lead"}'
prints 0 "reads all of Lead" headwater resync Lead
has_brake() { headwater --json holes | jq -e 'any(.cause == "mass_delete" and .object == "Lead")' >/dev/null; }
wait_for $patience "the brake" has_brake || fail "no hole: $(headwater --json jobs --all | jq -c '.[-1]')"
answers /readyz 503 "mass_delete Lead"
org_post /faults '{"clear": true}'
prints 0 "reads all of Lead" headwater resync Lead
wait_for $patience "the brake's end" closed_hole mass_delete || fail "the hole stays: $(headwater holes)"
read_in $patience
verify

prints 1 "which object" headwater resync 'no;object'
prints 1 "org demo has no object Nope" headwater resync Nope
prints 1 "there is no job 999" headwater jobs cancel 999
printf '%s\n' "$(curl -sf "$org_control/truth?object=Account" | head -1 | jq -r .id)" >"$work/ids"
prints 0 "1 records of Account are read again by id" headwater resync Account --ids "$work/ids"
prints 0 "reads some of Account" headwater resync Account --where "Name != 'nobody'"
read_in $patience
stack_daemon_kill TERM
[ "$daemon_exit" = 0 ] || fail "SIGTERM ended with $daemon_exit"
echo "snapshot: OK"
