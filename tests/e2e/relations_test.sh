#!/usr/bin/env bash
# What happens to related records: merges, cascades, undeletes, emptied bins, lead conversion, person accounts. One story after
# another against one daemon; after each all targets equal the org, and the rows, edges and changes say what happened.
#   relations_test.sh BIN_DIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh" "$1"
stack_up "$work" || fail "a server did not start"
stack_daemon_start

sql() { psql -XAtq -v ON_ERROR_STOP=1 "$pg_url" -c "$1" || fail "psql: $1"; }
# ids JSON: emits, and prints all ids that it names.
ids() { curl -sf -X POST "$org_control/emit" -d "$1" | jq -r '.ids | join(" ")' || fail "the org refused $1"; }
settle() { in_step 60; headwater verify --wait 20 >"$work/verified" || fail "$(cat "$work/verified")"; }
says() {  # says WHAT WANTED GOT
  [ "$2" = "$3" ] || fail "$1: should be '$2', is '$3'"
}
# changes ENTITY ID: op and change type of each change that Kafka has of a record, oldest first.
changes() {
  kcat -C -b "$brokers" -t "crm.changes.$1" -e -q -f '%s\n' 2>/dev/null |
    jq -rs --arg id "$2" '[.[] | select(.source.id == $id)] | sort_by(.rev) | map(.op + ":" + .source.change_type) | join(" ")'
}
# last_change ENTITY ID FILTER
last_change() {
  kcat -C -b "$brokers" -t "crm.changes.$1" -e -q -f '%s\n' 2>/dev/null |
    jq -rs --arg id "$2" "[.[] | select(.source.id == \$id)] | max_by(.rev) | $3"
}
# Everything that the org sent is in every sink, though REST may be away.
all_passed() {
  local sent
  sent=$(curl -sf "$org_control/stats" | jq -r .last_replay_id) || return 1
  stack_status | jq -e --arg sent "$sent" '(.streams | all(.position == $sent)) and (.sinks | all(.lag_entries == 0))' >/dev/null
}
passed() { wait_for "$1" "every event" all_passed || fail "not all events came through: $(stack_status | jq -c '{streams, sinks}')"; }
edge() { sql "select to_object || ':' || to_id from crm.edge where src_id = '$1' and rel = '$2'"; }
fate() { sql "select delete_reason || ' ' || coalesce(merged_into, '-') from crm.$1 where id = '$2' and is_deleted"; }
account() { ids "{\"op\": \"create\", \"object\": \"Account\", \"fields\": {\"Name\": \"$1\"}}"; }
contact() { ids "{\"op\": \"create\", \"object\": \"Contact\", \"fields\": {\"LastName\": \"Lee\", \"AccountId\": \"$1\"}}"; }
invoice() { ids "{\"op\": \"create\", \"object\": \"Invoice__c\", \"fields\": {\"Account__c\": \"$1\"}}"; }
task() { ids "{\"op\": \"create\", \"object\": \"Task\", \"fields\": {\"Subject\": \"Call\", \"$1\": \"$2\"}}"; }

# A merge: the loser is told twice, the winner says of whom it is made, children have moved by events of their own.
a=$(account A) b=$(account B) c=$(account C)
child=$(contact "$a")
ids "{\"op\": \"merge\", \"object\": \"Account\", \"into\": \"$b\", \"ids\": [\"$a\"], \"fields\": {\"Site\": \"one\"}}" >/dev/null
settle
says "the loser" "merge $b" "$(fate account "$a")"
says "its edge" "Account:$b" "$(edge "$a" merged_into)"
says "its changes" "c:CREATE d:DELETE d:MERGE" "$(changes account "$a")"
says "the winner's changes" "c:CREATE u:UPDATE u:MERGE" "$(changes account "$b")"
says "made of" "$a" "$(last_change account "$b" '.merged_from | join(" ")')"
says "the winner in the ledger" false "$(headwater get "demo:Account:$b" | jq .meta.deleted)"
says "the loser in the ledger" "$b" "$(headwater get "demo:Account:$a" | jq -r .meta.merged_into)"
says "the child" "$b" "$(sql "select account_id from crm.contact where id = '$child'")"

