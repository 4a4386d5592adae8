#!/usr/bin/python3
"""
Goal: a PIN unlocks for the person who entered it, for as long as was said, and
for nobody else; a machine never spends a try that no person entered, and never
the last one unasked. (SoftHSM itself warns after one wrong PIN, so the second
try already is a last one.)
"""
import json
import os
import time

import flow
from varlink import SIGNER, TOKEN, VarlinkError

WRONG = "00000000"
NOBODY_RULE = "[rule nobody]\nuser = nobody\nverbs = sign unlock list\nkeys = *\n"
CALL_AS_NOBODY = """
import json
try:
    print(json.dumps(varlink.call(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))))
except varlink.VarlinkError as e:
    print(json.dumps({"error": e.short, **e.parameters}))
"""


class PinTest(flow.SandboxTest):
    """A token without a stored PIN; each test begins with it locked and without a failure."""

    @classmethod
    def prepare(cls, box):
        box.replace_config("credential = sandbox-pin\n", "")
        box.replace_config("lease = shared\n", "")
        box.append_config(NOBODY_RULE)

    def setUp(self):
        if self.box.token()["pinFailures"]:
            self.sign(pin=self.box.pin, lastTry=True)
        if self.box.token()["state"] == "ready":
            self.box.call(TOKEN + "Lock", {"token": "sandbox"})

    def sign(self, **more):
        return self.box.sign("ec", **more)

    def sign_fails(self, error, **more):
        return self.assertFails(error, SIGNER + "Sign", {"key": "ec", "digest": flow.digest(), **more})

    def unlock(self, **more):
        return self.box.call(TOKEN + "Unlock", {"token": "sandbox", "pin": self.box.pin, **more})

    def as_nobody(self, method, parameters):
        return json.loads(flow.as_nobody(CALL_AS_NOBODY, self.box.socket, method, json.dumps(parameters)))

    def nobody_signs(self, **more):
        return self.as_nobody(SIGNER + "Sign", {"key": "ec", "digest": flow.digest(), **more})


