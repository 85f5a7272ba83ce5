"""Child processes that never outlive the run, and that may be stopped, frozen and killed."""

import ctypes
import os
import signal
import subprocess

PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)


def child(command, log, user=None, env=None, stdout=None):
    """Starts a process that dies with this one. `log`: where its output goes; `stdout`: where that goes instead."""

    def die_with_parent():
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

    with open(log, "ab") as out:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout or out, stderr=out, user=user, group=user,
                                extra_groups=[] if user else None, env=env, cwd="/", preexec_fn=die_with_parent)


def run(*command, check=True, **more):
    return subprocess.run(command, check=check, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, **more).stdout


def tree(pid):
    """A process and its children, parents first."""
    out = [pid]
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as children:
            for each in children.read().split():
                out += tree(int(each))
    except OSError:
        pass  # it ended meanwhile
    return out


def send(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def end(process, number=signal.SIGTERM, seconds=20):
    """Sends the signal and waits; what does not go is killed. The exit code."""
    if process.poll() is None:
        process.send_signal(number)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
