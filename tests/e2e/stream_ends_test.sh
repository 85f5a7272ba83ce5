#!/usr/bin/env bash
# Streams end in every way that Salesforce has, tokens expire in the middle of it all, and nothing is lost or doubled; a position
# that the org no longer knows is a hole that is shown until someone closes it.
#   stream_ends_test.sh BIN_DIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh" "$1"
stack_up "$work" || fail "a server did not start"
stack_daemon_start
stream='stream demo /data/ChangeEvents'
org_post /load '{"transactions": 40, "rate": 0}'
in_step 30

# Each end comes while events flow.
ends=('{"clean": true}'
  '{"error_code": "service.unavailable", "status": 14}'
  '{"error_code": "subscription.internal.error", "status": 13}'
  '{"error_code": "service.protection.triggered", "status": 8}'
  '{"error_code": "service.auth.error", "status": 16}'
  '{"error_code": "never.heard.of", "status": 2}')
for end in "${ends[@]}"; do
  curl -sf -X POST "$org_control/load" -d '{"transactions": 60, "rate": 200}' >/dev/null &
  load=$!
  org_post /streams/kill "$end"
  wait "$load"
  in_step 30
done
[ "$(metric headwater_source_reconnects_total)" -ge ${#ends[@]} ] || fail "ends of the stream are not counted"

# Tokens expire under way: streams and REST log in again.
logins=$(curl -sf "$org_control/stats" | jq .tokens_issued)
org_post /tokens/expire '{}'
org_post /streams/kill '{"error_code": "service.auth.error", "status": 16}'
org_post /load '{"transactions": 60, "rate": 0}'
in_step 30
[ "$(curl -sf "$org_control/stats" | jq .tokens_issued)" -gt "$logins" ] || fail "nobody logged in again"
answers /readyz 200 ok
verify

# The day's deliveries are used up: the org knows the topic and refuses the subscription. A hole says until when nothing is lost.
org_post /faults '{"refuse_topic": "/data/ChangeEvents", "error_code": "subscription.limit.exceeded"}'
org_post /streams/kill '{"error_code": "service.unavailable", "status": 14}'
limit_hole() { headwater --json holes "${@:2}" | jq -e --arg status "$1" 'any(.cause == "delivery_limit" and .status == $status)'; }
wait_for 30 "the hole of the limit" limit_hole open || fail "no hole: $(headwater holes) $(stack_status | jq -c .parts)"
prints 0 "events wait on the bus, nothing is lost until" headwater holes
wait_for_part 10 "$stream" blocked "limit"
answers /readyz 503 "delivery_limit /data/ChangeEvents"
waiting=$(emit '{"op": "create", "object": "Account", "fields": {"Name": "Waited On The Bus"}}')
prints 1 "the ledger has never seen this record" headwater get "demo:Account:$waiting"
org_post /faults '{"clear": true}'
# It is asked again in a quarter of an hour, and by a restart at once.
stack_daemon_kill TERM
stack_daemon_start
wait_for 20 "headwaterd" stack_status || fail "headwaterd did not start"
wait_for 30 "the end of that hole" limit_hole repaired --all || fail "the hole stays: $(headwater holes)"
prints 0 "the stream went on after its stored position" headwater holes --all
in_step 30
prints 0 "Waited On The Bus" headwater get "demo:Account:$waiting"
verify

# The daemon is away for longer than the org remembers: what was sent meanwhile is gone from the bus. REST fails, so that the hole
# stays for a while.
stack_daemon_kill TERM
org_post /faults '{"rest_failures": 100000}'
missed=$(emit '{"op": "create", "object": "Account", "fields": {"Name": "Sent While Nobody Listened"}}')
org_post /retention '{}'
stack_daemon_start
wait_for 20 "headwaterd" stack_status || fail "headwaterd did not start"
hole_shown() { grep -q "stretch expired demo /data/ChangeEvents since" <<<"$(headwater holes)"; }
wait_for 20 "the hole" hole_shown || fail "no hole: $(headwater holes)"
wait_for_log 5 "position refused: starting at the earliest event kept; what lies between may be missing"
answers /readyz 503 "stretch hole open since"
answers /readyz 503 "expired /data/ChangeEvents"
wait_for_part 10 "$stream" ok
account=$(emit '{"op": "create", "object": "Account", "fields": {"Name": "After The Hole"}}')
told() { grep -q "$2" <<<"$(headwater get "demo:Account:$1")"; }
wait_for 20 "the next account" told "$account" "After The Hole" || fail "the stream does not go on"
prints 1 "the ledger has never seen this record" headwater get "demo:Account:$missed"
# It is still there, and once only, after a restart.
stack_daemon_kill TERM
stack_daemon_start
wait_for 20 "headwaterd" stack_status || fail "headwaterd did not start"
[ "$(headwater --json holes | jq length)" = 1 ] || fail "holes after a restart: $(headwater holes)"
# REST is back: all that the stream carries is read again, and the hole is closed with its evidence.
org_post /faults '{"clear": true}'
wait_for 60 "the missed account" told "$missed" "Sent While Nobody Listened" || fail "it was not read: $(headwater jobs --all)"
in_step 60
prints 0 "records of Account saved since" headwater holes --all
verify
echo "stream_ends: OK"
