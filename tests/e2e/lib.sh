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
  wait_for "$1" "equality" stack_in_step || fail "the sinks did not catch up: $(stack_status | jq -c '{streams, sinks, holes_open, not_ready}')"
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
