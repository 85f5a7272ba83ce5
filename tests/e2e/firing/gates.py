"""headwater-gate's client: one proxy in front of each server, whose faults a cell sets."""

import contextlib
import json
import socket
import subprocess

from . import processes


class Gates:
    """One headwater-gate process (tests/tools/gate_control.hpp has its words)."""

    def __init__(self, bin_dir, folder):
        self.path = f"{folder}/gates.sock"
        self.process = processes.child([f"{bin_dir}/headwater-gate", "--control", self.path], f"{folder}/gates.log",
                                       stdout=subprocess.PIPE)
        self.process.stdout.readline()
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        self.socket.connect(self.path)
        self.answers = self.socket.makefile("r")

    def say(self, **words):
        self.socket.sendall(json.dumps(words).encode() + b"\n")
        answer = json.loads(self.answers.readline())
        if "error" in answer:
            raise RuntimeError(f"gate: {words}: {answer['error']}")
        return answer

    def open(self, name, target):
        return Gate(self, name, self.say(open=name, target=target)["port"])

    def close(self):
        self.socket.close()
        processes.end(self.process)


class Gate:
    def __init__(self, gates, name, port):
        self.gates, self.name, self.port = gates, name, port

    def target(self, address):
        self.gates.say(open=self.name, target=address)

    def set(self, up=None, down=None, accept="pass"):
        """All of it: what is not given is as if new."""
        self.gates.say(gate=self.name, up=up or {}, down=down or {}, accept=accept)

    def both(self, **flow):
        self.set(up=flow, down=flow)

    def clear(self):
        self.set()

    def cut(self, how="reset"):
        return self.gates.say(gate=self.name, cut=how)["cut"]

    def counts(self):
        return self.gates.say(count=self.name)

    @contextlib.contextmanager
    def fault(self, up=None, down=None, accept="pass", cut=None):
        """The fault while the block runs. `cut`: open connections end first, so that all meet it."""
        self.set(up, down, accept)
        if cut:
            self.cut(cut)
        try:
            yield self
        finally:
            self.clear()