# A merge whose children move without a word: they are found by what refers to the loser. The loser before follows its winner.
silent=$(invoice "$b")
settle
ids "{\"op\": \"merge\", \"object\": \"Account\", \"into\": \"$c\", \"ids\": [\"$b\"], \"child_events\": \"none\"}" >/dev/null
settle
says "the second loser" "merge $c" "$(fate account "$b")"
says "the first loser" "merge $c" "$(fate account "$a")"
says "its edge now" "Account:$c" "$(edge "$a" merged_into)"
says "the silent child" "Account:$c" "$(edge "$silent" Account)"
says "the silent child's changes" "c:CREATE r:REFETCH" "$(changes custom.Invoice__c "$silent")"
says "both are named" "2" "$(last_change account "$c" '.merged_from | length')"

# Two losers at once, of each object that merges.
for object in Contact Lead Case; do
  field='"LastName": "Lee"'
  [ $object = Lead ] && field='"LastName": "Lee", "Company": "Acme"'
  [ $object = Case ] && field='"Subject": "Broken"'
  one=$(ids "{\"op\": \"create\", \"object\": \"$object\", \"fields\": {$field}}")
  two=$(ids "{\"op\": \"create\", \"object\": \"$object\", \"fields\": {$field}}")
  into=$(ids "{\"op\": \"create\", \"object\": \"$object\", \"fields\": {$field}}")
  ids "{\"op\": \"merge\", \"object\": \"$object\", \"into\": \"$into\", \"ids\": [\"$one\", \"$two\"]}" >/dev/null
  settle
  says "$object" "merge $into merge $into" "$(fate "${object,,}" "$one") $(fate "${object,,}" "$two")"
done

# A loser is undeleted: no merge any more.
ids "{\"op\": \"undelete\", \"object\": \"Case\", \"id\": \"$one\"}" >/dev/null
settle
says "the restored loser" "f -" "$(sql "select is_deleted, coalesce(merged_into, '-') from crm.case where id = '$one'" | tr '|' ' ')"
says "its edge" "" "$(edge "$one" merged_into)"

# A cascade with events, and a lookup that is cleared by none. Then all comes back but the lookup.
p=$(account Parent) kid=$(contact "$p") call=$(task WhatId "$p") bill=$(invoice "$p")
settle
ids "{\"op\": \"delete\", \"object\": \"Account\", \"id\": \"$p\", \"related\": true}" >/dev/null
settle
says "the parent" "delete -" "$(fate account "$p")"
says "a child" "delete -" "$(fate contact "$kid")"
says "its activity" "delete -" "$(fate activity "$call")"
says "the cleared lookup" "" "$(edge "$bill" Account)"
says "the invoice's changes" "c:CREATE r:REFETCH" "$(changes custom.Invoice__c "$bill")"
ids "{\"op\": \"undelete\", \"object\": \"Account\", \"id\": \"$p\", \"related\": true}" >/dev/null
settle
says "the parent's changes" "c:CREATE d:DELETE c:UNDELETE" "$(changes account "$p")"
says "the child's changes" "c:CREATE d:DELETE c:UNDELETE" "$(changes contact "$kid")"
says "the child's edge" "Account:$p" "$(edge "$kid" account)"

# The same without a word about the children: they are looked at, and found gone, and found back.
ids "{\"op\": \"delete\", \"object\": \"Account\", \"id\": \"$p\", \"related\": true, \"child_events\": \"none\"}" >/dev/null
settle
says "the untold child" "cascade -" "$(fate contact "$kid")"
ids "{\"op\": \"undelete\", \"object\": \"Account\", \"id\": \"$p\", \"related\": true, \"child_events\": \"none\"}" >/dev/null
settle
says "the untold child is back" "f" "$(sql "select is_deleted from crm.contact where id = '$kid'")"
says "the untold activity is back" "f" "$(sql "select is_deleted from crm.activity where id = '$call'")"

