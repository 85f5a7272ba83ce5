"""Private Postgres, Redis and Kafka servers, each behind a gate: started, stopped, frozen, killed, set back."""

import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess

from . import backwards, processes
from .wait import Failed, free_port, listens, until

ROOT = pathlib.Path(__file__).resolve().parents[3]


class Server:
    """What every server can do. `process` is None while it is down."""

    def __init__(self, name, folder, gates):
        self.name, self.folder, self.log = name, folder, f"{folder}.log"
        self.process = None
        self.gate = gates.open(name, "127.0.0.1:1")
        self.port = free_port()

    def freeze(self):
        processes.send(processes.tree(self.process.pid), signal.SIGSTOP)

    def thaw(self):
        processes.send(processes.tree(self.process.pid), signal.SIGCONT)

    def stop(self, number=signal.SIGTERM):
        if self.process:
            self.thaw()
            processes.end(self.process, number)
        self.gone()

    def kill(self):
        """All of its processes at once, as when the machine goes."""
        processes.send(processes.tree(self.process.pid), signal.SIGKILL)
        self.process.wait()
        self.gone()

    def gone(self):
        """Nobody listens, at the gate as behind it."""
        self.process = None
        self.gate.set(accept="refuse")

    def here(self, address):
        self.gate.target(address)
        self.gate.clear()

    def save(self, name):
        """Copies the data of a server that is down."""
        assert self.process is None
        shutil.rmtree(f"{self.folder}.{name}", ignore_errors=True)
        processes.run("cp", "-a", self.folder, f"{self.folder}.{name}")

    def restore(self, name):
        assert self.process is None
        shutil.rmtree(self.folder)
        processes.run("cp", "-a", f"{self.folder}.{name}", self.folder)


