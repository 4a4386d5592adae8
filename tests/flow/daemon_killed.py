#!/usr/bin/python3
"""
Goal: the daemon is killed under load, again and again. Each time every
signature that a client received is in the log exactly once, every claim that
was durable becomes an entry, no old worker outlives its daemon, and what was
left open stays `unknown` for ever instead of being signed twice.
"""
import os
import random

import flow
from varlink import SIGNER

ROUNDS = 50 if flow.LONG else 5
CONNECTIONS = 16


class DaemonKilled(flow.SandboxTest):
    def kill_once(self, n, key):
        """Traffic, SIGKILL at a random moment, the state it left, and a new start."""
        out = self.box.path(f"out-{n}")
        load = self.box.start_load(key, connections=CONNECTIONS, count=100000, window=2, out=out, request_ids=f"r{n}-")
        wanted = random.randrange(1, 60000)
        flow.until(lambda: os.path.exists(out) and os.path.getsize(out) >= wanted, what="traffic", seconds=60)
        workers = self.box.workers()
        self.box.kill()
        code, numbers, messages = self.box.end_load(load)
        self.assertEqual((code, numbers["wrong"]), (3, 0), messages)
        claims = [bytes(body) for (body,) in self.box.rows("SELECT body FROM claim")]
        for worker in workers:
            flow.wait_gone(worker)  # the end of its lanes ends it; it needs no signal
        self.box.start()
        return flow.received(out), claims

    def check(self, received, claims, size_before):
        good, _ = received
        logged = {}
        for e in self.box.entries():
            if e["kind"] == "sign":
                logged.setdefault(e["digest"], []).append(e)
        for digest, (index, signature_hash) in good.items():
            self.assertEqual([(e["index"], e["signatureHash"], e["outcome"]) for e in logged.get(digest, [])],
                             [(index, signature_hash, "ok")], digest)
        unknown = [e for e in self.box.entries()[size_before:] if e.get("outcome") == "unknown"]
        self.assertEqual(len(unknown), len(claims))
        bodies = b"\n".join(claims)
        for entry in unknown:
            self.assertIn(entry["digest"].encode(), bodies)
        self.assertEqual({d for d, es in logged.items() if len(es) > 1}, set(), "a digest was recorded twice")
        self.assertEqual(len(self.box.workers()), 1)
        return unknown

    def test_nothing_is_lost_and_nothing_doubled(self):
        interrupted = []
        for n in range(ROUNDS):
            size = len(self.box.entries())
            received, claims = self.kill_once(n, ("ec", "rsa")[n % 2])
            interrupted += self.check(received, claims, size)
            self.assertAnswers()
        self.assertTrue(interrupted, "no kill ever met a claim: the test proves nothing")
        entry = interrupted[0]
        for _ in range(2):
            found = self.assertFails("OutcomeUnknown", SIGNER + "Sign",
                                     {"key": entry["key"], "digest": entry["digest"], "requestId": entry["requestId"]})
            self.assertEqual(found["index"], entry["index"])
        self.assertEqual(self.box.call(SIGNER + "Collect", {"requestId": entry["requestId"]})["state"], "unknown")

    def test_second_daemon_on_the_same_state_is_refused(self):
        """Two owners of one log, or of one token, never exist."""
        text = self.box.read("signetd.conf")
        other = text.replace(f"socket = {self.box.socket}", f"socket = {self.box.path('other.sock')}")
        with open(self.box.path("other.conf"), "w", encoding="utf-8") as f:
            f.write(other)
        done = flow.run(flow.SIGNETD, "--config", self.box.path("other.conf"),
                        check=False, text=True, timeout=60,
                        env=dict(os.environ, CREDENTIALS_DIRECTORY=self.box.path("credentials")))
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(self.box.path("state"), done.stderr)
        self.assertAnswers()


if __name__ == "__main__":
    flow.main()
