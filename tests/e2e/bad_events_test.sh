#!/usr/bin/env bash
# Events that cannot be used: each goes to quarantine with its bytes, what it would have changed is a hole that is shown,
# and the stream goes on. A schema that is only unavailable quarantines nothing: ingest waits for it.
#   bad_events_test.sh BIN_DIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh" "$1"
stack_up "$work" || fail "a server did not start"
stack_daemon_start

quarantine_is() { [ "$(stack_status | jq .quarantine_open)" = "$1" ]; }
quarantined() { headwater --json quarantine | jq -r ".[] | select(.reason_code == \"$1\") | .$2"; }

# Few objects, so that the daemon has yet to ask for the other schemas: it keeps those that it knows.
org_post /emit '{"statements": [{"op": "create", "object": "Account", "fields": {"Name": "First"}}, {"op": "create", "object": "Contact", "fields": {"LastName": "First"}}]}'
in_step 30

# While GetSchema is unavailable, ingest waits at the first event that needs it.
stream='stream demo /data/ChangeEvents'
org_post /faults '{"getschema_unavailable": 3}'
order=$(emit '{"op": "create", "object": "Event", "fields": {"Subject": "Waits for its schema"}}')
wait_for_part 10 "$stream" waiting "chema"
quarantine_is 0 || fail "an unavailable schema quarantined something"
in_step 30
prints 0 "Waits for its schema" headwater get "demo:Event:$order"
[ "$(metric headwater_schema_waits_total)" -ge 1 ] || fail "headwater_schema_waits_total does not count"
verify

# Bytes that are no event: nobody knows whose they are, so the hole is a stretch of the stream.
org_post /emit '{"raw": {"object": "Contact", "payload_hex": "00ffee"}}'
account=$(emit '{"op": "create", "object": "Account", "fields": {"Name": "After The Bad One"}}')
wait_for 10 "the quarantine row" quarantine_is 1 || fail "no quarantine row: $(stack_status)"
through 20
prints 0 "After The Bad One" headwater get "demo:Account:$account"
prints 0 "decode undecodable demo" headwater quarantine
prints 0 "(3 bytes, 1 attempts)" headwater quarantine
prints 0 "the datum ends too early" headwater quarantine
prints 0 "stretch undecodable demo /data/ChangeEvents since" headwater holes --all
repaired() { headwater --json holes --all | jq -e 'any(.scope == "stretch" and .status == "repaired")' >/dev/null; }
wait_for 30 "the hole's repair" repaired || fail "the hole stays: $(headwater holes)"
wait_for_log 5 "event cannot be decoded: kept in quarantine"

# An event whose header can be read names its records: they are read again, and their holes close by themselves.
contact_schema=$(quarantined undecodable schema_id)
silent=$(emit '{"op": "update", "object": "Account", "id": "'"$account"'", "silent": true, "fields": {"Name": "Renamed Out Of Sight"}}')
[ "$silent" = "$account" ] || fail "the org did not rename the account"
org_post /emit '{"raw": {"object": "Account", "change_type": "UPDATE", "record_ids": ["'"$account"'"], "fields": {"Name": "Renamed Out Of Sight"}, "schema_id": "'"$contact_schema"'"}}'
wait_for 10 "the second quarantine row" quarantine_is 2 || fail "no second quarantine row"
renamed() { grep -q "Renamed Out Of Sight" <<<"$(headwater get "demo:Account:$account")"; }
wait_for 20 "the refetched record" renamed || fail "the record of an undecodable event was not read again"
record_hole_closed() { [ "$(headwater --json holes | jq '[.[] | select(.scope == "record")] | length')" = 0 ]; }
wait_for 10 "the end of the hole" record_hole_closed || fail "its hole is still open: $(headwater holes)"

# A schema that is refused for good.
org_post /faults '{"refuse_schema": "Invoice__c"}'
org_post /emit '{"op": "create", "object": "Invoice__c", "fields": {}}'
org_post /emit '{"op": "update", "object": "Account", "id": "'"$account"'", "fields": {"Name": "After The Refused Schema"}}'
wait_for 20 "the third quarantine row" quarantine_is 3 || fail "no row for a refused schema: $(stack_status)"
through 20
prints 0 "After The Refused Schema" headwater get "demo:Account:$account"
bytes=$(headwater --json quarantine | jq '.[-1].payload_bytes')
[ "$bytes" -gt 50 ] || fail "quarantine holds $bytes bytes of the event"

# What an operator can do: an event that can be decoded by now goes the way of every event …
row_of() { headwater --json quarantine | jq "[.[] | select($1)][0].number"; }
invoice=$(row_of '.schema_id != "'"$contact_schema"'" and .payload_bytes > 50')
prints 1 "row $invoice stays:" headwater quarantine retry "$invoice"
org_post /faults '{"clear": true}'
prints 0 "row $invoice is closed: decoded as CREATE of Invoice__c and applied" headwater quarantine retry "$invoice"
stack_status | jq -e '.ledger.records | any(.object == "Invoice__c" and .alive == 1)' >/dev/null || fail "the retried event is not in the ledger"
# … one that never can is given up, with a reason that stays …
bytes_row=$(row_of '.payload_bytes == 3')
prints 0 "  bytes      00ffee" headwater quarantine show --values "$bytes_row"
grep -q 00ffee <<<"$(headwater quarantine show "$bytes_row")" && fail "quarantine show tells an event's bytes unasked"
prints 1 "row $bytes_row stays:" headwater quarantine retry "$bytes_row"
prints 0 "row $bytes_row is discarded by" headwater quarantine discard "$bytes_row" --reason "bytes of a test of ours"
prints 0 ": bytes of a test of ours" headwater quarantine list --all
# … and a hole that cannot be repaired (an object may not be read any more) is closed by a person's word, and shown as that.
no_holes() { headwater --json holes | jq -e 'length == 0' >/dev/null; }
wait_for 30 "the repair of all others" no_holes || fail "holes stay: $(headwater holes)"
org_post /faults '{"withdraw_object": "Account"}'
org_post /emit '{"raw": {"object": "Contact", "payload_hex": "00ffee"}}'
waits() { headwater --json holes | jq -e '.[0].repair | any(.object == "Account" and .state == "queued")' >/dev/null; }
wait_for 30 "the hole and its job" waits || fail "no hole waits for Account: $(headwater holes)"
hole=$(headwater --json holes | jq '.[0].number')
prints 64 "--reason is required" headwater holes close "$hole"
prints 1 "there is no open hole 7" headwater holes close 7 --reason "none"
answers /readyz 503 "stretch hole open since"
prints 0 "hole $hole is accepted by $(id -un), not repaired" headwater holes close "$hole" --reason "no event of ours"
answers /readyz 200 ok
prints 0 "no open holes" headwater holes
prints 0 "accepted 20" headwater holes --all
prints 0 "by $(id -un): no event of ours" headwater holes --all
prints 64 "not expected" headwater holes mend
echo "bad_events: OK"
