# shellcheck shell=bash
# A private Postgres, Redis, Kafka and simulated org in one temporary folder, and a headwaterd in front of them. Sourced by
# the demo and the end-to-end tests. All of it listens on loopback, on free ports, and ends with stack_down.
#
#   stack_up DIR        folder for everything; set STACK_KAFKA=apache first for a real broker instead of the mock, or
#                       STACK_ENTITIES to more entities that the mock has topics of
#   stack_daemon_start  / stack_daemon_kill SIGNAL
#   stack_verify        `headwater verify` against all of it
# Needs: root_dir (the source tree), bin_dir (the built programs).

stack_pids=()

# free_port: one TCP port that was free a moment ago.
free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# wait_for SECONDS WHAT COMMAND...: until COMMAND succeeds; says WHAT did not come.
wait_for() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    if [ $SECONDS -ge $deadline ]; then
      echo "$what did not come within the time allowed" >&2
      return 1
    fi
    sleep 0.05
  done
}

# Postgres refuses to run as root: then it runs as the user that Debian's package made.
as_postgres() {  # as_postgres COMMAND...: becomes it, so call it in a subshell
  if [ "$(id -u)" = 0 ]; then
    exec setpriv --reuid=postgres --regid=postgres --clear-groups "$@"
  else
    exec "$@"
  fi
}

stack_postgres() {
  local pgbin
  pgbin=$(pg_config --bindir)
  pg_port=$(free_port)
  mkdir -p "$stack_dir/pg"
  chmod 755 "$stack_dir"
  if [ "$(id -u)" = 0 ]; then chown postgres: "$stack_dir/pg"; fi
  (cd / && as_postgres "$pgbin/initdb" -D "$stack_dir/pg/data" -U postgres -A trust -E UTF8 --locale=C --no-sync) \
    >"$stack_dir/pg.log" 2>&1
  (cd / && as_postgres "$pgbin/postgres" -D "$stack_dir/pg/data" -c listen_addresses=127.0.0.1 -p "$pg_port" \
    -k "$stack_dir/pg" "${STACK_POSTGRES_OPTIONS[@]}") >>"$stack_dir/pg.log" 2>&1 &
  stack_pids+=($!)
  pg_url="postgresql://postgres@127.0.0.1:$pg_port/postgres"
}

stack_redis() {
  redis_port=$(free_port)
  mkdir -p "$stack_dir/redis"
  redis-server --port "$redis_port" --bind 127.0.0.1 --dir "$stack_dir/redis" --save '' --appendonly no \
    --logfile "$stack_dir/redis.log" --daemonize no >/dev/null 2>&1 &
  stack_pids+=($!)
  redis_url="redis://127.0.0.1:$redis_port/0"
}

stack_kafka() {
  if [ "${STACK_KAFKA:-mock}" = apache ]; then
    # shellcheck source=scripts/lib/kafka.sh
    . "$root_dir/scripts/lib/kafka.sh"
    brokers=$(KAFKA_OWNER=$$ kafka_start "$stack_dir/kafka")
  else
    # The mock serves no topic creation: it is told its topics.
    local entities=() entity
    for entity in $(sed -n '/^entities:/,$s/^  \([a-z_]*\):$/\1/p' "$root_dir/schemas/crm/builtin.yaml") custom:Invoice__c ${STACK_ENTITIES:-}; do
      entities+=(--entity "$entity")
    done
    "$bin_dir/headwater-mock-kafka" --prefix crm. "${entities[@]}" >"$stack_dir/kafka.json" 2>"$stack_dir/kafka.log" </dev/null &
    stack_pids+=($!)
    wait_for 10 "the mock broker" test -s "$stack_dir/kafka.json"
    brokers=$(jq -r .bootstrap "$stack_dir/kafka.json")
  fi
}

