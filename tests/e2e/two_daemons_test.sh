#!/usr/bin/env bash
# A second daemon on the same state directory, or on the same sinks, is refused and told who is there; the first never notices.
#   two_daemons_test.sh BIN_DIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh" "$1"
stack_up "$work" || fail "a server did not start"
stack_daemon_start
org_post /load '{"transactions": 40, "rate": 0}'
in_step 30

# The same state directory.
sed "s|^http: .*|http: {listen: '127.0.0.1:$(free_port)'}|" "$work/headwater.yaml" >"$work/second.yaml"
prints 1 "$work/state/ledger is held by process $daemon_pid" "$bin_dir/headwaterd" --config "$work/second.yaml"

# A state directory of its own, the same address for HTTP.
sed "s|^state_dir: .*|state_dir: $work/state2|" "$work/headwater.yaml" >"$work/second.yaml"
prints 1 "${http_url#http://}" "$bin_dir/headwaterd" --config "$work/second.yaml"

# A state directory of its own, the same sinks.
sed -i "s|^http: .*|http: {listen: '127.0.0.1:$(free_port)'}|" "$work/second.yaml"
first_url=$http_url
second_url=http://$(sed -n "s/^http: {listen: '\(.*\)'}/\1/p" "$work/second.yaml")
"$bin_dir/headwaterd" --config "$work/second.yaml" >"$work/second.log" 2>&1 &
second_pid=$!
stack_pids+=($second_pid)
http_url=$second_url
wait_for 20 "the second daemon" stack_status || fail "the second daemon did not start: $(cat "$work/second.log")"
for sink in postgres redis kafka; do
  wait_for_part 20 "sink $sink" blocked "$(cat /etc/machine-id):$work/state"
  wait_for_part 20 "sink $sink" blocked "stop"
  answers /readyz 503 "sink $sink is blocked"
done
wait_for_part 20 "stream demo /data/ChangeEvents" ok
http_url=$first_url
org_post /load '{"transactions": 60, "rate": 0}'
in_step 30
verify
[ "$(metric headwater_sink_fenced_total)" = 0 ] || fail "the first daemon was fenced"
kill -TERM "$second_pid"
code=0
wait "$second_pid" || code=$?
[ $code = 0 ] || fail "the second daemon ended with $code"
echo "two_daemons: OK"
