#!/usr/bin/env bash
# A changes topic has lost its beginning to its retention, and with it the only change of records that were quiet since: `verify`
# does not call them different.
#   retention_test.sh BIN_DIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh" "$1"
stack_up "$work" || fail "a server did not start"
stack_daemon_start

# The broker keeps 5 MiB of each partition, also of topics that a real one would compact. Thirty records fill all six, then one alone fills
# its own of the changes until that was cut: 130 times 60 kB, before and after, while its images alone are 30 kB each, 4 MB in all.
for i in $(seq 30); do
  loud=$(emit "{\"op\":\"create\",\"object\":\"Account\",\"fields\":{\"Name\":\"quiet $i\"}}")
done
for _ in $(seq 130); do
  printf '{"op":"update","object":"Account","id":"%s","fields":{"Description":"%s"}}' \
    "$loud" "$(head -c 22500 /dev/urandom | base64 -w0)" >"$work/statement"
  curl -sf -X POST -H 'content-type: application/json' --data-binary @"$work/statement" "$org_control/emit" >/dev/null ||
    fail "the org refused an update"
done
through 60

brokers=$(jq -r .bootstrap "$work/kafka.json")
kept=$(kcat -q -C -e -b "$brokers" -t crm.changes.account -o beginning -f '%k\n' 2>/dev/null | sort -u | wc -l)
[ "$kept" -ge 1 ] && [ "$kept" -lt 30 ] || fail "changes of $kept records are kept: nothing was cut off, or all"
prints 0 "kafka changes                equal" headwater verify --wait 5 --truth "$org_control/truth"
echo "retention: OK"
