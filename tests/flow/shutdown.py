#!/usr/bin/python3
"""
Goal: SIGTERM under load leaves nothing half done: what was claimed is
finished and recorded, what clients received is in the log, no claim is left,
and the log's last word is `stop`.
"""
import os
import signal
import time

import flow

SECONDS = 20


class Shutdown(flow.SandboxTest):
    def stop_under_load(self, key, how):
        out = self.box.path(f"out-{key}-{how}")
        load = self.box.start_load(key, connections=16, count=100000, window=4, out=out)
        flow.until(lambda: os.path.exists(out) and os.path.getsize(out) > 20000, what="traffic")
        began = time.monotonic()
        self.box.kill(how)
        self.assertLess(time.monotonic() - began, SECONDS)
        _, numbers, messages = self.box.end_load(load)
        self.assertEqual(numbers["wrong"], 0, messages)
        self.assertEqual(self.box.rows("SELECT count(*) FROM claim"), [(0,)])
        good, errors = flow.received(out)
        self.box.start()
        entries = self.box.entries()
        logged = {}
        for e in entries:
            if e["kind"] == "sign":
                logged.setdefault(e["digest"], []).append(e)
        for digest, (index, signature_hash) in good.items():
            self.assertEqual([(e["index"], e["signatureHash"]) for e in logged[digest]], [(index, signature_hash)])
        self.assertEqual([e for e in entries if e.get("outcome") == "unknown"], [])
        self.assertEqual([e for e in entries if e["kind"] in ("start", "stop")][-2]["kind"], "stop")
        self.assertLessEqual({name for name, _ in errors}, {"Busy", "TokenFailed", "Timeout"})
        # every signature that was recorded was also sent: the drain answers before it closes
        self.assertEqual({d for d, es in logged.items() if es[0]["outcome"] == "ok"} - self.seen, set(good))
        self.seen |= set(good)

    def test_sigterm_and_sigint_drain(self):
        self.seen = set()
        for key in ("rsa", "ec"):
            for how in (signal.SIGTERM, signal.SIGINT):
                with self.subTest(f"{key} {how}"):
                    self.stop_under_load(key, how)

    def test_idle_daemon_stops_at_once(self):
        with self.box.connect() as idle:
            began = time.monotonic()
            self.box.kill(signal.SIGTERM)
            self.assertLess(time.monotonic() - began, 5)
            self.assertEqual(idle.expect_close(), b"")
        self.assertFalse(os.path.exists(self.box.socket), "the socket is left behind")
        self.box.start()

    def test_workers_end_with_it(self):
        workers = self.box.workers()
        self.box.kill(signal.SIGTERM)
        for worker in workers:
            flow.wait_gone(worker)
        self.box.start()


if __name__ == "__main__":
    flow.main()
