#!/usr/bin/env bash
# What is lost is the first record of its object ever: the ledger cannot know that the object exists. In a stretch that the bus forgot,
# in silence on a channel, and of an object that was read in while it was empty: each is read in, and until then nothing says equal.
#   first_record_test.sh BIN_DIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh" "$1"
stack_up "$work" || fail "a server did not start"
printf 'audit: {every: 0s, settle: 1s}\n' >>"$work/headwater.yaml"

new() { emit "{\"op\":\"create\",\"object\":\"$1\",\"fields\":$2}"; }
here() { headwater get "demo:$1:$2" >/dev/null 2>&1; }
evidence() { headwater --json holes --all | jq -er '[.[] | select(.cause == "expired" and .status == "repaired")][0].evidence'; }
named() {  # named OBJECT ID: the audit finds it, and heals it
  local code=0
  headwater --timeout 60 --json audit --repair >"$work/audit.json" || code=$?
  [ $code = 0 ] || fail "audit: exit $code: $(cat "$work/audit.json")"
  jq -e --arg object "$1" --arg id "$2" 'any(.object == $object and ([.findings[] | select(.healed).id] == [$id]))' "$work/audit.json" >/dev/null ||
    fail "the audit does not name $1 $2: $(jq -c '.[] | {object, result, note, findings}' "$work/audit.json")"
  [ "$(jq '[.[].proven] | add' "$work/audit.json")" = 1 ] || fail "it names more: $(jq -c '.[] | select(.proven > 0)' "$work/audit.json")"
  here "$1" "$2" || fail "demo:$1:$2 is not healed"
}

# A stretch that the bus forgot.
stack_daemon_start
for n in 1 2 3; do new Account "{\"Name\":\"Account $n\"}" >/dev/null; done
in_step 30
stack_daemon_kill TERM
contact=$(new Contact '{"LastName":"First"}')
org_post /retention '{}'
stack_daemon_start
wait_for 60 "the hole's end" evidence || fail "the hole stays: $(headwater holes)"
grep -q 'read 1 records of Contact saved since' <<<"$(evidence)" || fail "no evidence: $(evidence)"
here Contact "$contact" || fail "the stretch is called repaired, but the contact is not here"
in_step 30
verify

# Silence.
org_post /loss '{"share": 1}'
lead=$(new Lead '{"LastName":"First","Company":"Acme"}')
org_post /loss '{"share": 0}'
new Account '{"Name":"Account 4"}' >/dev/null
through 30
prints 1 "the ledger has never seen it" headwater verify --wait 1
named Lead "$lead"
in_step 30
verify

# An object that was empty when it was read in, and is no longer selected.
stack_daemon_kill TERM
sed -i -e "s/start: earliest/start: snapshot/" -e "s/^    streams:/    snapshot: {objects: [Account, Opportunity]}\n    streams:/" "$work/headwater.yaml"
org_post /schema '{"object": "Opportunity", "captured": false}'
stack_daemon_start
read_in() { headwater --json jobs --all | jq -e 'any(.object == "Opportunity" and .state == "done" and .rows == 0)' >/dev/null; }
wait_for 30 "the empty object" read_in || fail "it is not read in: $(headwater jobs --all)"
# That no change of it comes is a hole until it is selected again, or a person takes it upon them: here the audit alone looks after it.
silent() { headwater --json holes | jq -er '[.[] | select(.cause == "switched_off" and .object == "Opportunity")][0].number'; }
wait_for 30 "the silence" silent || fail "that no change of it comes is not said: $(headwater holes)"
headwater holes close "$(silent)" --reason "the audit looks after it" >/dev/null || fail "the silence cannot be accepted: $(headwater holes)"
opportunity=$(new Opportunity '{"Name":"First","StageName":"Prospecting","CloseDate":"2027-01-01"}')
new Account '{"Name":"Account 5"}' >/dev/null
in_step 30
named Opportunity "$opportunity"
in_step 30
verify
echo "first records: a contact by its stretch, a lead and an opportunity by the audit"
