#!/usr/bin/env bash
# A seed means the same in every process: two that run it print the same trace, byte for byte.
#   replay_test.sh headwater-sim
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for run in 1 2; do "$1" --from 1 --seeds 40 --trace | sed '$d' > "$work/$run"; done  # the end tells the pace
[ "$(wc -l < "$work/1")" -gt 10000 ]
cmp "$work/1" "$work/2"
