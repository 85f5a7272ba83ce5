#!/usr/bin/env bash
# The state directory is lost, and records are deleted in the org before a new ledger is born of which no event is left. None of them
# lives on in any target once the objects are read in, few or many; and a drift of Kafka's closes without a person.
#   rebirth_test.sh BIN_DIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh" "$1"
stack_up "$work" || fail "a server did not start"
printf 'audit: {every: 5s, settle: 1s}\n' >>"$work/headwater.yaml"
org_post /load '{"transactions": 200, "rate": 0}'
org_post /fill '{"objects": ["Lead"], "records": 60, "told": false}'
objects=$(curl -sf "$org_control/counts" | jq -r 'to_entries | map(select(.value > 0).key) | join(", ")')
sed -i -e "s/start: earliest/start: snapshot/" -e "s/^    streams:/    snapshot: {objects: [$objects]}\n    streams:/" "$work/headwater.yaml"

ready() { curl -sf "$http_url/readyz" >/dev/null; }
of() { curl -sf "$org_control/truth?object=$1" | jq -r .id | head -"$2"; }
gone() { emit "{\"op\":\"delete\",\"object\":\"$1\",\"id\":\"$2\"}" >/dev/null; }
sql() { psql -XAtq -v ON_ERROR_STOP=1 "$pg_url" -c "$1"; }
living() {  # living OBJECT ID: in how many targets
  local key=demo:$1:$2 found=0
  [ "$(sql "select count(*) from crm.${1,,}_live where id = '$2'")" = 0 ] || found=$((found + 1))
  [ "$(redis-cli -p "$redis_port" hget "crm:{$key}:rec" del)" = 0 ] && found=$((found + 1))
  kcat -q -C -e -b "$brokers" -t "crm.records.${1,,}" -f '%k %S\n' -o beginning 2>/dev/null |
    awk -v key="$key" '$1 == key {size = $2} END {exit !(size > 0)}' && found=$((found + 1))
  echo $found
}

stack_daemon_start
wait_for 90 "the first reading" ready || fail "not ready: $(curl -s "$http_url/readyz")"
in_step 60
verify --wait 20
stack_daemon_kill TERM

# A few of some objects, one of them out of the recycle bin too, and of leads, out of it all of them, more than the brake lets go.
rm -rf "$work/state"
mapfile -t leads < <(of Lead 30)
mapfile -t contacts < <(of Contact 3)
account=$(of Account 1)
for id in "${leads[@]}"; do gone Lead "$id"; done
emit "{\"op\":\"empty_bin\",\"object\":\"Lead\",\"ids\":[$(printf '"%s",' "${leads[@]}" | sed 's/,$//')]}" >/dev/null
for id in "${contacts[@]}"; do gone Contact "$id"; done
emit "{\"op\":\"empty_bin\",\"object\":\"Contact\",\"ids\":[\"${contacts[0]}\"]}" >/dev/null
gone Account "$account"
org_post /retention '{}'
[ "$(living Contact "${contacts[0]}")" = 3 ] || fail "the targets must hold it before: $(living Contact "${contacts[0]}")"
stack_daemon_start
wait_for 120 "the second reading" stack_status || fail "no start"
nowhere() { [ "$(living "$1" "$2")" = 0 ]; }
for id in "${contacts[@]}"; do wait_for 60 "the end of contact $id" nowhere Contact "$id" || fail "contact $id lives on in $(living Contact "$id") targets"; done
wait_for 60 "the end of the account" nowhere Account "$account" || fail "account $account lives on"
# What happened between the two ledgers no changes topic will ever tell: written down, once.
skipped=$(headwater --json holes --all | jq -c '[.[] | select(.cause == "sink_history")] | map([.sink, .status])')
[ "$skipped" = '[["kafka","given_up"]]' ] || fail "the history that Kafka was not told: $skipped"
braked() { headwater --json holes | jq -e 'any(.cause == "mass_delete" and .object == "Lead" and .scope == "object")' >/dev/null; }
wait_for 60 "the brake" braked || fail "so many leads went without a word: $(headwater holes)"
dead=0
for id in "${leads[@]}"; do [ "$(living Lead "$id")" = 0 ] && dead=$((dead + 1)); done
[ $dead -le 10 ] || fail "$dead leads are deleted, no person was asked"
prints 0 "reads all of Lead" headwater resync Lead --confirm
for id in "${leads[@]}"; do wait_for 60 "the end of lead $id" nowhere Lead "$id" || fail "lead $id lives on in $(living Lead "$id") targets"; done
in_step 60
verify --wait 20
headwater --json audit --receipts | jq -e 'map(select(.org == "sinks" and .proven > 0)) | length > 0' >/dev/null || fail "no receipt names them: $(headwater audit --receipts)"

# Kafka holds a record otherwise, and a person only asks for it to be told again.
key=demo:Account:$(of Account 1)
read -r partition rev < <(kcat -q -C -e -b "$brokers" -t crm.records.account -f '%k %p\n' -o beginning 2>/dev/null | awk -v key="$key" '$1 == key {print $2, 7; exit}')
headwater get "$key" | jq -c '.meta.rev = 7' | kcat -q -P -b "$brokers" -t crm.records.account -p "$partition" -k "$key" -H org=demo -H "rev=$rev" || fail "kcat cannot produce"
order() {  # order LINE: the daemon's answer
  python3 - "$work/state/control.sock" "$1" <<'END'
import socket, sys
with socket.socket(socket.AF_UNIX) as s:
    s.connect(sys.argv[1])
    s.sendall(sys.argv[2].encode() + b"\n")
    print(s.recv(4096).decode())
END
}
answer=$(order "audit drift by=test sink=kafka $key it is another")
[[ $answer == *'"restated":1'* ]] || fail "it is not told again: $answer"
drift_closed() { headwater --json holes --all | jq -e 'any(.cause == "sink_drift" and .sink == "kafka" and .status == "repaired" and .closed_by == "audit of kafka")' >/dev/null; }
wait_for 60 "the end of Kafka's drift" drift_closed || fail "it stays open: $(headwater --json holes --all | jq -c '.[] | select(.cause == "sink_drift")')"
verify --wait 20
echo "rebirth: OK"
