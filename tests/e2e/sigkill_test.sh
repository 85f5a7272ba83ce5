#!/usr/bin/env bash
# SIGKILL at any time resumes exactly: after N kills under load every target equals the org, and on the changes topics of a real
# Kafka every change is there once and in order, by the consumer rule.
#   sigkill_test.sh BIN_DIR [KILLS]
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh" "$1"
kills=${2:-20}
need_apache_kafka
stack_up "$work" || fail "a server did not start"

org_post /load '{"transactions": 300, "rate": 0}'
(for _ in $(seq "$kills"); do curl -sf -X POST "$org_control/load" -d '{"transactions": 150, "rate": 150}' >/dev/null; done) &
loader=$!
RANDOM=7
for round in $(seq "$kills"); do
  stack_daemon_start
  wait_for 30 "headwaterd" stack_status || fail "start $round"
  # Some die while opening sinks, some in the middle of writes, some when all is quiet.
  sleep "$(awk -v r=$RANDOM 'BEGIN {printf "%.3f", r / 32768 * 1.5}')"
  kill_daemon
done
wait "$loader"
stack_daemon_start
in_step 120
verify
echo "kills: $kills, reconnects of the last run: $(metric headwater_source_reconnects_total)"
stack_daemon_kill TERM
[ "$daemon_exit" = 0 ] || fail "SIGTERM ended with $daemon_exit"
echo "sigkill: OK"
