#!/usr/bin/env bash
# What headwaterd says of a bad configuration: every problem of the file and of its mapping files at once, as
# file:line:col: key: what, with exit code 78; and the other answers of its command line.
#   check_config_test.sh BIN_DIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh" "$1"
cd "$work" || exit 1

# check EXIT NAME: runs --check-config on NAME; all that it says is in $said.
check() {
  local code=0
  said=$("$bin_dir/headwaterd" --config "$2" --check-config 2>&1) || code=$?
  [ $code = "$1" ] || fail "$2: exit $code, not $1: $said"
}
# says LINE: the whole line is there. Only what it begins with counts if it ends in "...".
says() {
  local line
  while IFS= read -r line; do
    case $1 in
      *...) [ "${line#"${1%...}"}" != "$line" ] && return ;;
      *) [ "$line" = "$1" ] && return ;;
    esac
  done <<<"$said"
  fail "did not say: $1
it said:
$said"
}

echo secret >open.pem; chmod 644 open.pem
echo secret >good.pem; chmod 600 good.pem
: >empty.pem; chmod 600 empty.pem

cat >bad.yaml <<'END_OF_FILE'
state_dir: [a, b]
sate_dir: /x
orgs:
  - name: emea
    login_url: http://crm.example.com
    auth: {flow: jwt_bearer, client_id: abc, username: sync@example.com, private_key_file: missing.pem}
    pubsub: {endpoint: bus.example.com:7443, tls: false}
    streams:
      - {topic: /data/ChangeEvents, start: snapshot}
      - {topic: /topic/Something__e}
  - name: emea
    org_id: 001000000000001
    auth: {flow: password, client_id: '${HEADWATER_NOT_SET}', private_key_file: open.pem}
    http_timeout: 30
    streams: []
sinks:
  postgres: {url: 'postgresql://u:hunter2@db/crm', password_file: empty.pem, entries_max: many}
  redis: {url: 'redis://cache.example.com:6379/0', feed: perhaps}
  kafka: {brokers: 'b:9092', properties: {linger.mss: 5, acks: 1, compression.type: shrink}}
  mysql: {url: 'mysql://db'}
journal: {bytes_max: 10, keep: 1h, keep: 2h}
mapping: {files: [mine.yaml]}
log: {level: loud}
http: {listen: 9464}
END_OF_FILE
cat >mine.yaml <<'END_OF_FILE'
version: 1
mapping_rev: 2
entities:
  account:
    object: Account
    fields:
      name: {expr: 'frobnicate(Name)'}
      phone: {exqr: 'Phone'}
END_OF_FILE

check 78 bad.yaml
says 'bad.yaml:1:12: state_dir: must be a single value'
says 'bad.yaml:2:1: sate_dir: unknown key, did you mean state_dir?'
says 'bad.yaml:5:16: orgs[0].login_url: http://crm.example.com would send credentials in the clear: use https://...'
says 'bad.yaml:6:92: orgs[0].auth.private_key_file: secret file missing.pem does not exist or may not be read'
says 'bad.yaml:7:51: orgs[0].pubsub.tls: false would send the access token in the clear to bus.example.com:7443...'
says 'bad.yaml: orgs[0].snapshot.objects: must name the objects to read in: a stream has start: snapshot'
says 'bad.yaml:10:17: orgs[0].streams[1].topic: must be a change event topic such as /data/ChangeEvents...'
says 'bad.yaml:11:11: orgs[1].name: org emea is configured twice'
says 'bad.yaml:12:13: orgs[1].org_id: must be an organization id (00D…), got 001000000000001...'
says 'bad.yaml:13:18: orgs[1].auth.flow: must be one of jwt_bearer, client_credentials, refresh_token, got password'
says 'bad.yaml:13:39: orgs[1].auth.client_id: environment variable HEADWATER_NOT_SET is not set'
says 'bad.yaml:13:81: orgs[1].auth.private_key_file: secret file open.pem is open to group or others: chmod 600 it'
says 'bad.yaml:14:19: orgs[1].http_timeout: must be a duration with its unit (250ms, 5s, 10m, 1h, 3d), got 30'
says 'bad.yaml:15:14: orgs[1].streams: at least one stream is required'
says 'bad.yaml:17:19: sinks.postgres.url: must not hold a password; put it in a file and name it in password_file'
says 'bad.yaml:17:67: sinks.postgres.password_file: secret file empty.pem is empty'
says 'bad.yaml:17:91: sinks.postgres.entries_max: must be a whole number, got many'
says 'bad.yaml:18:16: sinks.redis.url: plain text to a host that is not this one; set insecure: true if...'
says 'bad.yaml:18:58: sinks.redis.feed: must be true or false, got perhaps'
says 'bad.yaml:19:55: sinks.kafka.properties.linger.mss: librdkafka refuses it: No such configuration property: "linger.mss"'
says 'bad.yaml:19:64: sinks.kafka.properties.acks: is set by Headwater and cannot be changed: exactly-once rests on it'
says 'bad.yaml:19:85: sinks.kafka.properties.compression.type: librdkafka refuses it: Invalid value "shrink"...'
says 'bad.yaml:20:10: sinks.mysql.type: must be postgres, redis or kafka (a sink'"'"'s name is its type unless type says more), got mysql'
says 'bad.yaml:21:22: journal.bytes_max: must be at least 1MiB, got 10 bytes; give a size with its unit'
says 'bad.yaml:21:36: journal.keep: given twice'
says 'bad.yaml:23:14: log.level: must be one of debug, info, warning, error, got loud'
says 'bad.yaml:24:16: http.listen: must be an address with its port, such as 127.0.0.1:9464 or [::1]:9464, got 9464'
says 'mine.yaml:7:21: entities.account.fields.name.expr: no function frobnicate'
says 'mine.yaml:8:15: entities.account.fields.phone.exqr: unknown key, did you mean expr?'
grep -q hunter2 <<<"$said" && fail "a password was printed: $said"
[ "$(sort <<<"$said" | uniq -d)" = '' ] || fail "told twice: $(sort <<<"$said" | uniq -d)"

