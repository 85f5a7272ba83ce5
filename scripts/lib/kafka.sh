#!/usr/bin/env bash
# One private Apache Kafka node (KRaft, broker and controller in one) for tests. Source it, or run it:
#   kafka.sh fetch                  copy the jars into build/kafka (once; needs a Maven repository)
#   kafka.sh start DIR [k=v ...]    start a node with its data in DIR, print its bootstrap address
#   kafka.sh stop DIR               stop it (the data stays: start it again on the same ports)
#   kafka.sh kill DIR               SIGKILL it
# Extra k=v words are broker settings. With KAFKA_OWNER=PID set, the node ends when that process does. KAFKA_ADVERTISED=host:port:
# what clients are told instead of the node's own address, for one behind a proxy.
# Exit code 3: there are no jars and none can be fetched.

kafka_root() { (cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd); }
KAFKA_JARS=${KAFKA_JARS:-$(kafka_root)/build/kafka}

# Copies the jars of tests/kafka/pom.xml into $KAFKA_JARS, unless that pom's are already there.
kafka_fetch() {
  local pom stamp
  pom=$(kafka_root)/tests/kafka/pom.xml
  stamp=$(sha256sum <"$pom" | cut -c1-16)
  [ -e "$KAFKA_JARS/complete.$stamp" ] && return 0
  if ! command -v mvn >/dev/null || ! command -v java >/dev/null; then
    echo "kafka: fetching the broker's jars needs mvn and java" >&2
    return 3
  fi
  mkdir -p "$KAFKA_JARS"
  (
    flock 9  # several test programs may start at once
    [ -e "$KAFKA_JARS/complete.$stamp" ] && exit 0
    rm -rf "$KAFKA_JARS"/*.jar "$KAFKA_JARS"/complete.*
    if ! mvn -q -B -f "$pom" dependency:copy-dependencies -DoutputDirectory="$KAFKA_JARS" \
        -DincludeScope=runtime >"$KAFKA_JARS/mvn.log" 2>&1; then
      echo "kafka: mvn could not fetch the broker's jars, see $KAFKA_JARS/mvn.log" >&2
      exit 3
    fi
    touch "$KAFKA_JARS/complete.$stamp"
  ) 9>"$KAFKA_JARS/lock"
}

# Two free TCP ports. Another process could take one before the node binds it: start tries again.
kafka_free_ports() {
  python3 - <<'PY'
import socket
held = [socket.socket() for _ in range(2)]
for s in held:
    s.bind(("127.0.0.1", 0))
print(*(s.getsockname()[1] for s in held))
PY
}

kafka_java() {  # kafka_java DIR HEAP CLASS ARGS...: becomes the process, so call it in a subshell
  local dir=$1 heap=$2
  shift 2
  exec java "-Xmx$heap" -Xms64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto \
    -Djava.net.preferIPv4Stack=true "-Dlog4j.configuration=file:$dir/log4j.properties" \
    -cp "$KAFKA_JARS/*" "$@"
}

# kafka_configure DIR [k=v ...]: writes the settings and formats the storage.
kafka_configure() {
  local dir=$1 port controller word
  shift
  read -r port controller < <(kafka_free_ports)
  cat >"$dir/log4j.properties" <<END
log4j.rootLogger=WARN, out
log4j.appender.out=org.apache.log4j.FileAppender
log4j.appender.out.File=$dir/broker.log
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d{ISO8601} %p %m (%c)%n
END
  cat >"$dir/server.properties" <<END
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://${KAFKA_ADVERTISED:-127.0.0.1:$port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=$dir/data
auto.create.topics.enable=false
num.partitions=3
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=3
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=16777216
num.network.threads=2
num.io.threads=2
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=300
controller.quorum.election.timeout.ms=300
controller.quorum.fetch.timeout.ms=500
END
  for word in "$@"; do echo "$word" >>"$dir/server.properties"; done
  (kafka_java "$dir" 256m kafka.tools.StorageTool format --ignore-formatted \
    -t "$(head -c 16 /dev/urandom | base64 | tr '+/' 'ab' | tr -d '=')" \
    -c "$dir/server.properties" >"$dir/format.log" 2>&1)
}

kafka_address() { sed -n 's|^listeners=PLAINTEXT://\([^,]*\),.*|\1|p' "$1/server.properties"; }

# True once the broker answers on its port.
kafka_ready() {
  local address
  address=$(kafka_address "$1")
  (exec 3<>"/dev/tcp/${address%:*}/${address#*:}") 2>/dev/null
}

# Kills the node PID when process OWNER is gone: a test that was killed leaves nothing behind.
kafka_watch() {  # kafka_watch OWNER PID
  (while kill -0 "$1" 2>/dev/null && kill -0 "$2" 2>/dev/null; do sleep 1; done; kill -9 "$2") \
    >/dev/null 2>&1 </dev/null &
}

# kafka_start DIR [k=v ...]: starts a node (again, if DIR has one) and waits until it serves.
kafka_start() {
  local dir=$1 try deadline
  shift
  kafka_fetch || return $?
  mkdir -p "$dir"
  for try in 1 2 3; do
    if [ ! -e "$dir/server.properties" ]; then
      kafka_configure "$dir" "$@" || { cat "$dir/format.log" >&2; return 1; }
    fi
    kafka_java "$dir" 512m kafka.Kafka "$dir/server.properties" >"$dir/out.log" 2>&1 </dev/null &
    echo $! >"$dir/pid"
    [ -n "${KAFKA_OWNER:-}" ] && kafka_watch "$KAFKA_OWNER" $!
    deadline=$((SECONDS + 180))
    while [ $SECONDS -lt $deadline ] && kill -0 "$(cat "$dir/pid")" 2>/dev/null; do
      if kafka_ready "$dir"; then
        kafka_address "$dir"
        return 0
      fi
      sleep 0.05
    done
    kafka_kill "$dir"
    grep -q 'Address already in use' "$dir"/*.log || break
    rm -rf "$dir/server.properties" "$dir/data"
  done
  echo "kafka: the node did not start (attempt $try), its last words:" >&2
  tail -n 5 "$dir"/*.log >&2
  return 1
}

kafka_gone() {  # kafka_gone PID: waits; false if it is still there after 20 s
  for _ in $(seq 400); do
    kill -0 "$1" 2>/dev/null || return 0
    # A zombie that nobody has waited for has let go of its port and files once its last thread has ended.
    grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null && [ "$(ls "/proc/$1/task" 2>/dev/null | wc -l)" -le 1 ] && return 0
    sleep 0.05
  done
  return 1
}
kafka_signal() {  # kafka_signal DIR SIGNAL: sends it and waits until the process is gone; one that does not hear is killed
  local dir=$1 pid
  [ -e "$dir/pid" ] || return 0
  pid=$(cat "$dir/pid")
  kill "-$2" "$pid" 2>/dev/null
  kafka_gone "$pid" || { kill -KILL "$pid" 2>/dev/null; kafka_gone "$pid"; }
  rm -f "$dir/pid"
}
kafka_stop() { kafka_signal "$1" TERM; }
kafka_kill() { kafka_signal "$1" KILL; }

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  command=${1:-help}
  shift || true
  case $command in
    fetch) kafka_fetch ;;
    start) kafka_start "$@" ;;
    stop) kafka_stop "$@" ;;
    kill) kafka_kill "$@" ;;
    *) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
fi
