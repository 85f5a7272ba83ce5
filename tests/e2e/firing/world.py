"""A simulated org and a daemon in front of the servers, with names of its own in each target. Several may stand side by side."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import urllib.error
import urllib.request

from . import platform_events, processes
from .wait import Failed, free_port, until

SINKS = ("postgres", "redis", "kafka")
TOPIC = "/data/ChangeEvents"


def http(url, body=None, seconds=20):
    """(code, text) of a GET, or of a POST of JSON."""
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, {"Content-Type": "application/json"}), timeout=seconds) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


class Org:
    """headwater-org, its Pub/Sub port and its login each behind a gate."""

    def __init__(self, bin_dir, folder, gates, name, options=()):
        self.key = f"{folder}/{name}.pem"
        processes.run("openssl", "genrsa", "-out", self.key, "2048")
        processes.run("openssl", "rsa", "-in", self.key, "-pubout", "-out", f"{folder}/{name}.pub")
        self.process = processes.child(
            [f"{bin_dir}/headwater-org", "--public-key", f"{folder}/{name}.pub", "--client-id", "headwater", "--username",
             "fire@example.com", "--keepalive-interval", "250ms", *options], f"{folder}/{name}.org.log", stdout=subprocess.PIPE)
        told = json.loads(self.process.stdout.readline())
        self.control, self.url = told["control"], told["login_url"]
        self.pubsub = gates.open(f"{name}.pubsub", told["pubsub"])
        self.login = gates.open(f"{name}.login", self.url.removeprefix("http://"))
        self.events = platform_events.Publisher(self.post)

    def post(self, path, body=None, seconds=120):
        code, text = http(self.control + path, body or {}, seconds)
        if code != 200:
            raise Failed(f"the org refused POST {path}: {text}")
        return json.loads(text) if text.startswith("{") else {}

    def get(self, path):
        return http(self.control + path)[1]

    def faults(self, **what):
        self.post("/faults", what)

    def stats(self):
        return json.loads(self.get("/stats"))

    def emit(self, op, kind, fields=None, **more):
        """The new record's id."""
        out = self.post("/emit", {"op": op, "object": kind, "fields": fields or {}, **more})
        return (out.get("ids") or [None])[0]

    def records(self, kind):
        return [json.loads(line) for line in self.get(f"/truth?object={kind}").splitlines()]

    def close(self):
        processes.end(self.process)


class Load:
    """CRM life at a steady rate, and platform events beside it, on a thread of its own, from start to stop."""

    STEP = 4

    def __init__(self, org, rate):
        self.org, self.rate = org, rate
        self.stopping, self.pausing, self.still = threading.Event(), threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.failure = None

    def run(self):
        try:
            while not self.stopping.is_set():
                if self.pausing.is_set():
                    self.still.set()
                    self.stopping.wait(0.05)
                    continue
                self.org.post("/load", {"transactions": self.STEP, "rate": self.rate})
                self.org.events.publish()
        except Exception as error:  # told to whoever stops the load
            self.failure = error

    def __enter__(self):
        self.thread.start()
        return self

    @contextlib.contextmanager
    def paused(self):
        """Nothing changes while the block runs."""
        self.still.clear()
        self.pausing.set()
        until("the load pauses", lambda: self.still.is_set() or self.failure, 60)
        try:
            yield
        finally:
            self.pausing.clear()

    def stop(self):
        self.stopping.set()
        self.thread.join()
        if self.failure:
            raise Failed(f"the load ended: {self.failure}")

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()


