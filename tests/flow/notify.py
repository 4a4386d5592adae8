#!/usr/bin/python3
"""
Goal: the service manager hears what is true: ready, reloading, stopping, a
line of status, and WATCHDOG=1 only while the loop and both threads of the log
go round.
"""
import ctypes
import os
import signal
import socket
import subprocess
import time
import unittest

import flow
import ready

WATCHDOG_US = 400_000
SEIZE, INTERRUPT, DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def ptrace(request, tid):
    if libc.ptrace(request, tid, None, None) < 0:
        raise OSError(ctypes.get_errno(), f"ptrace({request:#x}) of {tid}")


class Frozen:
    """One thread of a process that does not run."""

    def __init__(self, pid, name):
        for tid in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{tid}/comm", encoding="utf-8") as f:
                if f.read().strip() == name:
                    self.tid = int(tid)
                    return
        raise AssertionError(f"no thread {name}")

    def __enter__(self):
        ptrace(SEIZE, self.tid)
        ptrace(INTERRUPT, self.tid)
        os.waitpid(self.tid, WALL)

    def __exit__(self, *_):
        ptrace(DETACH, self.tid)


class Notify(unittest.TestCase):
    def setUp(self):
        self.box = flow.Sandbox()
        self.addCleanup(self.box.remove)
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.manager.close)
        self.manager.bind(self.box.path("notify"))
        self.process = subprocess.Popen(
            [flow.SIGNETD, "--config", self.box.config], stderr=subprocess.DEVNULL,
            env=dict(os.environ, CREDENTIALS_DIRECTORY=self.box.path("credentials"),
                     NOTIFY_SOCKET=self.box.path("notify"), WATCHDOG_USEC=str(WATCHDOG_US)))
        self.addCleanup(self.end)

    def end(self):
        self.process.terminate()
        self.process.wait(timeout=60)

    def hear(self, timeout):
        """The next message's lines, or None."""
        self.manager.settimeout(timeout)
        try:
            return self.manager.recv(4096).decode().split("\n")
        except socket.timeout:
            return None

    def until(self, wanted):
        """All that is said up to a line that begins so."""
        heard = []
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            heard += self.hear(deadline - time.monotonic()) or []
            if any(line.startswith(wanted) for line in heard):
                return heard
        raise AssertionError(f"{wanted} was not said, only {heard}")

    def test_every_state_is_told(self):
        self.assertNotIn("STOPPING=1", self.until("READY=1"))
        ready.wait(self.box.socket, "sandbox")
        self.until("STATUS=1 of 1 tokens usable")
        for _ in range(4):
            self.until("WATCHDOG=1")
        self.process.send_signal(signal.SIGHUP)
        self.assertIn("RELOADING=1", self.until("READY=1"))
        self.process.terminate()
        self.until("STOPPING=1")

    def test_stuck_log_is_not_fed(self):
        self.until("READY=1")
        for thread in ("log-writer", "log-reader"):
            with self.subTest(thread):
                self.until("WATCHDOG=1")
                with Frozen(self.process.pid, thread):
                    heard = []
                    deadline = time.monotonic() + 3 * WATCHDOG_US / 1e6
                    while time.monotonic() < deadline:
                        heard += self.hear(max(deadline - time.monotonic(), 0.001)) or []
                    # what the thread had answered before it was stopped, and no more
                    self.assertLessEqual(heard.count("WATCHDOG=1"), 1)
                self.until("WATCHDOG=1")


if __name__ == "__main__":
    flow.main()
