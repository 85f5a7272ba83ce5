#!/usr/bin/env bash
# `headwater verify` says equal when all is equal, and names every difference that is planted: in the ledger's place (the org's dump is
# changed), in Postgres, in Redis, in Kafka, in cursors; it lists what is open, and says when it could not look.
#   verify_test.sh BIN_DIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh" "$1"
stack_up "$work" || fail "a server did not start"
stack_daemon_start
org_post /load '{"transactions": 300, "rate": 0}'
in_step 60

sql() { psql -XAtq -v ON_ERROR_STOP=1 "$pg_url" -c "$1" || fail "psql: $1"; }
redis() { redis-cli -p "$redis_port" "$@"; }

# finds CHECK TEXT [DUMP]: verify ends with 1, and one of its differences is of that check and says TEXT.
finds() {
  local check=$1 text=$2 code=0 said
  said=$(headwater --json verify --wait 1 --truth "${3:-$org_control/truth}" 2>&1) || code=$?
  [ $code = 1 ] || fail "planted for '$check: $text', but verify ends with $code: $said"
  jq -e --arg check "$check" --arg text "$text" \
    '.equal == false and (.differences | any(.check == $check and (.what | contains($text)))) and (.checks | any(.check == $check and .different > 0))' \
    <<<"$said" >/dev/null || fail "'$check: $text' is not among: $(jq -c .differences <<<"$said" 2>/dev/null || echo "$said")"
}
equal() { prints 0 "equal: " headwater verify --wait 20 --truth "$org_control/truth"; }

# The org is asked over REST, then by its dump: all is equal.
prints 0 "ledger = org demo            equal: " headwater verify --wait 20
equal

id=$(sql "select id from crm.account where not is_deleted and not is_person and owner_id is not null order by id limit 1")
key=demo:Account:$id
row="org = 'demo' and id = '$id'"

# Postgres
sql "create table saved as select * from crm.account where $row"
back() { sql "delete from crm.account where $row; insert into crm.account select * from saved"; }
sql "update crm.account set name = name || '?' where $row"
finds "postgres = ledger" "name differs"
prints 1 "the story of $key" headwater verify --wait 1 --truth none
back
sql "update crm.account set rev = rev - 1 where $row"
finds "postgres = ledger" "ahead of its data"
sql "update crm.account set rev = rev + 2 where $row"
finds "postgres = ledger" "the ledger went back"
back
sql "delete from crm.account where $row"
finds "postgres = ledger" "it is missing here"
back
sql "update crm.account set is_deleted = true where $row"
finds "postgres = ledger" "it is deleted here"
back
sql "update saved set id = '001000000000001AAA'; insert into crm.account select * from saved; update saved set id = '$id'"
finds "postgres = ledger" "the ledger has never seen it"
sql "delete from crm.account where id = '001000000000001AAA'"
edge=$(sql "select rel from crm.edge where org = 'demo' and src_id = '$id' limit 1")
if [ -n "$edge" ]; then
  sql "create table saved_edge as select * from crm.edge where org = 'demo' and src_id = '$id' and rel = '$edge'"
  sql "delete from crm.edge where org = 'demo' and src_id = '$id' and rel = '$edge'"
  finds "postgres = ledger" "edge $edge"
  sql "insert into crm.edge select * from saved_edge"
fi
equal

# Redis
rec="crm:{$key}:rec"
j=$(redis hget "$rec" j) rev=$(redis hget "$rec" 'j@')
redis hset "$rec" j "${j/\"name\":\"/\"name\":\"?}" >/dev/null
finds "redis = ledger" "fields.name differs"
redis hset "$rec" j "$j" 'j@' $((rev - 1)) >/dev/null
finds "redis = ledger" "ahead of its data"
redis hset "$rec" 'j@' "$rev" >/dev/null
redis rename "$rec" saved >/dev/null
finds "redis = ledger" "it is missing here"
redis rename saved "$rec" >/dev/null
redis hset "$rec" del 1 >/dev/null
finds "redis = ledger" "it is deleted here"
redis hset "$rec" del 0 >/dev/null
redis copy "$rec" "crm:{demo:Account:001000000000001AAA}:rec" >/dev/null
finds "redis = ledger" "the ledger has never seen it"
redis del "crm:{demo:Account:001000000000001AAA}:rec" >/dev/null
set_key=$(redis --scan --pattern 'crm:{*}:rel:*' | head -n 1)
member=$(redis zrange "$set_key" 0 0)
redis zrem "$set_key" "$member" >/dev/null
finds "redis = ledger" "relation sets lack it"
redis zadd "$set_key" 0 "$member" >/dev/null
stranger=$(redis --scan --pattern 'crm:{demo:Lead:*}:rec' | head -n 1 | sed 's/^crm:{//; s/}:rec$//')
redis zadd "$set_key" 0 "$stranger" >/dev/null
finds "redis = ledger" "a relation set holds it"
redis zrem "$set_key" "$stranger" >/dev/null
equal