# The org signs tokens against this key pair, made for this run alone. Its keepalives tell the newest position: often, so that
# stack_in_step sees it.
stack_org() {
  openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$stack_dir/key.pem" 2>/dev/null ||
    openssl genrsa -out "$stack_dir/key.pem" 2048 2>/dev/null
  chmod 600 "$stack_dir/key.pem"
  openssl rsa -in "$stack_dir/key.pem" -pubout -out "$stack_dir/key.pub" 2>/dev/null
  "$bin_dir/headwater-org" --seed "${STACK_SEED:-1}" --public-key "$stack_dir/key.pub" --client-id headwater-demo \
    --username headwater@demo.example --keepalive-interval 1s "${STACK_ORG_OPTIONS[@]}" >"$stack_dir/org.json" 2>"$stack_dir/org.log" &
  org_pid=$!
  stack_pids+=($org_pid)
  wait_for 20 "the simulated org" test -s "$stack_dir/org.json"
  org_pubsub=$(jq -r .pubsub "$stack_dir/org.json")
  org_login=$(jq -r .login_url "$stack_dir/org.json")
  org_control=$(jq -r .control "$stack_dir/org.json")
}

stack_config() {
  cat >"$stack_dir/headwater.yaml" <<END
state_dir: $stack_dir/state
orgs:
  - name: demo
    login_url: $org_login
    auth: {flow: jwt_bearer, client_id: headwater-demo, username: headwater@demo.example, private_key_file: $stack_dir/key.pem}
    pubsub: {endpoint: '$org_pubsub', tls: false}
    streams:
      - {topic: /data/ChangeEvents, start: earliest}
sinks:
  postgres: {url: '$pg_url'}
  redis: {url: '$redis_url'}
  kafka: {brokers: '$brokers'${STACK_KAFKA_OPTIONS:+, $STACK_KAFKA_OPTIONS}}
http: {listen: '127.0.0.1:$(free_port)'}
END
  http_url=http://$(sed -n "s/^http: {listen: '\(.*\)'}/\1/p" "$stack_dir/headwater.yaml")
}

stack_up() {
  stack_dir=$1
  STACK_ORG_OPTIONS=("${STACK_ORG_OPTIONS[@]}")
  STACK_POSTGRES_OPTIONS=("${STACK_POSTGRES_OPTIONS[@]}")
  stack_postgres
  stack_redis
  stack_kafka
  stack_org
  wait_for 20 "Postgres" pg_isready -q -h 127.0.0.1 -p "$pg_port"
  wait_for 10 "Redis" redis-cli -p "$redis_port" ping
  stack_config
}

stack_daemon_start() {
  "$bin_dir/headwaterd" --config "$stack_dir/headwater.yaml" >>"$stack_dir/headwaterd.log" 2>&1 &
  daemon_pid=$!
}

# stack_daemon_kill SIGNAL: sends it and waits for the end; its exit code is daemon_exit.
stack_daemon_kill() {
  kill "-$1" "$daemon_pid" 2>/dev/null
  daemon_exit=0
  wait "$daemon_pid" 2>/dev/null || daemon_exit=$?
  daemon_pid=
}

stack_verify() {
  "$bin_dir/headwater" --config "$stack_dir/headwater.yaml" verify --values --truth "$org_control/truth" "$@"
}

stack_status() { curl -sf "$http_url/status"; }

# True once the ledger has what the org has sent, and every sink has what the ledger has.
stack_in_step() {
  local sent
  sent=$(curl -sf "$org_control/stats" | jq -r .last_replay_id) || return 1
  stack_status | jq -e --arg sent "$sent" \
    '(.streams | all(.position == $sent)) and (.sinks | all(.open and .lag_entries == 0 and (.materializing | not))) and .holes_open == 0 and (.ledger.reprojecting | not)' >/dev/null
}

stack_down() {
  local pid
  [ -n "${daemon_pid:-}" ] && stack_daemon_kill TERM
  if [ "${STACK_KAFKA:-mock}" = apache ] && [ -d "$stack_dir/kafka" ]; then kafka_stop "$stack_dir/kafka" >/dev/null 2>&1; fi
  for pid in "${stack_pids[@]}"; do kill -TERM "$pid" 2>/dev/null; done
  for pid in "${stack_pids[@]}"; do wait "$pid" 2>/dev/null; done
  stack_pids=()
}
