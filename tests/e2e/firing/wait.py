"""Waiting for another process: always for something, always with a deadline."""

import socket
import time


class Failed(Exception):
    """A cell's expectation does not hold; the text says which, and what was there instead."""


def until(what, condition, seconds=60.0, every=0.03, told=None):
    """Polls until `condition()` is true and returns what it gave. `told()`: what is there instead, for the message."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise Failed(f"not within {seconds:g} s: {what}" + (f"; instead: {told()}" if told else ""))
        time.sleep(every)


def listens(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