# Cursors: a target that claims what the ledger never gave.
before=$(redis hget crm:cursor:demo rev)
redis hset crm:cursor:demo rev $((before + 1000000000000)) >/dev/null
finds "cursors and positions" "redis: its cursor of org demo stands at rev"
redis hset crm:cursor:demo rev "$before" >/dev/null
equal

# The org: a change that never came, a record that never came, one that should be gone.
# Something else is changed now, seconds later, so that the position has passed what is planted.
other=$(sql "select id from crm.contact where not is_deleted limit 1")
emit "{\"op\": \"update\", \"object\": \"Contact\", \"id\": \"$other\", \"fields\": {\"Phone\": \"+49 2\"}}" >/dev/null
in_step 30
curl -sf "$org_control/truth" >"$work/truth"
planted() { jq -c --arg id "$id" "if .id == \$id then $1 else . end" "$work/truth" >"$work/changed"; }
planted '.fields.Phone = "+49 1" | .fields.SystemModstamp |= (sub("[.].*"; "Z") | fromdate + 1 | todate | sub("Z"; ".000+0000"))'
finds "ledger = org demo" "the position is ahead of the data" "$work/changed"
# One that no event tells: the ledger knows the record's last change, so no position is to blame.
planted '.fields.Phone = "+49 1"'
finds "ledger = org demo" "fields.phone differs" "$work/changed"
grep -q "ahead of the data" <<<"$(headwater verify --wait 1 --truth "$work/changed" 2>&1)" && fail "a position is blamed for a field"
grep -v "\"id\":\"$id\"" "$work/truth" >"$work/fewer"
finds "ledger = org demo" "the org shows no such record" "$work/fewer"
{ cat "$work/truth"; grep "\"id\":\"$id\"" "$work/truth" | sed "s/$id/001000000000001AAA/g"; } >"$work/more"
finds "ledger = org demo" "the ledger has never seen it" "$work/more"

# What is open is listed, and is no difference. The hole stays while nothing can be read, by verify either.
org_post /faults '{"pages_failed": 100000}'
org_post /emit '{"raw": {"object": "Account", "change_type": "UPDATE", "record_ids": ["001000000000009AAA"], "payload_hex": "00"}}'
quarantined() { [ "$(stack_status | jq .quarantine_open)" -gt 0 ]; }
wait_for 20 "a quarantine row" quarantined || fail "nothing was quarantined"
prints 0 "open quarantine rows: 1" headwater verify --wait 20 --truth none
prints 0 "open holes: 1" headwater verify --wait 20 --truth none
org_post /faults '{"clear": true}'

# Kafka: a dead writer's late copy of a change is dropped by the consumer rule and counted; another writer's is a difference, and so are
# an older record at the end of a compacted topic and a change that builds on nothing.
partition=$(kcat -q -C -e -b "$brokers" -t crm.changes.account -f '%p %k\n' -o beginning 2>/dev/null | grep -F "$key" | head -n 1 | cut -d' ' -f1)
kcat -q -C -e -b "$brokers" -t crm.changes.account -p "$partition" -f '%k\t%s\n' -o beginning 2>/dev/null | grep -F "$key" | head -n 1 | cut -f2- >"$work/first"
first=$(jq -r .rev "$work/first")
# The epoch is one that no daemon has: an older record of an epoch before its own the sink takes for a dead predecessor's last
# request, and mends it, be it at its next delivery there or when it looks back half a minute after it opened.
produce() {  # produce TOPIC REV FILE [EPOCH]
  kcat -q -P -b "$brokers" -t "$1" -p "$partition" -k "$key" -H org=demo -H "rev=$2" -H "epoch=${4:-1000000}" "$3" ||
    fail "kcat cannot produce"
}
produce crm.changes.account "$first" "$work/first" 0
prints 0 "1 late repeats" headwater verify --wait 5 --truth "$org_control/truth"
jq -c .after "$work/first" >"$work/old_record"
produce crm.records.account $((first - 1)) "$work/old_record"
finds "kafka records = ledger" "compaction keeps the older one"
next=$(($(stack_status | jq .ledger.head_rev) + 1))
jq -c --argjson rev "$next" '.op = "u" | .before = .after | .before.meta.rev = 7 | .rev = $rev' "$work/first" >"$work/bad"
produce crm.changes.account "$next" "$work/bad"
finds "kafka changes" "builds on rev 7"
produce crm.changes.account "$first" "$work/first"
finds "kafka changes" "the change with rev $first came twice, in epoch "

# What cannot be looked at is no verdict.
redis shutdown nosave 2>/dev/null
sed '/^  kafka:/d' "$work/headwater.yaml" >"$work/no_kafka.yaml"
prints 2 "redis = ledger               NOT CHECKED" "$bin_dir/headwater" --config "$work/no_kafka.yaml" verify --wait 1 --truth "$org_control/truth"
stack_daemon_kill TERM
prints 2 "is headwaterd running" headwater verify --truth none
echo "verify: OK"
