#!/usr/bin/env bash
# The org prints a date of one record as a word. That record alone is in doubt, with a hole that names field and type but no value: its
# object is read in to the end, audited and verified all the same, and the hole closes once the row can be read.
#   poison_row_test.sh BIN_DIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh" "$1"
stack_up "$work" || fail "a server did not start"
sed -i -e "s/start: earliest/start: snapshot/" -e "s/^    streams:/    snapshot: {objects: [Contact]}\n    streams:/" "$work/headwater.yaml"
printf 'audit: {every: 0s, settle: 1s}\n' >>"$work/headwater.yaml"

contact() { emit "{\"op\":\"create\",\"object\":\"Contact\",\"fields\":{\"LastName\":\"$1\",\"Birthdate\":\"1970-02-03\"}}"; }
named() { headwater get "demo:Contact:$1" 2>/dev/null | jq -r .fields.last_name; }
is_named() { [ "$(named "$1")" = "$2" ]; }
rename() { emit "{\"op\":\"update\",\"object\":\"Contact\",\"id\":\"$1\",\"fields\":{\"LastName\":\"$2\"}}" >/dev/null; }
hole_is() { headwater --json holes | jq -e --arg id "$poison" 'length == 1 and .[0].id == $id and .[0].cause == "unreadable"
    and (.[0].detail | contains("field Birthdate holds no date") and (contains("some day") | not))' >/dev/null; }
the_hole() { wait_for 30 "the hole of one record" hole_is || fail "not the hole of one record: $(headwater --json holes)"; }

# Read in: the others come, the reading ends.
poison=$(contact poison) other=$(contact other)
org_post /faults "{\"misprint\": \"$poison\"}"
stack_daemon_start
read_in() { headwater --json jobs --all | jq -e 'any(.object == "Contact" and .why == "snapshot" and .state == "done")' >/dev/null; }
wait_for 60 "the reading of Contact" read_in || fail "Contact was not read in: $(headwater jobs --all)"
wait_for 10 "the other record" is_named "$other" other || fail "the other record did not come"
the_hole

# An event of it comes, whose dates are no words. It is known now, and still in doubt; the object is read again to its end.
rename "$poison" told
wait_for 20 "the event" is_named "$poison" told || fail "the event was not applied"
headwater resync Contact >/dev/null || fail "resync was refused"
resynced() { headwater --json jobs --all | jq -e 'any(.object == "Contact" and .why == "resync" and .state == "done")' >/dev/null; }
wait_for 60 "the reading of Contact" resynced || fail "Contact was not read again: $(headwater jobs --all)"
the_hole

# The audit finds what is wrong with the others.
org_post /loss '{"share": 1}'
rename "$other" lost
rename "$poison" lost
org_post /loss '{"share": 0}'
code=0
headwater --timeout 60 --json audit Contact --repair >"$work/audit.json" || code=$?
[ $code = 2 ] || fail "audit: exit $code, not 2: $(cat "$work/audit.json")"
jq -e --arg id "$other" '.[0] | .result == "partial" and .unread == 1 and [.findings[].id] == [$id]' "$work/audit.json" >/dev/null ||
  fail "the receipt says $(cat "$work/audit.json")"
is_named "$other" lost || fail "the other record was not healed"
the_hole

# So does verify, by the org's own REST API.
last=$(contact last)
wait_for 20 "the last record" is_named "$last" last || fail "the last record did not come"
prints 2 "could not be read in the org, and were not compared" headwater verify --wait 5
prints 2 "demo:Contact:$poison: read a row of Contact: field Birthdate holds no date" headwater verify --wait 5
prints 2 "NOT CHECKED (1): " headwater verify --wait 5

# It can be read again.
org_post /faults '{"clear": true}'
healed() { is_named "$poison" lost && [ "$(headwater --json holes)" = "[]" ]; }
headwater resync Contact >/dev/null || fail "resync was refused"
wait_for 60 "the hole's end" healed || fail "it is $(named "$poison"), holes: $(headwater --json holes)"
in_step 30
prints 0 "ledger = org demo" headwater verify --wait 5
stack_daemon_kill TERM
[ "$daemon_exit" = 0 ] || fail "SIGTERM ended with $daemon_exit"
echo "poison_row: OK"
