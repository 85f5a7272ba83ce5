#!/usr/bin/env bash
# An object is switched off in Change Data Capture while it changes, and on again. On its own topic the subscription tells: a hole until
# it is back, then what was saved and deleted meanwhile is read. On a channel of all objects the org's list of what is selected does.
#   switched_off_test.sh BIN_DIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh" "$1"
stack_up "$work" || fail "a server did not start"
sed -i "s|topic: /data/ChangeEvents|topic: /data/LeadChangeEvent|" "$work/headwater.yaml"
printf 'audit: {every: 0s, settle: 1s}\n' >>"$work/headwater.yaml"

lead() { emit "{\"op\":\"create\",\"object\":\"Lead\",\"fields\":{\"LastName\":\"$1\",\"Company\":\"Acme\"}}"; }
change() { emit "{\"op\":\"update\",\"object\":\"Lead\",\"id\":\"$1\",\"fields\":{\"Company\":\"$2\"}}" >/dev/null; }
purge() {
  emit "{\"op\":\"delete\",\"object\":\"Lead\",\"id\":\"$1\"}" >/dev/null
  emit "{\"op\":\"empty_bin\",\"object\":\"Lead\",\"ids\":[\"$1\"]}" >/dev/null
}
says() { [ "$(headwater get "demo:Lead:$1" 2>/dev/null | jq -r "$2")" = "$3" ]; }
until_says() { wait_for 30 "$1" says "$@" || fail "demo:Lead:$1 says $(headwater get "demo:Lead:$1" | jq -c "{c: .fields.company, d: .meta.deleted}"), not $3"; }
hole() { headwater --json holes "${@:2}" | jq -e --arg status "$1" 'any(.cause == "switched_off" and .status == $status)' >/dev/null; }
missed() {  # what changes while nobody is told
  change "$kept" "$1"
  purge "$gone"
  new=$(lead "new $1")
}
right() {  # right COMPANY: all of it is known
  until_says "$kept" .fields.company "$1"
  until_says "$gone" .meta.deleted true
  until_says "$new" .fields.name "new $1"
}

# goes_on MISSED NEXT EVIDENCE: what was missed is here, the stream brings the next change, and a closed hole says by what.
goes_on() {
  right "$1"
  change "$kept" "$2"
  until_says "$kept" .fields.company "$2"
  local evidence
  evidence=$(headwater --json holes --all | jq -r '.[] | select(.cause == "switched_off").evidence')
  grep -q "$3" <<<"$evidence" || fail "no evidence: $(headwater --json holes --all)"
}

stack_daemon_start
kept=$(lead kept) gone=$(lead gone)
until_says "$gone" .fields.company Acme

# Its own topic.
org_post /schema '{"object": "Lead", "captured": false}'
org_post /streams/kill '{}'
wait_for 30 "the hole" hole open || fail "no hole: $(headwater holes)"
answers /readyz 503 "switched_off /data/LeadChangeEvent"
missed Untold
org_post /schema '{"object": "Lead", "captured": true}'
wait_for_log 90 'from="position'  # asked again every minute; a quiet stream would say that it works only a minute later
lead nudge >/dev/null
wait_for 60 "the repair" hole repaired --all || fail "the hole stays: $(headwater holes) $(headwater jobs --all)"
goes_on Untold Told 'log of deletions'

# One channel for all goes on as if nothing was: the org's list of what is selected says so, asked at every start and each hour. The
# audit finds each record, but the hole stays until the channel brings the object again.
again() { stack_daemon_kill TERM; stack_daemon_start; }
silence() { headwater --json holes "${@:2}" | jq -e --arg status "$1" 'any(.cause == "switched_off" and .object == "Lead" and .status == $status)' >/dev/null; }
stack_daemon_kill TERM
sed -i "s|topic: /data/LeadChangeEvent|topic: /data/ChangeEvents|" "$work/headwater.yaml"
sed -i "s|tls: false}|tls: false, channel_settle: 0s}|" "$work/headwater.yaml"
gone=$(lead gone)
stack_daemon_start
until_says "$gone" .fields.company Acme
org_post /schema '{"object": "Lead", "captured": false}'
missed Silent
through 30
says "$kept" .fields.company Told || fail "somebody told"
again
wait_for 30 "the silence" silence open || fail "no hole: $(headwater holes)"
answers /readyz 503 "switched_off Lead"
answers /metrics 200 'headwater_holes_open{cause="switched_off"} 1'
headwater --timeout 60 --json audit Lead --repair >"$work/audit.json" || fail "the audit did not heal: $(cat "$work/audit.json")"
right Silent
for id in "$kept" "$gone" "$new"; do
  jq -e --arg id "$id" '[.[].findings[]] | any(.id == $id and .healed)' "$work/audit.json" >/dev/null || fail "$id is not named"
done
silence open || fail "the audit closed the hole: $(headwater --json holes --all)"
gone=$new
missed Unheard
org_post /schema '{"object": "Lead", "captured": true}'
again
wait_for 60 "the end of the silence" silence repaired --all || fail "the hole stays: $(headwater holes) $(headwater jobs --all)"
goes_on Unheard Heard 'records of Lead saved since'
stack_daemon_kill TERM
[ "$daemon_exit" = 0 ] || fail "SIGTERM ended with $daemon_exit"
echo "switched_off: OK"