class Daemon:
    """headwaterd. Its log is kept over restarts; `mark` says where the present cell's part begins."""

    def __init__(self, bin_dir, folder, name):
        self.bin_dir, self.config, self.log = bin_dir, f"{folder}/{name}.yaml", f"{folder}/{name}.log"
        self.control = f"{folder}/{name}.sock"
        self.process, self.url, self.mark = None, None, 0
        self.peak_mib = 0  # of lives that ended since forget_peak()
        self.preload = {}  # of its environment
        pathlib.Path(self.log).touch()

    def start(self):
        port = free_port()
        text = pathlib.Path(self.config).read_text().replace("PORT", str(port))
        running = self.config + ".running"
        pathlib.Path(running).write_text(text)
        self.url = f"http://127.0.0.1:{port}"
        self.process = processes.child([f"{self.bin_dir}/headwaterd", "--config", running], self.log,
                                       env=dict(os.environ, **self.preload))

    def up(self, seconds=60):
        """Waits until it answers."""
        until("headwaterd answers", self.answers, seconds, told=lambda: self.last_words())
        return self

    def answers(self):
        if self.process.poll() is not None:
            raise Failed(f"headwaterd ended with {self.process.returncode}: {self.last_words()}")
        try:
            return http(self.url + "/livez", seconds=2)
        except OSError:
            return None

    def end(self, number=signal.SIGTERM):
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.peak_mib = self.rss_mib()
        code = processes.end(self.process, number, 60)
        self.process = None
        return code

    def kill(self):
        """One that ended by itself has crashed, and is no kill."""
        code = self.end(signal.SIGKILL)
        if code != -signal.SIGKILL:
            raise Failed(f"headwaterd ended by itself, with {code}, before it was killed: {self.last_words()}")

    def send(self, number):
        self.process.send_signal(number)

    def status(self):
        try:
            return json.loads(http(self.url + "/status", seconds=10)[1])
        except OSError as error:
            raise Failed(f"/status: {error}: {self.last_words()}") from None

    def metrics(self):
        """Name with labels -> value."""
        out = {}
        for line in http(self.url + "/metrics")[1].splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                out[name] = float(value)
        return out

    def metric(self, start, label=""):
        """Sum of the metrics whose name with labels begins so, and has that label."""
        return sum(value for name, value in self.metrics().items() if name.startswith(start) and label in name)

    def said(self):
        """What it logged since `mark`."""
        with open(self.log, encoding="utf-8", errors="replace") as log:
            log.seek(self.mark)
            return log.read()

    def last_words(self):
        return " / ".join(self.said().splitlines()[-6:])

    def rss_mib(self, peak=True):
        """Now, or the peak of all lives since forget_peak()."""
        now = 0
        try:
            with open(f"/proc/{self.process.pid}/status") as status:
                for line in status:
                    if line.startswith("VmHWM:" if peak else "VmRSS:"):
                        now = int(line.split()[1]) / 1024
        except (AttributeError, OSError):
            pass  # it is down
        return max(now, self.peak_mib) if peak else now

    def forget_peak(self):
        """The peak of memory counts from here on."""
        self.peak_mib = 0
        try:
            pathlib.Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        except OSError:
            pass  # not ours to reset: the peak is then that of its whole life

    def descriptors(self):
        """(sockets, others). Without the ledger's tables and logs, whose number is as its compactions leave it."""
        sockets = others = 0
        folder = f"/proc/{self.process.pid}/fd"
        for each in os.listdir(folder):
            try:
                what = os.readlink(f"{folder}/{each}").removesuffix(" (deleted)")
                if what.startswith("socket:"):
                    sockets += 1
                elif not what.endswith((".sst", ".log")):
                    others += 1
            except OSError:
                pass  # closed meanwhile
        return sockets, others

    def threads(self):
        return len(os.listdir(f"/proc/{self.process.pid}/task"))