class Leases(PinTest):
    def test_locked_token_asks_for_its_pin(self):
        self.assertEqual(self.box.token()["state"], "locked")
        found = self.sign_fails("PinRequired")
        self.assertEqual(found["token"], "sandbox")

    def test_pin_of_a_call_serves_that_call_only(self):
        self.assertIn("signature", self.sign(pin=self.box.pin))
        self.sign_fails("PinRequired")
        self.assertEqual(self.box.token()["state"], "locked")

    def test_pin_of_a_batch_serves_that_batch_only(self):
        items = [{"digest": flow.digest()} for _ in range(20)]
        with self.box.connect() as c:
            results = [r["result"] for r in c.more(SIGNER + "SignBatch", {"key": "ec", "items": items, "pin": self.box.pin})]
        self.assertEqual([r.get("error") for r in results], [None] * 20)
        self.sign_fails("PinRequired")
        wanted = {i["digest"] for i in items}
        self.assertEqual({e["proof"] for e in self.box.signed() if e["digest"] in wanted}, {"pin"})

    def test_unlock_for_so_many_signatures(self):
        self.assertEqual(self.unlock(uses=3)["uses"], 3)
        for left in (3, 2, 1):
            self.assertEqual(self.box.token()["uses"], left)
            self.assertIn("signature", self.sign())
        self.sign_fails("PinRequired")
        self.assertEqual(self.box.token()["state"], "locked")

    def test_unlock_for_one_signature_is_the_default(self):
        self.assertEqual(self.unlock()["uses"], 1)
        self.sign()
        self.sign_fails("PinRequired")

    def test_spent_uses_are_counted_under_a_pipeline(self):
        """More calls than uses, all sent at once: exactly as many signatures as were unlocked."""
        self.unlock(uses=10)
        with self.box.connect() as c:
            for _ in range(40):
                c.send(SIGNER + "Sign", {"key": "ec", "digest": flow.digest()})
            answers = [c.message() for _ in range(40)]
        self.assertEqual(len([a for a in answers if "error" not in a]), 10)
        self.assertEqual({a["error"] for a in answers if "error" in a}, {SIGNER + "PinRequired"})

    def test_unlock_for_so_long(self):
        self.unlock(uses=1000, seconds=1)
        self.assertIn("signature", self.sign())
        flow.until(lambda: self.box.token()["state"] == "locked", what="the end of the unlocking")
        self.sign_fails("PinRequired")

    def test_lock_ends_it(self):
        self.unlock(uses=5)
        self.box.call(TOKEN + "Lock", {"token": "sandbox"})
        self.sign_fails("PinRequired")

    def test_ends_with_the_worker(self):
        self.unlock(uses=5)
        (worker,) = self.box.workers()
        os.kill(worker, 9)
        flow.until(lambda: self.box.workers() not in ([], [worker]), what="a new worker")
        self.box.wait_token("sandbox", "locked")
        self.sign_fails("PinRequired")

    def test_another_person_does_not_sign_with_it(self):
        self.unlock(uses=5)
        self.assertEqual(self.nobody_signs()["error"], "PinRequired")
        self.assertEqual(self.box.token()["uses"], 5)

    def test_another_person_s_pin_is_not_judged_while_it_stands(self):
        self.unlock(uses=5)
        for pin in (self.box.pin, WRONG):
            self.assertEqual(self.nobody_signs(pin=pin)["error"], "Busy")
            answer = self.as_nobody(TOKEN + "Unlock", {"token": "sandbox", "pin": pin})
            self.assertEqual(answer["error"], "Busy")
            self.assertGreater(answer["retryAfterMs"], 0)
        self.assertEqual(self.box.token()["pinFailures"], 0)
        self.assertIn("signature", self.sign())

    def test_another_person_with_the_pin_unlocks_for_himself(self):
        self.assertIn("uses", self.as_nobody(TOKEN + "Unlock", {"token": "sandbox", "pin": self.box.pin, "uses": 2}))
        self.sign_fails("PinRequired")
        self.assertIn("signature", self.nobody_signs())
        self.box.call(TOKEN + "Lock", {"token": "sandbox"})  # by the verb admin
        self.assertEqual(self.nobody_signs()["error"], "PinRequired")

    def test_entries_say_how_the_person_was_known(self):
        entry = json.loads(self.sign(pin=self.box.pin)["receipt"]["entry"])
        self.assertEqual(entry["proof"], "pin")
        size = len(self.box.entries())
        self.unlock(uses=2)
        self.box.call(TOKEN + "Lock", {"token": "sandbox"})
        kinds = [(e["kind"], e["outcome"], e["uid"]) for e in self.box.entries()[size:]]
        self.assertEqual(kinds, [("unlock", "ok", os.getuid()), ("lock", "ok", os.getuid())])

    def test_uses_and_seconds_out_of_range(self):
        for more in ({"uses": 0}, {"uses": 1001}, {"uses": -1}, {"seconds": 0}, {"seconds": 28801}):
            with self.subTest(more):
                self.assertFails("InvalidParameter", TOKEN + "Unlock", {"token": "sandbox", "pin": self.box.pin, **more})
        self.assertEqual(self.box.token()["state"], "locked")


