#!/usr/bin/env bash
# An org that cannot be used as configured: each wrong setting is told with its remedy, in /status and on `headwater
# status`, and blocks only its own part. No sinks: they have no say in it.
#   bad_org_test.sh BIN_DIR
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh" "$1"
stack_dir=$work
stack_org || fail "the org did not start"

# start CLIENT_ID KEY_FILE TOPIC [MORE]: a daemon with these settings and a state directory of its own.
start() {
  [ -z "${daemon_pid:-}" ] || stack_daemon_kill TERM
  rm -rf "$work/state" "$work/headwaterd.log"
  cat >"$work/headwater.yaml" <<END_OF_FILE
state_dir: $work/state
orgs:
  - name: demo
    login_url: $org_login
    auth: {flow: jwt_bearer, client_id: $1, username: headwater@demo.example, private_key_file: $2}
    pubsub: {endpoint: '$org_pubsub', tls: false}
    streams:
      - {topic: $3, start: earliest}
    ${4:-}
http: {listen: '127.0.0.1:$(free_port)'}
END_OF_FILE
  http_url=http://$(sed -n "s/^http: {listen: '\(.*\)'}/\1/p" "$work/headwater.yaml")
  stack_daemon_start
  wait_for 10 "headwaterd" stack_status || fail "headwaterd did not start"
}

start somebody-else "$work/key.pem" /data/ChangeEvents
wait_for_part 10 "org demo" blocked "invalid_client_id"
wait_for_part 10 "org demo" blocked "check auth.client_id and the client secret or key"
answers /readyz 503 "org demo is blocked: log in to $org_login: HTTP 400 invalid_client_id"
answers /livez 200 ok
prints 0 "check auth.client_id" headwater status
# The stream is not at fault, and the service is up: systemd must not take it for one that hangs.
wait_for_part 10 "stream demo /data/ChangeEvents" waiting "see org demo"
wait_for_log 10 "msg=ready"

openssl genrsa -out "$work/other.pem" 2048 2>/dev/null
chmod 600 "$work/other.pem"
start headwater-demo "$work/other.pem" /data/ChangeEvents
wait_for_part 10 "org demo" blocked "invalid_grant"
wait_for_part 10 "org demo" blocked "the app holds the certificate of auth.private_key_file"

echo "no key at all" >"$work/other.pem"
start headwater-demo "$work/other.pem" /data/ChangeEvents
wait_for_part 10 "org demo" blocked "auth.private_key_file holds no RSA key in PEM"

start headwater-demo "$work/key.pem" /data/NoSuchChangeEvent
wait_for_part 10 "stream demo /data/NoSuchChangeEvent" blocked "topic.not.found"
wait_for_part 10 "stream demo /data/NoSuchChangeEvent" blocked "check the topic's name (case matters) and that Change Data Capture is switched on"
part_is "org demo" ok || fail "a missing topic disturbed its org"

# One stream may not be read; the other goes on.
org_post /faults '{"refuse_topic": "/data/AccountChangeEvent", "error_code": "subscription.topic.cannot.subscribe"}'
start headwater-demo "$work/key.pem" /data/AccountChangeEvent "  - {topic: /data/ContactChangeEvent}"
wait_for_part 10 "stream demo /data/AccountChangeEvent" blocked "the integration user may not subscribe; give it View All Data"
wait_for_part 10 "stream demo /data/ContactChangeEvent" ok

start headwater-demo "$work/key.pem" /data/ChangeEvents "org_id: 00D000000000001EAA"
wait_for_part 10 "org demo" fatal "but demo is org 00D000000000001EAA, by org_id or by its first login; correct login_url or org_id"
answers /readyz 503 "org demo is fatal"
wait_for_log 10 "level=error"

# A state directory belongs to one org for good: the same name may not lead elsewhere later.
start headwater-demo "$work/key.pem" /data/ChangeEvents
wait_for_part 10 "org demo" ok
stack_daemon_kill TERM
kill "$org_pid"
wait "$org_pid" 2>/dev/null
STACK_ORG_OPTIONS=(--org-id 00D7f0000000ABCEA2)
rm -f "$work/org.json"
stack_org || fail "the other org did not start"
sed -i "s|login_url: .*|login_url: $org_login|; s|endpoint: '[^']*'|endpoint: '$org_pubsub'|" "$work/headwater.yaml"
stack_daemon_start
wait_for 10 "headwaterd" stack_status || fail "headwaterd did not start"
wait_for_part 10 "org demo" fatal "this is org 00D7f0000000ABCEA2, but demo is org 00D5f000000HeadEAC"
echo "bad_org: OK"
