# shellcheck shell=bash
# What every end-to-end test begins with: the stack in a temporary folder that goes when the test ends.
#   . tests/e2e/lib.sh BIN_DIR
set -uo pipefail
root_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin_dir=$1
# shellcheck source=scripts/lib/stack.sh
. "$root_dir/scripts/lib/stack.sh"
work=$(mktemp -d "${TMPDIR:-/tmp}/headwater-e2e.XXXXXX")
STACK_ORG_OPTIONS=() STACK_POSTGRES_OPTIONS=()

e2e_clean_up() {
  trap - EXIT INT TERM
  stack_down >/dev/null 2>&1
  rm -rf "$work"
}
trap e2e_clean_up EXIT
trap 'exit 130' INT TERM

fail() {
  echo "FAILED: $*"
  echo "--- last lines of headwaterd's log"
  tail -n 30 "$work/headwaterd.log" 2>/dev/null
  exit 1
}

org_post() {  # org_post PATH JSON
  curl -sf -X POST "$org_control$1" -d "$2" >/dev/null || fail "the org refused POST $1"
}

in_step() {  # in_step SECONDS
  wait_for "$1" "equality" stack_in_step || fail "the sinks did not catch up: $(stack_status | jq -c '{streams, sinks, holes_open, not_ready}') $("$bin_dir/headwater" --config "$work/headwater.yaml" holes 2>&1 | head -n 6)"
}

verify() { stack_verify "$@" || fail "a target differs from the org"; }

metric() { curl -sf "$http_url/metrics" | awk -v name="$1" 'index($1, name) == 1 {sum += $2} END {print sum + 0}'; }

# Exit code 3 of kafka.sh: no broker can be had here. Said aloud, and counted by CTest as skipped (77).
need_apache_kafka() {
  STACK_KAFKA=apache
  # shellcheck source=scripts/lib/kafka.sh
  . "$root_dir/scripts/lib/kafka.sh"
  kafka_fetch || { echo "kafka: no broker, this test's claims are not tested"; exit 77; }
}

# SIGKILL, which must find it alive: a daemon that ended by itself has crashed, and is no kill.
kill_daemon() {
  stack_daemon_kill KILL
  [ "$daemon_exit" = 137 ] || fail "headwaterd ended by itself, with $daemon_exit, before it was killed"
}

headwater() { "$bin_dir/headwater" --config "$work/headwater.yaml" "$@"; }

part_is() {  # part_is PART STATE [TEXT]: TEXT is somewhere in its sentence
  stack_status | jq -e --arg part "$1" --arg state "$2" --arg text "${3:-}" \
    '.parts | any(.part == $part and .state == $state and ((.why // "") | contains($text)))' >/dev/null
}
wait_for_part() {  # wait_for_part SECONDS PART STATE [TEXT]
  wait_for "$1" "$2 $3" part_is "${@:2}" || fail "$2 is not $3 with: ${4:-}: $(stack_status | jq -c .parts)"
}

log_has() { grep -qF -- "$1" "$work/headwaterd.log"; }
wait_for_log() {  # wait_for_log SECONDS TEXT
  wait_for "$1" "a log line" log_has "$2" || fail "the log does not say: $2"
}

# An HTTP answer must be CODE and hold TEXT.
answers() {  # answers PATH CODE TEXT
  local got
  got=$(curl -s -w '\n%{http_code}' "$http_url$1")
  [ "${got##*$'\n'}" = "$2" ] || fail "$1 answered ${got##*$'\n'}, not $2: $got"
  grep -qF -- "$3" <<<"$got" || fail "$1 does not say: $3: $got"
}

# A command must end with CODE and print TEXT.
prints() {  # prints CODE TEXT COMMAND...
  local code=0 said
  said=$("${@:3}" 2>&1) || code=$?
  [ $code = "$1" ] || fail "${*:3}: exit $code, not $1: $said"
  grep -qF -- "$2" <<<"$said" || fail "${*:3} does not say: $2: $said"
}

# Everything that the org has sent is in the ledger, and in every sink. Holes may be open.
all_through() {
  local sent
  sent=$(curl -sf "$org_control/stats" | jq -r .last_replay_id) || return 1
  stack_status | jq -e --arg sent "$sent" \
    '(.streams | all(.position == $sent)) and (.sinks | all(.lag_entries == 0 and (.materializing | not))) and (.parts | all(.state == "ok"))' >/dev/null
}
through() {  # through SECONDS
  wait_for "$1" "every event" all_through || fail "not all events came through: $(stack_status | jq -c '{streams, sinks, not_ready}')"
}

# emit JSON: one statement of the org; prints the new record's id.
emit() { curl -sf -X POST "$org_control/emit" -d "$1" | jq -r '.ids[0] // .id // empty'; }
