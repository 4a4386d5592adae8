#!/usr/bin/python3
"""
Goal: every fault that the scripted module knows, met by every operation, on a
person's token and on one that stands open for everyone: the caller gets the
error that the table says, the log what is known, nothing hangs, listing never
notices, and once the fault is gone the token works again by itself, soon. The
last lines print how soon.
"""
import time
import unittest

import flow
from varlink import SIGNER, TOKEN, VarlinkError

SLOW = 6 if flow.SANITIZED else 1
LIMIT_MS = 400 * SLOW  # sign-timeout and login-timeout
OPERATIONS = ("list", "unlock", "sign", "batch", "lock")
CRASH_SECONDS, REPLUG_SECONDS = 1, 3  # the promise
LOOK_SECONDS = 1  # the watcher's round where it polls
RETRY_SECONDS = 5  # until a token is tried again that was there and could not be used
REMOVED = ("slots absent", "sign rv 0x32", "login rv 0x32")

# What may come of an operation; "" is success. Where two are named, it depends on who is first to notice.
GONE = ("TokenAbsent", "TokenFailed", "PinRequired")
BROKEN = ("TokenFailed",)
LATE = ("Timeout",)
FINE = ("",)
# name, script, what signing gives, what a login gives, seconds until it works again
TABLE = (
    ("slow signature", ("sign delay 100",), FINE, FINE, LOOK_SECONDS),
    ("signature that hangs", ("sign hang",), LATE, FINE, CRASH_SECONDS),
    ("login that hangs", ("login hang",), FINE, LATE, CRASH_SECONDS),
    ("crash by SIGSEGV", ("sign segv",), BROKEN, FINE, CRASH_SECONDS),
    ("crash by SIGBUS", ("sign sigbus",), BROKEN, FINE, CRASH_SECONDS),
    ("crash in the login", ("login segv",), FINE, BROKEN, CRASH_SECONDS),
    ("wrong signature", ("sign wrong",), BROKEN, FINE, LOOK_SECONDS),
    ("another key's signature", ("sign otherkey",), BROKEN, FINE, LOOK_SECONDS),
    ("removed", REMOVED, GONE, GONE, REPLUG_SECONDS + LOOK_SECONDS),
    ("said to be present", ("sign rv 0x5",), BROKEN, FINE, CRASH_SECONDS),
    ("no more sessions", ("sign rv 0x5", "opensession rv 0xb1"), BROKEN, FINE, RETRY_SECONDS),
    ("session closed while idle", ("signinit rv 0xb3 once",), FINE, FINE, LOOK_SECONDS),
    ("leak", ("sign leak 65536",), FINE, FINE, LOOK_SECONDS),
    ("general error at the login", ("login rv 0x5",), FINE, BROKEN, CRASH_SECONDS),
    ("two tokens with its label", ("sign rv 0x5", "slots twin"), BROKEN, FINE, RETRY_SECONDS),
)
OUTCOMES = {"": {"ok"}, "Timeout": {"unknown", "failed"}, "TokenFailed": {"unknown", "failed"},
            "TokenAbsent": {"failed", "unknown"}, "PinRequired": {"failed"}}