class World:
    """One org, one daemon, and what they are called in the servers. `config`: sections merged over the usual ones."""

    def __init__(self, bin_dir, servers, name, sinks=SINKS, org_options=(), config=None, state_dir=None, org=None, targets=None):
        self.bin_dir, self.servers, self.name, self.sinks = bin_dir, servers, name, sinks
        self.targets = targets or ("crm" if name == "main" else name)  # schema, prefix of keys, prefix of topics
        folder = servers.folder
        self.folder = folder
        self.owns_org = org is None
        self.org = org or Org(bin_dir, folder, servers.gates, name, org_options)
        self.state_dir = state_dir or f"{folder}/{name}.state"
        self.daemon = Daemon(bin_dir, folder, name)
        self.settings = config or {}
        self.another_ledger = False  # True: events were told under other revs before
        self.undo = contextlib.ExitStack()  # what goes with it
        self.passwords = {"postgres": servers.postgres.PASSWORD, "redis": servers.redis.PASSWORD}
        for sink in ("postgres", "redis"):
            self.write_password(sink, self.passwords[sink])
        write_secret(f"{folder}/client.secret", "headwater-secret")  # of the simulated org
        self.write_config()

    def write_password(self, sink, text):
        self.passwords[sink] = text
        write_secret(f"{self.folder}/{self.name}.{sink}.password", text)

    def write_config(self):
        """Deadlines are short, so that faults are met soon; what they decide is the same."""
        folder, name, servers, org, targets = self.folder, self.name, self.servers, self.org, self.targets
        sinks = {
            "postgres": {
                "url": f"postgresql://headwater@127.0.0.1:{servers.postgres.gate.port}/crm",
                "password_file": f"{folder}/{name}.postgres.password", "schema": targets,
                "connect_timeout": "3s", "statement_timeout": "4s", "lock_timeout": "2s"},
            "redis": {
                "url": f"redis://headwater@127.0.0.1:{servers.redis.gate.port}/0",
                "password_file": f"{folder}/{name}.redis.password", "prefix": f"{targets}:",
                "timeout": "3s"},
        }
        if servers.kafka:
            sinks["kafka"] = {
                "brokers": f"127.0.0.1:{servers.kafka.gate.port}", "topic_prefix": f"{targets}.",
                "timeout": "6s", "partitions": 3}
        config = {
            "state_dir": self.state_dir,
            "control": {"socket": self.daemon.control},
            "orgs": [{
                "name": "demo", "login_url": f"http://127.0.0.1:{org.login.port}", "http_timeout": "3s",
                "auth": {"flow": "jwt_bearer", "client_id": "headwater", "username": "fire@example.com",
                         "private_key_file": org.key, "audience": "https://login.salesforce.com"},
                "pubsub": {"endpoint": f"127.0.0.1:{org.pubsub.port}", "tls": False, "silence_max": "6s"},
                "streams": [{"topic": topic, "start": "earliest"} for topic in (TOPIC, platform_events.TOPIC)]}],
            "sinks": sinks,
            "http": {"listen": "127.0.0.1:PORT"},
        }
        merge(config, self.settings)
        config["sinks"] = {sink: config["sinks"][sink] for sink in self.sinks}
        text = json.dumps(config, indent=1).replace("FOLDER", folder)  # JSON is YAML
        pathlib.Path(self.daemon.config).write_text(text)

    # What there is to see

    def part(self, name):
        for part in self.daemon.status()["parts"]:
            if part["part"] == name:
                return part
        raise Failed(f"no part {name}")

    def sink(self, name):
        for sink in self.daemon.status()["sinks"]:
            if sink["sink"] == name:
                return sink
        raise Failed(f"no sink {name}")

    def lags(self):
        """Why not every target holds what the org has sent, in words; empty: they do."""
        out = self.behind_org()
        status = self.daemon.status()
        out += [f"{sink['sink']} open={sink['open']} lag={sink['lag_entries']} materializing={sink['materializing']}"
                for sink in status["sinks"] if not sink["open"] or sink["lag_entries"] or sink["materializing"]]
        out += [f"{part['part']} {part['state']}: {part['why']}" for part in status["parts"] if part["state"] != "ok"]
        out += ["records are being told anew"] if status["ledger"]["reprojecting"] else []
        return out

    def behind_org(self):
        """What its ledger lacks of what the org has sent, in words."""
        stats = self.org.stats()
        sent = {TOPIC: stats["last_replay_id"], platform_events.TOPIC: stats["platform_last_replay_id"]}
        return [f"{stream['topic']}: position {stream['position']}, sent {sent[stream['topic']]}"
                for stream in self.daemon.status()["streams"] if stream["position"] != sent[stream["topic"]]]

    def holes(self):
        return self.daemon.status()["holes"]

    def ready(self):
        code, text = http(self.daemon.url + "/readyz")
        return code == 200, text

    def in_step(self, seconds=120, holes=0):
        """Until every target holds what the org has sent, every part is ok and no more holes are open than `holes`."""

        def reached():
            return not self.lags() and len(self.holes()) <= holes

        until(f"{self.name} in step", reached, seconds, told=lambda: f"{self.lags()}, {len(self.holes())} holes: "
                                                                    f"{[hole['cause'] for hole in self.holes()][:3]}")

    def verify(self, *options):
        """The checker's verdict, once all is quiet."""
        env = dict(os.environ, PGPASSWORD=self.passwords["postgres"])
        done = subprocess.run([f"{self.bin_dir}/headwater-verify", "--config", self.daemon.config + ".running", "--org-control",
                               self.org.control, *options], check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, env=env)
        if done.returncode != 0:
            raise Failed("the checker: " + " / ".join(line for line in done.stdout.splitlines() if not line.startswith(
                ("ledger   ", "postgres   ", "redis   ", "kafka  ")) or "DIFFERENT" in line)[:1500])
        platform_events.verify(self, self.another_ledger)
        return done.stdout

    def command(self, *words):
        return processes.run(f"{self.bin_dir}/headwater", "--socket", self.daemon.control, *words, check=False)

    def close(self):
        try:
            self.daemon.end()
        finally:
            if self.owns_org:
                self.org.close()
            self.undo.close()

    def drop_state(self):
        shutil.rmtree(self.state_dir)


def write_secret(name, text):
    path = pathlib.Path(name)
    path.touch(0o600)
    path.write_text(text)


def merge(into, more):
    """Sections of `more` win, None takes a key out; `org` is the one org there is."""
    for key, value in more.items():
        if key == "org":
            merge(into["orgs"][0], value)
        elif value is None:
            into.pop(key, None)
        elif isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value