echo 'state_dir: [' >broken.yaml
check 78 broken.yaml
says 'broken.yaml:2:1: not YAML:...'
[ "$(wc -l <<<"$said")" = 1 ] || fail "a file that is no YAML has other problems too: $said"

check 78 nowhere.yaml
says 'nowhere.yaml: cannot be read: check that it exists and may be read by this user'

check 78 .
says '.: is a directory: give the file in it'

printf 'state_dir: %s\norgs:\n  - name: emea\n    auth: {client_id: a, username: b, private_key_file: good.pem}\n    streams: [{topic: /data/ChangeEvents}]\nmapping: {files: [absent.yaml]}\n' "$work/state" >good.yaml
check 78 good.yaml
says 'absent.yaml: cannot be read...'
sed -i '/^mapping/d' good.yaml
check 0 good.yaml
says 'configuration ok'
[ ! -e "$work/state" ] || fail "--check-config made the state directory"

# Two sinks that write to one place would fence each other, or tell every change twice.
{ cat good.yaml; echo "sinks:"; echo "  redis: {url: 'redis://127.0.0.1:6379/0'}"; echo "  r2: {type: redis, url: 'redis://127.0.0.1:6379/0'}"; } >twice.yaml
check 78 twice.yaml
says 'twice.yaml:8:7: sinks.r2: writes to the same place as sink redis: give one of them another schema, prefix or topic_prefix, or take it out'
sed -i "s/type: redis, url: 'redis:..127.0.0.1:6379.0'/&, prefix: 'b:'/" twice.yaml
check 0 twice.yaml

# Without --check-config a bad file ends the start with the same words and code.
code=0
said=$("$bin_dir/headwaterd" --config broken.yaml 2>&1) || code=$?
[ $code = 78 ] || fail "start with a bad file: exit $code"
says 'broken.yaml:2:1: not YAML:...'

# The command line finds the daemon by its configuration: by a bad one it asks nobody, least of all the daemon at the default place.
said=$("$bin_dir/headwater" --config broken.yaml status 2>&1)
[ $? = 78 ] || fail "headwater with a file that is no YAML: $said"
says 'broken.yaml:2:1: not YAML:...'
for order in status "holes close 1 --reason x" "resync Account" "audit --receipts"; do
  # shellcheck disable=SC2086
  said=$("$bin_dir/headwater" --config nowhere.yaml $order 2>&1)
  [ $? = 78 ] || fail "headwater $order without its file: $said"
  says 'nowhere.yaml: cannot be read: check that it exists and may be read by this user'
  says 'headwater: which daemon is meant stands in its configuration: give a good one by --config FILE, or its socket by --socket PATH'
done
# A socket that is given needs no file.
prints 2 "cannot reach the daemon at $work/no.sock" "$bin_dir/headwater" --config nowhere.yaml --socket "$work/no.sock" status
prints 64 "headwater: there is no command bogus; see headwater --help" "$bin_dir/headwater" --socket "$work/no.sock" bogus
prints 64 "it is empty; leave --where out to read every record" "$bin_dir/headwater" --socket "$work/no.sock" resync Account --where ''
prints 64 "object excludes --sinks" "$bin_dir/headwater" --socket "$work/no.sock" audit Account --sinks
prints 64 "not in range 0" "$bin_dir/headwater" --socket "$work/no.sock" verify --wait abc
prints 64 "A subcommand is required" "$bin_dir/headwater" --socket "$work/no.sock"
: >no_ids
prints 64 "headwater: no ids in no_ids; it holds one a line" "$bin_dir/headwater" --socket "$work/no.sock" resync Account --ids no_ids

said=$("$bin_dir/headwaterd" --version) || fail "--version"
grep -Eqx 'headwaterd [0-9]+\.[0-9]+\.[0-9]+.*' <<<"$said" || fail "--version said: $said"
code=0
said=$("$bin_dir/headwaterd" 2>&1) || code=$?
[ $code != 0 ] || fail "no --config was accepted"
says '--config is required...'
echo "check_config: OK"
