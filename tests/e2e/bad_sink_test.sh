#!/usr/bin/env bash
# Sinks in trouble: one that refuses a row gets all but that row; one that is down, or stands still, is retried until it is back; the
# others never notice. In the end every target equals the org.
#   bad_sink_test.sh BIN_DIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh" "$1"
stack_up "$work" || fail "a server did not start"
sed -i "s|postgres: {url: '\(.*\)'}|postgres: {url: '\1', statement_timeout: 2s, connect_timeout: 2s}|" "$work/headwater.yaml"
stack_daemon_start
org_post /load '{"transactions": 40, "rate": 0}'
in_step 30

sink() { stack_status | jq -r ".sinks[] | select(.sink == \"$1\") | .$2"; }
lags() { [ "$(sink "$1" lag_entries)" -gt 0 ]; }
others_in_step() { stack_status | jq -e ".sinks | all(.sink == \"$1\" or .lag_entries == 0)" >/dev/null; }
# What tells others of the quarantine: its mirror in Postgres, and the latest word of the topic.
mirrored() { psql -XAtq "$pg_url" -c "select count(*) from crm.quarantine where object = 'Account' and record_id = '$refused'"; }
is_mirrored() { [ "$(mirrored)" = "$1" ]; }
last_told() { "$bin_dir/headwater-read-topic" --brokers "$brokers" --topic crm.quarantine | tail -n 1 | jq -r '.status + " " + .value.subject'; }
is_told() { [ "$(last_told)" = "$1" ]; }
in_postgres() { psql -XAtq "$pg_url" -c "select name from crm.account where id = '$1'"; }

# One row that Postgres refuses, among others in the same transaction of the org.
psql -Xq "$pg_url" -c "alter table crm.account add constraint no_refused check (name not like 'Refused%')" || fail "the constraint was not added"
ids=$(curl -sf -X POST "$org_control/emit" -d '{"statements": [
  {"op": "create", "object": "Account", "fields": {"Name": "Good One"}},
  {"op": "create", "object": "Account", "fields": {"Name": "Refused One"}},
  {"op": "create", "object": "Account", "fields": {"Name": "Good Two"}},
  {"op": "create", "object": "Account", "fields": {"Name": "Good Three"}}]}' | jq -r '.ids[]')
refused=$(sed -n 2p <<<"$ids")
in_step 30
[ "$(stack_status | jq .quarantine_open)" = 1 ] || fail "quarantine: $(headwater quarantine)"
prints 0 "sink.postgres" headwater quarantine
prints 0 "demo Account $refused" headwater quarantine
prints 0 "check constraint" headwater quarantine
[ -z "$(in_postgres "$refused")" ] || fail "the refused row is in Postgres"
for id in $(sed 2d <<<"$ids"); do
  [ -n "$(in_postgres "$id")" ] || fail "$id did not land beside the refused row"
done
wait_for 20 "the mirror" is_mirrored 1 || fail "the mirror does not show the open row"
wait_for 20 "the topic" is_told "open demo:Account:$refused" || fail "the topic does not tell of the open row: $(last_told)"
grep -q "Refused One" <<<"$(redis-cli -p "$redis_port" hget "crm:{demo:Account:$refused}:rec" j)" || fail "Redis lacks the row that Postgres refused"
wait_for_log 5 "; halving"
wait_for_log 5 "sink refuses an entry for good: kept in quarantine, the rest goes on"
part_is "sink postgres" ok || fail "the sink did not go on"
# What an operator sees of it and can do: names but no values unless asked for, and another try.
row=$(headwater --json quarantine | jq '.[0].number')
prints 0 '"name":"***"' headwater quarantine show "$row"
grep -q "Refused One" <<<"$(headwater quarantine show "$row")" && fail "quarantine show tells a field's value unasked"
prints 0 "Refused One" headwater quarantine show --values "$row"
prints 1 "row $row stays: refused again: postgres:" headwater quarantine retry "$row"
prints 0 "2 attempts" headwater quarantine list
prints 64 "--reason is required" headwater quarantine discard "$row"
prints 1 "there is no quarantine row 7" headwater quarantine retry 7
# What was wrong is mended: the row comes back when it is tried again, and the next change of the record lands whole.
psql -Xq "$pg_url" -c "alter table crm.account drop constraint no_refused"
prints 0 "row $row is closed: postgres accepted rev" headwater quarantine retry "$row"
[ "$(in_postgres "$refused")" = "Refused One" ] || fail "the retried row is not in Postgres"
prints 0 "quarantine is empty" headwater quarantine
prints 0 "retried 20" headwater quarantine --all
prints 1 "row $row is retried since" headwater quarantine retry "$row"
org_post /emit '{"op": "update", "object": "Account", "id": "'"$refused"'", "fields": {"Name": "No Longer Refused"}}'
in_step 30
[ "$(psql -XAtq "$pg_url" -c "select count(*) from crm.quarantine")" = 0 ] || fail "the mirror still shows the closed row"
wait_for 20 "the topic" is_told "closed demo:Account:$refused" || fail "the topic does not tell that the row was closed: $(last_told)"
verify

# Redis goes down, and comes back empty.
redis-cli -p "$redis_port" shutdown nosave 2>/dev/null
org_post /load '{"transactions": 60, "rate": 0}'
wait_for_part 20 "sink redis" waiting "redis 127.0.0.1:$redis_port"
wait_for 20 "the others" others_in_step redis || fail "a sink that is down held up another: $(stack_status | jq -c .sinks)"
lags redis || fail "a sink that is down does not show its lag: $(stack_status | jq -c .sinks)"
prints 0 "waiting" headwater status
redis-server --port "$redis_port" --bind 127.0.0.1 --dir "$work/redis" --save '' --appendonly no --logfile "$work/redis.log" --daemonize no >/dev/null 2>&1 &
stack_pids+=($!)
in_step 60
verify

# Postgres stands still: it neither answers nor closes its connections.
postmaster=$(head -n 1 "$work/pg/data/postmaster.pid")
mapfile -t server < <(pgrep -P "$postmaster"; echo "$postmaster")
kill -STOP "${server[@]}"
org_post /load '{"transactions": 60, "rate": 0}'
wait_for_part 30 "sink postgres" waiting "postgres"
wait_for 20 "the others" others_in_step postgres || fail "a sink that stands still held up another"
answers /livez 200 ok
kill -CONT "${server[@]}"
in_step 60
verify
echo "bad_sink: OK"
