#!/bin/sh
# The unit says nothing systemd does not understand, stays below the exposure we promise, and its user and folders can be made.
# Usage: systemd_test.sh SOURCE_DIR. Exit 77: systemd's tools are not installed, the test is skipped.
set -eu
source=$1
exposure_max=15 # tenths: 1.5

command -v systemd-analyze >/dev/null || { echo "skipped: systemd-analyze is not installed"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
fail() {
  echo "systemd/$1" >&2
  failed=1
}

# verify wants binaries that exist, and prints a warning but exits 0 for a key it does not know: any output is a failure.
sed 's|^ExecStart=[^ ]*|ExecStart=/bin/true|' "$source/systemd/headwaterd.service" >"$work/headwaterd.service"
output=$(systemd-analyze verify --man=no "$work/headwaterd.service" 2>&1) || fail "headwaterd.service: verify refused it"
[ -z "$output" ] || fail "headwaterd.service: verify said: $output"

systemd-analyze security --offline=true --no-pager --threshold=$exposure_max "$work/headwaterd.service" >"$work/security" 2>&1 ||
  fail "headwaterd.service: exposure above the promise: $(tail -n 1 "$work/security")"
tail -n 1 "$work/security"

for line in Type=notify WatchdogSec= StateDirectory=headwater StateDirectoryMode=0700 RestartPreventExitStatus=78 User=headwater; do
  grep -q "^$line" "$source/systemd/headwaterd.service" || fail "headwaterd.service: $line is missing"
done

# Users and folders, in a root of our own.
mkdir -p "$work/root/etc"
if [ "$(id -u)" -eq 0 ]; then
  systemd-sysusers --root="$work/root" - <"$source/systemd/headwater.sysusers" 2>"$work/log" || fail "headwater.sysusers: $(cat "$work/log")"
  grep -q '^headwater:' "$work/root/etc/passwd" || fail "headwater.sysusers: made no user headwater"
  systemd-tmpfiles --create --root="$work/root" - <"$source/systemd/headwater.tmpfiles" 2>"$work/log" ||
    fail "headwater.tmpfiles: $(cat "$work/log")"
  [ "$(stat -c %a "$work/root/etc/headwater/secrets")" = 700 ] || fail "headwater.tmpfiles: secrets is not 0700"
fi
exit $failed