class Postgres(Server):
    """The daemon comes as `headwater`, with a password; tests come as `postgres`, straight to the server."""

    PASSWORD = "first"

    def __init__(self, folder, gates, name="postgres", options=()):
        super().__init__(name, folder, gates)
        self.options = options
        # The server refuses to be root: then it is the user of Debian's package.
        self.user = pwd.getpwnam("postgres").pw_uid if os.getuid() == 0 else None
        self.bin = processes.run("pg_config", "--bindir").strip()
        os.makedirs(folder, exist_ok=True)
        if self.user:
            shutil.chown(folder, self.user, self.user)
        self.as_owner(f"{self.bin}/initdb", "-D", f"{folder}/data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C",
                      "--no-sync")
        with open(f"{folder}/data/pg_hba.conf", "w") as rules:
            rules.write("host all headwater 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\nlocal all all trust\n")
        self.start()
        self.sql(f"create role headwater login password '{self.PASSWORD}'", "create database crm owner headwater",
                 database="postgres")
        backwards.watch(self)

    def as_owner(self, *command):
        try:
            return processes.run(*command, user=self.user, group=self.user, extra_groups=[] if self.user else None, cwd="/")
        except subprocess.CalledProcessError as error:
            raise Failed(f"{command[0]}: {error.stdout}") from None

    def start(self):
        self.process = processes.child(
            [f"{self.bin}/postgres", "-D", f"{self.folder}/data", "-p", str(self.port), "-k", self.folder,
             "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=30", *self.options], self.log, user=self.user)
        until("Postgres answers", self.answers, 60, told=lambda: pathlib.Path(self.log).read_text()[-500:])
        self.here(f"127.0.0.1:{self.port}")

    def answers(self):
        return subprocess.run(["pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False).returncode == 0

    def sql(self, *statements, database="crm"):
        """Each statement by itself, also while writing is off by default; the last one's rows as lines of `a|b`."""
        env = dict(os.environ, PGOPTIONS="-c default_transaction_read_only=off")
        out = ""
        for statement in statements:
            try:
                out = processes.run("psql", "-XAtq", "-v", "ON_ERROR_STOP=1",
                                    f"postgresql://postgres@127.0.0.1:{self.port}/{database}", "-c", statement, env=env)
            except subprocess.CalledProcessError as error:
                raise Failed(f"{statement}: {error.stdout}") from None
        return out.strip()

    def as_headwater(self, statement):
        """What a session of the daemon's role says to it, be it an error."""
        return processes.run("psql", "-XAtq", f"postgresql://headwater@127.0.0.1:{self.port}/crm", "-c", statement, check=False,
                             env=dict(os.environ, PGPASSWORD=self.PASSWORD))

    def end_sessions(self):
        return int(self.sql("select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = 'headwater'"))


class Redis(Server):
    """The daemon comes as the user `headwater`, with a password; tests come as the default user, who has none."""

    PASSWORD = "first"
    RIGHTS = ["~*", "&*", "+@all"]

    def __init__(self, folder, gates, name="redis"):
        super().__init__(name, folder, gates)
        os.makedirs(folder, exist_ok=True)
        self.start()

    def start(self, *options):
        """Data as the folder has it: `dump.rdb` if there is one."""
        self.process = processes.child(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.folder, "--save", "",
             "--enable-debug-command", "yes", "--enable-protected-configs", "yes",
             "--user", "headwater", "on", f">{self.PASSWORD}", *self.RIGHTS, *options], self.log)
        until("Redis answers", lambda: self.call("ping", check=False) == "PONG", 20)
        self.here(f"127.0.0.1:{self.port}")

    def call(self, *words, check=True):
        out = processes.run("redis-cli", "-p", str(self.port), *words, check=False).strip()
        if check and out.startswith(("ERR", "NOPERM", "WRONG", "Could not")):
            raise Failed(f"redis {' '.join(words)}: {out}")
        return out

    def stop_empty(self):
        self.call("shutdown", "nosave", check=False)
        self.process.wait()
        self.gone()


class Kafka(Server):
    """Apache Kafka, one node (scripts/lib/kafka.sh). Clients are told the gate's port."""

    SCRIPT = str(ROOT / "scripts/lib/kafka.sh")
    # Everybody may do everything, until a cell denies something.
    SETTINGS = ("authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                "allow.everyone.if.no.acl.found=true")

    @staticmethod
    def available():
        return subprocess.run([Kafka.SCRIPT, "fetch"], check=False).returncode == 0

    def __init__(self, bin_dir, folder, gates, name="kafka"):
        super().__init__(name, folder, gates)
        self.bin_dir = bin_dir
        self.start()

    def start(self):
        env = dict(os.environ, KAFKA_OWNER=str(os.getpid()), KAFKA_ADVERTISED=f"127.0.0.1:{self.gate.port}")
        # The node inherits what the script writes to: a pipe would stay open.
        with open(self.log, "ab") as log:
            done = subprocess.run([self.SCRIPT, "start", self.folder, *self.SETTINGS], check=False, stdin=subprocess.DEVNULL, stdout=log,
                                  stderr=log, env=env)
        if done.returncode != 0:
            raise Failed(f"Kafka did not start: {pathlib.Path(self.log).read_text()[-500:]}")
        address = pathlib.Path(self.log).read_text().split()[-1]
        self.here(address)
        self.port = int(address.split(":")[1])
        self.process = int(pathlib.Path(f"{self.folder}/pid").read_text())

    def stop(self, number=signal.SIGTERM):
        if self.process is None:
            return
        self.thaw()
        processes.run(self.SCRIPT, "kill" if number == signal.SIGKILL else "stop", self.folder)
        self.gone()

    def kill(self):
        self.stop(signal.SIGKILL)

    def freeze(self):
        processes.send([self.process], signal.SIGSTOP)

    def thaw(self):
        processes.send([self.process], signal.SIGCONT)

    def topics(self, prefix):
        return self.admin("list", prefix).split()

    def messages(self, topic, committed=False):
        """All that stands in a topic. `committed`: without what no transaction committed."""
        out = processes.run(f"{self.bin_dir}/headwater-read-topic", "--brokers", f"127.0.0.1:{self.gate.port}", "--topic", topic,
                            *(["--committed"] if committed else []))
        return [json.loads(line) for line in out.splitlines()]

    def admin(self, *words):
        """headwater-kafka-admin: what an operator does to topics."""
        try:
            return processes.run(f"{self.bin_dir}/headwater-kafka-admin", "--brokers", f"127.0.0.1:{self.gate.port}", *words)
        except subprocess.CalledProcessError as error:
            raise Failed(f"kafka {words}: {error.stdout}") from None


class Servers:
    """All three, and the gates."""

    def __init__(self, bin_dir, folder, kafka=True):
        from .gates import Gates

        self.folder = folder
        os.chmod(folder, 0o755)
        self.gates = Gates(bin_dir, folder)
        self.all = []
        try:
            self.postgres = self.add(Postgres(f"{folder}/postgres", self.gates))
            self.redis = self.add(Redis(f"{folder}/redis", self.gates))
            self.redis.watch = backwards.RedisWatch(self.redis)
            self.kafka = self.add(Kafka(bin_dir, f"{folder}/kafka", self.gates)) if kafka else None
        except BaseException:
            self.close()
            raise

    def add(self, server):
        self.all.append(server)
        return server

    def of(self, sink):
        return getattr(self, sink)

    def close(self):
        for server in self.all:
            server.gate.clear()
            server.stop(signal.SIGINT if server.name.startswith("postgres") else signal.SIGTERM)
        self.gates.close()
