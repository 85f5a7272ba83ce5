#!/usr/bin/env bash
# Platform events while headwaterd is killed again and again: the table and the topic then hold each event once and in order; what
# was published twice, and what the bus sends again after a lost position, is there once.
#   platform_events_test.sh BIN_DIR [KILLS]
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh" "$1"
kills=${2:-12}
need_apache_kafka
stack_up "$work" || fail "a server did not start"
sed -i "s|^      - {topic: /data/ChangeEvents.*|&\n      - {topic: /event/Order_Event__e, start: earliest}\n      - {topic: /event/Stock_Alert__e, start: earliest}|" \
  "$work/headwater.yaml"

sql() { psql -XAtq "$pg_url" -c "$1"; }
published=0
publish() {  # publish EVENT COUNT [MORE]: events numbered on from the last
  local field=Sequence__c
  [ "$1" = Stock_Alert__e ] && field=Quantity__c
  org_post /publish "{\"event\": \"$1\", \"count\": $2, \"first\": $published, \"fields\": {\"$field\": \"#\"}${3:-}}"
  published=$((published + $2))
}

org_post /load '{"transactions": 100, "rate": 0}'
# Changes and events at once; of some events the bus has two.
(for _ in $(seq "$kills"); do curl -sf -X POST "$org_control/load" -d '{"transactions": 50, "rate": 100}' >/dev/null; done) &
loader=$!
RANDOM=11
for round in $(seq "$kills"); do
  stack_daemon_start
  wait_for 30 "headwaterd" stack_status || fail "start $round"
  for _ in 1 2 3; do
    publish Order_Event__e 70
    publish Stock_Alert__e 10
    publish Order_Event__e 5 ', "twice": true'
  done
  sleep "$(awk -v r=$RANDOM 'BEGIN {printf "%.3f", r / 32768 * 0.8}')"
  kill_daemon
done
wait "$loader"

rows() { [ "$(sql 'select count(*) from crm.platform_event')" = "$published" ]; }
# The newest position that the org tells is that of changes: each class of platform events has a bus of its own.
quiet() {
  local sent
  sent=$(curl -sf "$org_control/stats" | jq -r .last_replay_id) || return 1
  stack_status | jq -e --arg sent "$sent" \
    '(.sinks | all(.open and .lag_entries == 0 and (.materializing | not))) and
     (.streams | any(.topic == "/data/ChangeEvents" and .position == $sent))' >/dev/null
}
all_there() { rows && quiet; }
check() {  # check WHAT: table and topic hold each number once, in order
  wait_for 60 "all events" all_there ||
    fail "$1: $(sql 'select count(*) from crm.platform_event') of $published events in the table: $(stack_status | jq -c '{streams, sinks}')"
  local event field file=$work/told
  for event in Order_Event__e:Sequence__c Stock_Alert__e:Quantity__c; do
    field=${event#*:} event=${event%:*}
    sql "select (payload ->> '$field')::numeric::bigint, rev from crm.platform_event where name = '$event' order by rev" >"$file.table"
    "$bin_dir/headwater-read-topic" --brokers "$brokers" --topic "crm.events.$event" >"$file.json" || fail "$1: the topic cannot be read"
    # As a consumer reads it: what has a rev at or below the last is a dead daemon's request that came late.
    jq -r "[.value.event.$field, .rev] | map(tostring) | join(\"|\")" "$file.json" |
      awk -F'|' '$2 > last {print; last = $2}' >"$file.topic"
    cut -d'|' -f1 "$file.table" >"$file.numbers"
    sort -n -u "$file.numbers" | cmp -s - "$file.numbers" || fail "$1: $event is not once and in order in the table"
    cmp -s "$file.table" "$file.topic" || fail "$1: $event: topic and table differ: $(diff "$file.table" "$file.topic" | head -5)"
    [ "$(jq -r .partition "$file.json" | sort -u | wc -l)" = 1 ] || fail "$1: $event stands in several partitions"
    echo "$1: $event: $(wc -l <"$file.table") events, once and in order"
  done
}

stack_daemon_start
check "after $kills kills"

# The position is refused though the bus still has everything: all of it comes again.
org_post /faults '{"refuse_position": "/event/Order_Event__e"}'
org_post /streams/kill '{}'
wait_for_log 60 "came again from before the position was lost"
stack_status | jq -e '.holes | all(.topic != "/event/Order_Event__e")' >/dev/null || fail "the hole of the lost position is open"
publish Order_Event__e 10
check "after a lost position"
[ "$(metric headwater_source_repeats_total)" -gt 0 ] || fail "no repeat was counted"

# verify compares the journal, the table and the topic, and sees what any of them lacks or has twice.
prints 0 "platform events              equal: $published" headwater verify --wait 20 --truth "$org_control/truth"
sql "create table kept as select * from crm.platform_event where rev = (select max(rev) from crm.platform_event)" >/dev/null
sql "delete from crm.platform_event where rev = (select rev from kept)" >/dev/null
prints 1 "postgres lacks the event demo /event/" headwater verify --wait 1 --truth "$org_control/truth"
sql "insert into crm.platform_event select * from kept; drop table kept" >/dev/null
prints 0 "platform events              equal: $published" headwater verify --wait 20 --truth "$org_control/truth"

# A sink that begins anew is given what the journal still has.
sql 'set client_min_messages = error; drop schema crm cascade' >/dev/null
kill_daemon
stack_daemon_start
check "a new schema"
verify
stack_daemon_kill TERM
[ "$daemon_exit" = 0 ] || fail "SIGTERM ended with $daemon_exit"
echo "platform events: OK"