# Out of the recycle bin: no event, nothing changes here; a merge that could not be asked for in time stays a deletion.
x=$(account X) y=$(account Y)
settle
org_post /faults '{"rest_failures": 1000000, "rest_status": 503}'
ids "{\"op\": \"merge\", \"object\": \"Account\", \"into\": \"$y\", \"ids\": [\"$x\"]}" >/dev/null
passed 30
ids "{\"op\": \"empty_bin\", \"object\": \"Account\", \"ids\": [\"$x\"]}" >/dev/null
org_post /faults '{"clear": true}'
settle
says "the lost loser" "delete -" "$(fate account "$x")"

# Converting a lead: its event lists no LastModifiedDate, and yet it was updated; tasks move to the contact.
lead=$(ids '{"op": "create", "object": "Lead", "fields": {"LastName": "Kim", "Company": "Kim & Co"}}')
follow=$(task WhoId "$lead")
settle
before=$(sql "select updated_at from crm.lead where id = '$lead'")
past() { [ "$(date +%s)" -gt "$1" ]; }
wait_for 3 "the next second" past "$(date +%s)"
read -r acc con opp _ < <(ids "{\"op\": \"convert\", \"id\": \"$lead\"}")
settle
says "the lead" "t $acc $con $opp" \
  "$(sql "select is_converted, converted_account_id, converted_contact_id, converted_opportunity_id from crm.lead where id = '$lead'" | tr '|' ' ')"
says "it was updated" "t" "$(sql "select updated_at > '$before' from crm.lead where id = '$lead'")"
says "its edges" "Account:$acc Contact:$con Opportunity:$opp" \
  "$(edge "$lead" converted_account) $(edge "$lead" converted_contact) $(edge "$lead" converted_opportunity)"
says "its task" "$con" "$(sql "select who_id from crm.activity where id = '$follow'")"
says "one transaction" "true" "$([ "$(last_change lead "$lead" .transaction.id)" = "$(last_change account "$acc" .transaction.id)" ] && echo true)"

# A person account is two records, linked; what belongs to the contact is told by both; two persons merge as two pairs.
person() { ids "{\"op\": \"create_person\", \"fields\": {\"LastName\": \"$1\", \"PersonEmail\": \"a@b.example\"}}"; }
read -r pa pc < <(person Ito)
read -r qa qc < <(person Ido)
ids "{\"op\": \"update_person\", \"id\": \"$pa\", \"fields\": {\"PersonEmail\": \"new@b.example\"}}" >/dev/null
settle
says "the link" "Contact:$pc" "$(edge "$pa" person_contact)"
says "both say it" "new@b.example new@b.example" \
  "$(sql "select email from crm.account where id = '$pa'") $(sql "select email from crm.contact where id = '$pc'")"
says "a person" "t t" "$(sql "select is_person from crm.account where id = '$pa'") $(sql "select is_person_account from crm.contact where id = '$pc'")"
ids "{\"op\": \"merge\", \"object\": \"Account\", \"into\": \"$pa\", \"ids\": [\"$qa\"]}" >/dev/null
settle
says "the lost person" "merge $pa merge $pc" "$(fate account "$qa") $(fate contact "$qc")"

# What is to be asked survives a crash: killed before the org answers, the merge is told after the next start.
k=$(account K) l=$(account L)
settle
org_post /faults '{"rest_failures": 1000000, "rest_status": 503}'
ids "{\"op\": \"merge\", \"object\": \"Account\", \"into\": \"$l\", \"ids\": [\"$k\"]}" >/dev/null
passed 30
says "not yet known" "delete -" "$(fate account "$k")"
kill_daemon
org_post /faults '{"clear": true}'
stack_daemon_start
settle
says "told after the crash" "merge $l" "$(fate account "$k")"
says "each once" "c:CREATE d:DELETE d:MERGE" "$(changes account "$k")"

# Life with all of it.
org_post /load '{"transactions": 1500, "rate": 0}'
settle
prints 0 "no open holes" headwater holes
echo "relations: OK"