class Table:
    """One kind of token; each operation as somebody would ask for it."""

    recoveries = {}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.recoveries = {}

    @classmethod
    def tearDownClass(cls):
        for name, times in cls.recoveries.items():
            print(f"recovery, {cls.KIND}: {name}: at most {max(times):.2f} s of {len(times)}")
        super().tearDownClass()

    @classmethod
    def prepare(cls, box):
        box.crashes_wanted = True
        box.use_faults(f"sign-timeout = {LIMIT_MS}ms\nlogin-timeout = {LIMIT_MS}ms\n")

    def attempt(self, method, parameters):
        """The error's name or "", and the seconds that it took."""
        began = time.monotonic()
        try:
            self.box.call(method, parameters)
            error = ""
        except VarlinkError as problem:
            error = problem.short
        return error, time.monotonic() - began

    def pin(self):
        return {"pin": self.box.pin, "lastTry": True}

    def op_list(self):
        return self.attempt(TOKEN + "List", {"token": "sandbox"})

    def op_unlock(self):
        return self.attempt(TOKEN + "Unlock", {"token": "sandbox", "uses": 5, **self.pin()})

    def op_sign(self):
        return self.attempt(SIGNER + "Sign", {"key": "ec", "digest": flow.digest(), **self.pin_of_calls()})

    def op_batch(self):
        began = time.monotonic()
        items = [{"digest": flow.digest()} for _ in range(3)]
        try:
            with self.box.connect() as c:
                results = [r["result"] for r in c.more(SIGNER + "SignBatch", {"key": "ec", "items": items, **self.pin_of_calls()})]
            errors = {(r.get("error") or "").rpartition(".")[2] for r in results}
        except VarlinkError as problem:
            errors = {problem.short}
        self.assertLessEqual(len(errors), 3)
        # the first that fails may take the unlocking with it, or the token's driver: the others say so
        first = errors - {"PinRequired", ""} or errors
        return sorted(first)[0], time.monotonic() - began

    def op_lock(self):
        return self.attempt(TOKEN + "Lock", {"token": "sandbox"})

    def wanted(self, operation, signing, login):
        """What the operation may end in."""
        if operation in ("list", "lock"):
            return FINE if login is not GONE else FINE + GONE
        if operation == "unlock":
            return login
        if not self.pin_of_calls():
            return signing
        return login if login != FINE else signing

    def base(self):
        """The token is there, without a fault, as it was."""
        self.box.fault()
        self.box.wait_token("sandbox", self.STATE)

    def recovers(self, name, operation, limit):
        """It is as it was, and who has the PIN signs: at once, or after the pause that an unanswered PIN costs."""
        self.box.fault()
        began = time.monotonic()
        states = ("locked",) if operation == "lock" else ("locked", "ready") if operation == "unlock" else (self.STATE,)
        flow.until(lambda: self.box.token()["state"] in states, 30, f"{name}: the token to be {' or '.join(states)}")
        took = time.monotonic() - began
        self.recoveries.setdefault(name, []).append(took)
        self.assertLess(took, limit * SLOW + 1, name)
        self.assertEqual(self.attempt(SIGNER + "Sign", {"key": "ec", "digest": flow.digest(), **self.pin()})[0], "", name)

    def one(self, name, script, operation, allowed, limit):
        self.base()
        if operation == "lock":
            self.assertEqual(self.op_unlock()[0], "")
        size = len(self.box.entries())
        self.box.fault(*script)
        error, took = getattr(self, "op_" + operation)()
        self.assertIn(error, allowed, (name, operation))
        self.assertLess(took, (2 * LIMIT_MS / 1000 + 2) * SLOW, (name, operation))
        listed, listing = self.op_list()
        self.assertEqual(listed, "")
        self.assertLess(listing, 0.5 * SLOW, "listing noticed the fault")
        new = [e for e in self.box.entries()[size:] if e["kind"] in ("sign", "unlock")]
        if operation in ("unlock", "sign") and error in ("", "Timeout"):
            self.assertTrue(new, (name, operation))
        for e in new[:1]:
            if operation in ("unlock", "sign"):
                self.assertIn(e["outcome"], OUTCOMES[error], (name, operation, error))
        self.recovers(name, operation, limit)
        self.afterwards(operation)

    def test_every_fault_at_every_operation(self):
        for name, script, signing, login, limit in TABLE:
            for operation in OPERATIONS:
                with self.subTest(f"{name}, {operation}"):
                    self.one(name, script, operation, self.wanted(operation, signing, login), limit)


class Personal(Table, flow.SandboxTest):
    KIND, STATE = "personal", "locked"

    @classmethod
    def prepare(cls, box):
        super().prepare(box)
        box.replace_config("credential = sandbox-pin\n", "")
        box.replace_config("lease = shared\n", "")

    def pin_of_calls(self):
        return self.pin()

    def afterwards(self, operation):
        self.op_lock()


class Device(Table, flow.SandboxTest):
    """Open for everyone by its stored PIN."""

    KIND, STATE = "device", "ready"

    def pin_of_calls(self):
        return {}

    def afterwards(self, operation):
        """Who locked it opens it again; when that is spent its stored PIN is used as before."""
        if operation == "lock":
            self.assertEqual(self.attempt(TOKEN + "Unlock", {"token": "sandbox", **self.pin()})[0], "")
            self.assertEqual(self.op_sign()[0], "")


if __name__ == "__main__":
    flow.main()
