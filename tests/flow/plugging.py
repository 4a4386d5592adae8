#!/usr/bin/python3
"""
Goal: an office knows 27 tokens and a few are in. What is out costs nothing; what
comes or goes is seen by itself, told to whoever watches, and the rest goes on.
"""
import os
import signal
import time
import unittest

import flow
from varlink import SIGNER

TOKEN = "org.signetd.Token."
KNOWN = 26  # besides the one that is in
MIB = 1024  # KiB


def own_memory(pid):
    """KiB that no other process shares."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        fields = dict(line.split(":", 1) for line in f if ":" in line)
    return sum(int(fields[name].split()[0]) for name in ("Private_Clean", "Private_Dirty"))


def wake_ups(pid):
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status", encoding="ascii") as f:
            total += next(int(line.split()[1]) for line in f if line.startswith("voluntary_ctxt_switches"))
    return total


class Plugging(flow.SandboxTest):
    @classmethod
    def prepare(cls, box):
        box.use_faults()
        text = box.read("signetd.conf")
        section = text[text.index("[token sandbox]"):].split("\n\n")[0].split("\n")
        place = "\n".join(line for line in section if line.startswith(("module", "environment", "paths", " ")))
        for n in range(KNOWN):
            box.append_config(f"[token out{n}]\nlabel = out{n}\n{place}\n\n"
                              f"[key out{n}]\ntoken = out{n}\nuri = pkcs11:token=out{n};id=%01\n")

    def setUp(self):
        self.box.fault()
        self.box.wait_token()

    def watch(self):
        connection = self.box.connect()
        self.addCleanup(connection.close)
        connection.send(TOKEN + "Watch", {}, more=True)
        first = {}
        while (token := connection.message()["parameters"]["token"]) is not None:
            first[token["name"]] = token
        return connection, first

    @staticmethod
    def until_told(connection, name, state):
        while True:
            token = connection.message()["parameters"]["token"]
            if (token["name"], token["state"]) == (name, state):
                return token

    def test_workers_for_tokens_that_are_in_only(self):
        _, first = self.watch()
        self.assertEqual(len(first), KNOWN + 1)
        self.assertEqual({t["state"] for name, t in first.items() if name != "sandbox"}, {"absent"})
        self.assertEqual(len(self.box.workers()), 1)
        self.assertEqual(len(self.box.watchers()), 1)
        self.assertFails("TokenAbsent", SIGNER + "Sign", {"key": "out3", "digest": flow.digest()})
        self.assertEqual(len(self.box.workers()), 1)

    @unittest.skipIf(flow.SANITIZED, "a sanitizer needs memory of its own")
    def test_memory_of_each_process(self):
        self.assertLessEqual(own_memory(self.box.pid), 16 * MIB)
        for pid in self.box.workers() + self.box.watchers():
            self.assertLessEqual(own_memory(pid), 8 * MIB)

    def test_an_idle_watcher_wakes_once_a_second(self):
        (watcher,) = self.box.watchers()
        before, began = wake_ups(watcher), time.monotonic()
        time.sleep(5)  # this is the measure, not a wait for something
        self.assertLessEqual(wake_ups(watcher) - before, 2 * (time.monotonic() - began) + 2)

    def test_what_goes_and_comes_is_told(self):
        connection, first = self.watch()
        self.assertEqual(first["sandbox"]["state"], "ready")
        self.box.fault("slots absent")
        gone = self.until_told(connection, "sandbox", "absent")
        self.assertEqual(gone["reason"], "it is not inserted")
        flow.until(lambda: self.box.workers() == [], what="the end of its worker")  # killed, but not reaped at once
        self.assertFails("TokenAbsent", SIGNER + "Sign", {"key": "ec", "digest": flow.digest()})
        self.box.fault()
        self.until_told(connection, "sandbox", "ready")
        self.assertIn("signature", self.box.sign())
        entries = [e["state"] for e in self.box.entries() if e["kind"] == "token" and e["token"] == "sandbox"]
        self.assertIn("absent", entries)

    def test_signing_goes_on_while_the_watcher_is_replaced(self):
        (watcher,) = self.box.watchers()
        workers = self.box.workers()
        os.kill(watcher, signal.SIGKILL)
        self.assertIn("signature", self.box.sign())
        flow.until(lambda: self.box.watchers() not in ([], [watcher]), what="another watcher")
        # while nobody watched, each token was looked for by a worker of its own: they go, this one stayed
        flow.until(lambda: self.box.workers() == workers, what="the workers that were there before, and no other")
        self.assertIn("signature", self.box.sign())

    def test_a_hung_watcher_holds_nothing_up(self):
        (watcher,) = self.box.watchers()
        os.kill(watcher, signal.SIGSTOP)
        try:
            for _ in range(20):
                self.assertIn("signature", self.box.sign())
        finally:
            os.kill(watcher, signal.SIGCONT)


if __name__ == "__main__":
    flow.main()
