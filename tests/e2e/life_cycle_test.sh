#!/usr/bin/env bash
# What a service manager and an operator see: readiness, status and watchdog on the notify socket, a reload, an orderly stop that drains,
# a second signal that does not wait, and the answers of the headwater command.
#   life_cycle_test.sh BIN_DIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh" "$1"
stack_up "$work" || fail "a server did not start"
sed -i '$a stop_deadline: 60s' "$work/headwater.yaml"

prints 2 "is headwaterd running" headwater status
prints 2 "cannot reach the daemon at $work/no.sock" "$bin_dir/headwater" --socket "$work/no.sock" status

# systemd's side of sd_notify(3): one line per message.
python3 - "$work/notify" >"$work/notified" <<'END_OF_PYTHON' &
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
while True:
    print(s.recv(65536).decode(), flush=True)
END_OF_PYTHON
stack_pids+=($!)
wait_for 10 "the notify socket" test -S "$work/notify"
notified() { grep -q -- "$1" "$work/notified"; }
export NOTIFY_SOCKET=$work/notify WATCHDOG_USEC=1000000
ulimit -Sn 512
stack_daemon_start
wait_for 20 "READY=1" notified '^READY=1' || fail "notified: $(cat "$work/notified")"
# A big ledger keeps more files open than a shell's soft limit allows.
awk '/^Max open files/ {exit $4 != $5}' "/proc/$daemon_pid/limits" || fail "not all descriptors: $(grep '^Max open' "/proc/$daemon_pid/limits")"
wait_for 20 "a status" notified '^STATUS=in step at rev ' || fail "notified: $(cat "$work/notified")"
fed() { [ "$(grep -c '^WATCHDOG=1' "$work/notified")" -ge 3 ]; }
wait_for 5 "the watchdog's food" fed || fail "notified: $(cat "$work/notified")"

# A reload takes a file whole or not at all, and ends nothing.
kill -HUP "$daemon_pid"
wait_for 10 "RELOADING=1" notified '^RELOADING=1' || fail "notified: $(cat "$work/notified")"
wait_for_log 10 "configuration is valid"
echo 'log: {level: loud}' >>"$work/headwater.yaml"
kill -HUP "$daemon_pid"
wait_for_log 10 "log.level: must be one of"
sed -i '$d' "$work/headwater.yaml"

# The headwater command.
org_post /load '{"transactions": 40, "rate": 0}'
in_step 30
key=demo:Account:$(curl -sf "$org_control/truth?object=Account" | head -n 1 | jq -r .id)
headwater get "$key" | jq -e --arg key "$key" '.key == $key' >/dev/null || fail "get $key: $(headwater get "$key" 2>&1)"
prints 1 "the ledger has never seen this record" headwater get demo:Account:001000000000001AAA
prints 1 "no org elsewhere is configured; there are: demo" headwater get elsewhere:Account:001000000000001AAA
prints 1 "a record key reads org:Object:id" headwater get Account
prints 1 "a record id has 15 or 18 letters and digits" headwater get demo:Account:short
prints 1 "headwater: " headwater get 'demo:"Account":001000000000001AAA'
prints 0 ": in step" headwater status
prints 64 "x is no number" headwater jobs pause x
prints 0 "no open holes" headwater holes
prints 0 "quarantine is empty" headwater quarantine
headwater --json status | jq -e .ready >/dev/null || fail "status --json is no JSON"

# SIGTERM: what the ledger has, every sink gets; then exit 0.
org_post /load '{"transactions": 400, "rate": 0}'
stack_daemon_kill TERM
[ "$daemon_exit" = 0 ] || fail "SIGTERM ended with $daemon_exit"
wait_for_log 1 "msg=stopped"
notified '^STOPPING=1' || fail "no STOPPING=1: $(cat "$work/notified")"
in_postgres=$(psql -XAtq "$pg_url" -c "select rev from crm.cursor where org = 'demo'")
in_redis=$(redis-cli -p "$redis_port" hget crm:cursor:demo rev)
[ -n "$in_postgres" ] && [ "$in_postgres" = "$in_redis" ] || fail "the sinks were not drained: Postgres at '$in_postgres', Redis at '$in_redis'"

# A second SIGTERM does not wait for a sink that stands still; nothing is lost by it.
stack_daemon_start
in_step 30
postmaster=$(head -n 1 "$work/pg/data/postmaster.pid")
mapfile -t server < <(pgrep -P "$postmaster"; echo "$postmaster")
kill -STOP "${server[@]}"
org_post /load '{"transactions": 40, "rate": 0}'
behind() { [ "$(stack_status | jq '.sinks[] | select(.sink == "postgres") | .lag_entries')" -gt 0 ]; }
wait_for 10 "a lag" behind || fail "Postgres is not behind"
: >"$work/headwaterd.log"
kill -TERM "$daemon_pid"
wait_for_log 5 "stopping"
stack_daemon_kill TERM
[ "$daemon_exit" = 0 ] || fail "a second SIGTERM ended with $daemon_exit"
log_has "msg=stopped" && fail "the second SIGTERM waited for the drain"
kill -CONT "${server[@]}"
stack_daemon_start
in_step 30
verify
echo "life_cycle: OK"