class Tries(PinTest):
    def test_wrong_pin_costs_one_try_and_is_remembered(self):
        self.sign_fails("PinIncorrect", pin=WRONG)
        self.assertEqual(self.box.token()["pinFailures"], 1)
        self.sign(pin=self.box.pin, lastTry=True)
        self.assertEqual(self.box.token()["pinFailures"], 0)

    def test_last_try_is_only_for_who_says_so(self):
        self.sign_fails("PinIncorrect", pin=WRONG)
        for pin in (WRONG, self.box.pin):
            self.sign_fails("PinLastTry", pin=pin)
        self.assertEqual(self.box.token()["pinFailures"], 1)
        began = time.monotonic()
        self.sign_fails("PinIncorrect", pin=WRONG, lastTry=True)
        self.assertGreater(time.monotonic() - began, 2, "the second try did not wait")
        self.assertEqual(self.box.token()["pinFailures"], 2)

    def test_failures_outlive_the_daemon(self):
        for how in ("stop", "kill"):
            with self.subTest(how):
                self.sign_fails("PinIncorrect", pin=WRONG, lastTry=True)
                failures = self.box.token()["pinFailures"]
                getattr(self.box, how)()
                self.box.start()
                self.assertEqual(self.box.token()["pinFailures"], failures)
                self.sign_fails("PinLastTry", pin=self.box.pin)
        self.sign(pin=self.box.pin, lastTry=True)

    def test_unlock_counts_as_sign_does(self):
        self.assertFails("PinIncorrect", TOKEN + "Unlock", {"token": "sandbox", "pin": WRONG})
        self.assertFails("PinLastTry", TOKEN + "Unlock", {"token": "sandbox", "pin": self.box.pin})
        self.unlock(lastTry=True)

    def test_pin_that_no_token_takes_costs_no_try(self):
        for pin in ("", "x" * 256):
            with self.subTest(len(pin)):
                self.sign_fails("InvalidParameter", pin=pin)
        with self.assertRaises(VarlinkError):
            self.sign(pin="123")  # shorter than SoftHSM allows
        self.assertEqual(self.box.token()["pinFailures"], 0)

    def test_pin_without_the_verb_unlock_is_refused_before_the_token(self):
        text = self.box.read("signetd.conf")
        self.box.set_config(text.replace("verbs = sign unlock list", "verbs = sign list"))
        self.box.call(flow.ADMIN + "Reload")
        try:
            self.assertEqual(self.nobody_signs(pin=WRONG)["error"], "NotPermitted")
            self.assertEqual(self.box.token()["pinFailures"], 0)
        finally:
            self.box.set_config(text)
            self.box.call(flow.ADMIN + "Reload")

    def test_wrong_pins_are_in_the_log(self):
        size = len(self.box.entries())
        self.sign_fails("PinIncorrect", pin=WRONG)
        entry = self.box.entries()[size]
        self.assertEqual((entry["kind"], entry["outcome"], entry["error"]), ("sign", "failed", "PinIncorrect"))
        self.assertNotIn("signatureHash", entry)


class StoredPin(flow.SandboxTest):
    """The stored PIN is wrong: one try, ever, until a person has entered the right one."""

    @classmethod
    def prepare(cls, box):
        cls.right = box.pin
        with open(box.path("credentials/sandbox-pin"), "w", encoding="ascii") as f:
            f.write(WRONG)

    def failures(self):
        return self.box.rows_live("SELECT sum(failures + pending) FROM tried WHERE source = 'stored'")[0][0]

    def test_one_try_over_restarts_reloads_and_dead_workers(self):
        self.assertEqual(self.failures(), 1)
        self.assertFails("PinRequired", SIGNER + "Sign", {"key": "ec", "digest": flow.digest()})
        os.kill(self.box.workers()[0], 9)
        self.box.stop()
        self.box.start()
        self.box.kill()
        self.box.start()
        self.box.call(flow.ADMIN + "Reload")
        self.assertEqual(self.failures(), 1)
        self.assertEqual(self.box.token()["pinFailures"], 1)
        for _ in range(3):  # a person's right PIN proves nothing about the stored one, which differs
            self.box.sign("ec", pin=self.right, lastTry=True)
            self.assertFails("PinRequired", SIGNER + "Sign", {"key": "ec", "digest": flow.digest()})
        self.box.stop()
        self.box.start()
        self.assertFails("PinRequired", SIGNER + "Sign", {"key": "ec", "digest": flow.digest()})
        sent = [e for e in self.box.entries() if e["kind"] == "unlock" and e["proof"] == "credential"]
        self.assertEqual([e["outcome"] for e in sent], ["failed"])  # one try, ever

    def test_renewed_one_is_used_once_a_person_has_entered_the_same(self):
        with open(self.box.path("credentials/sandbox-pin"), "w", encoding="ascii") as f:
            f.write(self.right)
        self.assertFails("PinRequired", SIGNER + "Sign", {"key": "ec", "digest": flow.digest()})
        self.box.sign("ec", pin=self.right, lastTry=True)
        flow.until(lambda: self.box.token()["state"] == "ready", what="the stored PIN to be used again")
        self.assertIn("signature", self.box.sign("ec"))


if __name__ == "__main__":
    flow.main()
