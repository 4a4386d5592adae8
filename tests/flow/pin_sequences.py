#!/usr/bin/python3
"""
Goal: with the real daemon, its real log and kill -9 at any moment, a token that
counts three tries and tells nobody is never brought to its end unasked: every
C_Login that it saw is one PIN that somebody entered, and the one that could be
the last was entered with lastTry. (unit/pin_sequences plays far more of this,
faster, with the log and the token as models.)

SIGNET_PIN_SEED=N repeats a sequence.
"""
import os
import random
import secrets
import threading

import flow
from varlink import SIGNER, TOKEN, Closed, VarlinkError

EVENTS = 200 if flow.LONG else 22
TRIES = 3
HIDDEN = "tokeninfo flags 0 0x70000"  # how many tries are left is not shown
COUNTED = f"login counted {TRIES}"
WRONG = "11111111"


class Sequences(flow.SandboxTest):
    @classmethod
    def prepare(cls, box):
        box.use_faults("login-timeout = 3s\n")
        box.fault(HIDDEN, COUNTED)
        box.replace_config("credential = sandbox-pin\n", "")
        box.replace_config("lease = shared\n", "")

    def seen(self):
        """What the token counted: (logins, wrong ones since the last right one)."""
        path = self.box.path("tokens/logins")
        if not os.path.exists(path):
            return 0, 0
        with open(path, encoding="ascii") as f:
            lines = f.read().split()
        wrong = 0
        for line in lines:
            wrong = wrong + 1 if line == "wrong" else 0 if line == "right" else wrong
        return lines.count("user"), wrong

    def enter(self, right, last_try):
        """A PIN entered by a person; the error's name or "", None if the daemon died meanwhile."""
        pin = self.box.pin if right else WRONG
        self.entered += 1
        logins, wrong = self.seen()
        parameters = {"pin": pin, "lastTry": last_try}
        try:
            if self.random.random() < 0.5:
                self.box.call(SIGNER + "Sign", {"key": "ec", "digest": flow.digest(), **parameters})
            else:
                self.box.call(TOKEN + "Unlock", {"token": "sandbox", **parameters})
            error = ""
        except VarlinkError as problem:
            error = problem.short
        except (OSError, Closed):
            error = None
        after = self.seen()[0]
        self.assertLessEqual(after - logins, 1, "one PIN, several tries")
        if wrong >= TRIES - 1 and not last_try:
            self.assertEqual(after, logins, "the last try was taken unasked")
        return error

    def back(self):
        self.box.start_daemon()
        flow.until(lambda: self.box.token()["state"] in ("locked", "blocked"), 30, "the token")

    # events

    def enters(self):
        right = self.random.random() < 0.6
        error = self.enter(right, self.random.random() < 0.3 or self.seen()[1] >= TRIES - 1 and right)
        self.assertIn(error, ("", "PinLastTry") if right else ("PinIncorrect", "PinLastTry", "PinBlocked"))

    def dies_while_it_logs_in(self):
        """After the claim, before the answer: whether the try was spent, nobody but the token knows."""
        right = self.random.random() < 0.5
        if self.seen()[1] >= TRIES - 1 and not right:
            return
        moment = self.random.random() * 0.3
        killer = threading.Timer(moment, os.kill, (self.box.pid, 9))
        killer.start()
        self.enter(right, self.random.random() < 0.3)
        killer.join()
        flow.wait_gone(self.box.pid)
        self.back()

    def worker_dies(self):
        for pid in self.box.workers():
            os.kill(pid, 9)
            flow.wait_gone(pid)
        flow.until(lambda: self.box.token()["state"] in ("locked", "blocked"), 30, "a new driver")

    def restarts(self):
        self.box.stop()
        self.back()

    def asks_without_a_pin(self):
        logins = self.seen()[0]
        try:
            self.box.sign()
        except VarlinkError as problem:
            self.assertIn(problem.short, ("PinRequired", "PinBlocked"))
        self.assertEqual(self.seen()[0], logins)

    def test_random_sequence(self):
        seed = int(os.environ.get("SIGNET_PIN_SEED") or secrets.randbelow(1 << 32))
        print(f"seed {seed}")
        self.random = random.Random(seed)
        self.entered = 0
        events = [(self.enters, 6), (self.dies_while_it_logs_in, 3), (self.worker_dies, 1), (self.restarts, 1),
                  (self.asks_without_a_pin, 2)]
        story = []
        try:
            for _ in range(EVENTS):
                (event,) = self.random.choices([e for e, _ in events], [w for _, w in events])
                story.append(event.__name__)
                event()
                logins, wrong = self.seen()
                self.assertLessEqual(logins, self.entered, "a try that nobody entered")
                if wrong >= TRIES:  # somebody asked for it: a new token
                    story.append("blocked")
                    with open(self.box.path("tokens/logins"), "a", encoding="ascii") as f:
                        f.write("right\n")
                    self.enter(True, True)
        except BaseException:
            print(f"repeat with SIGNET_PIN_SEED={seed}; it went: {', '.join(story)}")
            raise


if __name__ == "__main__":
    flow.main()
