#!/usr/bin/python3
"""
Goal: a worker that is killed under load fails exactly the calls that were on
its token, with TokenFailed; the next calls succeed within a second; the log
has every signature that a client holds exactly once.
"""
import os
import signal
import time

import flow
from varlink import SIGNER, VarlinkError

CONNECTIONS = 8
RECOVERY_SECONDS = 5 if flow.SANITIZED else 1


class WorkerKilled(flow.SandboxTest):
    @classmethod
    def prepare(cls, box):
        box.crashes_wanted = True

    def kill_one(self, how):
        """(errors the clients saw, seconds until the next signature)"""
        out = self.box.path(f"out-{how}")
        load = self.box.start_load("rsa", connections=CONNECTIONS, count=300, window=4, out=out)
        flow.until(lambda: os.path.exists(out) and os.path.getsize(out) > 20000, what="traffic")
        (worker,) = self.box.workers()
        os.kill(worker, how)
        began = time.monotonic()
        flow.wait_gone(worker)
        while True:  # what was in flight fails; the question is when it is over
            try:
                self.box.sign("rsa")
                break
            except VarlinkError as problem:
                self.assertEqual(problem.short, "TokenFailed")
        seconds = time.monotonic() - began
        self.assertNotIn(worker, self.box.workers())
        code, numbers, messages = self.box.end_load(load)
        self.assertEqual(numbers["wrong"] + numbers["lost"], 0, messages)
        self.assertEqual(numbers["good"] + numbers["errors"], CONNECTIONS * 300)
        good, errors = flow.received(out)
        self.assertEqual({name for name, _ in errors} - {"TokenFailed"}, set())
        self.assertEqual(code, 4 if errors else 0)
        self.check_log(good, errors)
        return errors, seconds

    def check_log(self, good, errors):
        logged = {}
        for e in self.box.entries():
            if e["kind"] == "sign":
                logged.setdefault(e["digest"], []).append(e)
        for digest, (index, signature_hash) in good.items():
            self.assertEqual([(e["index"], e["signatureHash"], e["outcome"]) for e in logged[digest]],
                             [(index, signature_hash, "ok")])
        for _, digest in errors:  # claimed or not: never recorded as signed, never twice
            self.assertIn([e["outcome"] for e in logged.get(digest, [])], ([], ["failed"], ["unknown"]))

    def test_sigkill(self):
        hit = 0  # kills that met the worker at work, and not between two requests
        for n in range(12):
            errors, seconds = self.kill_one(signal.SIGKILL)
            os.unlink(self.box.path(f"out-{signal.SIGKILL}"))
            self.assertLessEqual(seconds, RECOVERY_SECONDS)
            self.assertLessEqual(len(errors), CONNECTIONS * 4)
            hit += len(errors) > 0
            if n >= 2 and hit > 0:
                break
        self.assertGreater(hit, 0)

    def test_segmentation_fault(self):
        _, seconds = self.kill_one(signal.SIGSEGV)
        self.assertLessEqual(seconds, RECOVERY_SECONDS)

    def test_status_counts_the_starts(self):
        def starts():
            return self.box.status()["tokens"][0]["workerStarts"]

        before = starts()
        os.kill(self.box.workers()[0], signal.SIGKILL)
        flow.until(lambda: starts() > before, what="a new worker")
        self.box.wait_token()
        self.assertAnswers()

    def test_error_names_token_reason_and_entry(self):
        """The call in flight is answered as the interface says, and Collect finds what became of it."""
        for attempt in range(50):  # between two calls of one connection the worker holds none: then nothing fails
            with self.box.connect() as c:
                for n in range(200):
                    c.send(SIGNER + "Sign", {"key": "rsa", "digest": flow.digest(), "requestId": f"killed-{attempt}-{n}"})
                c.message()
                os.kill(self.box.workers()[0], signal.SIGKILL)
                answers = [c.message() for _ in range(199)]
            failed = [(n + 1, a) for n, a in enumerate(answers) if "error" in a]
            self.box.wait_token()
            if failed:
                break
        self.assertTrue(failed)
        n, answer = failed[0]
        self.assertEqual(answer["error"], SIGNER + "TokenFailed")
        self.assertEqual(answer["parameters"]["token"], "sandbox")
        self.assertTrue(answer["parameters"]["reason"])
        index = answer["parameters"].get("index")
        if index is not None:
            self.assertIn(self.box.entries()[index]["outcome"], ("failed", "unknown"))
        self.box.wait_token()


if __name__ == "__main__":
    flow.main()
