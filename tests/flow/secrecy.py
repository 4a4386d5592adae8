#!/usr/bin/python3
"""
Goal: a PIN, right or wrong, stored or given, is nowhere but where it must be:
not in the state directory, not in the messages, not in any process's
arguments or environment, not in the broker's memory after the call.
"""
import os
import signal
import re

import flow
from varlink import SIGNER, TOKEN, VarlinkError

WRONG = "7291840365"  # a PIN that is nowhere by accident


class MemoryTest(flow.SandboxTest):
    """What of a process can be read from outside."""

    @staticmethod
    def read_as_root(path):
        if os.geteuid() == 0:
            with open(path, "rb") as f:
                return f.read()
        return flow.run("sudo", "-n", "cat", path).stdout

    @staticmethod
    def memory(pid):
        """All that is written of a process's memory."""
        script = ("import re, sys\n"
                  "out = sys.stdout.buffer\n"
                  f"maps = open('/proc/{pid}/maps').read()\n"
                  f"memory = open('/proc/{pid}/mem', 'rb', 0)\n"
                  "for low, high in re.findall(r'^([0-9a-f]+)-([0-9a-f]+) rw', maps, re.M):\n"
                  "    low, high = int(low, 16), int(high, 16)\n"
                  "    if high - low > 1 << 30: continue\n"  # a sanitizer's shadow
                  "    memory.seek(low)\n"
                  "    try: out.write(memory.read(high - low))\n"
                  "    except OSError: pass\n")
        prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
        data = flow.run(*prefix, "/usr/bin/python3", "-c", script).stdout
        assert re.search(rb"org\.signetd|signet", data), "nothing was read"
        return data


class Secrecy(MemoryTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        try:
            cls.pins = [cls.box.pin.encode(), WRONG.encode()]
            cls.spend_pins()
        except BaseException:
            cls.box.remove()
            raise

    @classmethod
    def spend_pins(cls):
        """Every way in which a PIN comes in, and some in which it must not."""
        right = cls.box.pin
        for method, parameters in (
                (SIGNER + "Sign", {"key": "ec", "digest": flow.digest(), "pin": right}),
                (SIGNER + "Sign", {"key": "no-such-key", "digest": flow.digest(), "pin": right}),
                (SIGNER + "Sign", {"key": "ec", "digest": "sha256:00", "pin": right}),
                (SIGNER + "Sign", {"key": "ec", "digest": flow.digest(), "pin": right, "colour": "red"}),
                (SIGNER + "Sign", {"key": "ec", "digest": flow.digest(), "pin": right, "requestId": "pin-1"}),
                (SIGNER + "SignBatch", {"key": "ec", "items": [{"digest": flow.digest()}], "pin": right}),
                (TOKEN + "Unlock", {"token": "sandbox", "pin": right, "uses": 2}),
                (TOKEN + "Unlock", {"token": "no-such-token", "pin": right}),
                ("org.example.Other.Do", {"pin": right}),
                (SIGNER + "Forge", {"pin": right}),
                (SIGNER + "Sign", {"key": "ec", "digest": flow.digest(), "pin": [right]}),
                (SIGNER + "Sign", {"key": "ec", "digest": flow.digest(), "pin": WRONG})):
            try:
                cls.box.call(method, parameters)
            except VarlinkError as problem:
                for pin in (right, WRONG):
                    assert pin not in str(problem), problem
        with cls.box.connect() as c:  # half a message that holds a PIN, then silence and the end
            c.send_raw(b'{"method":"org.signetd.Signer.Sign","parameters":{"pin":"%s"' % right.encode())

    def assertNoPin(self, data, where):
        for pin in self.pins:
            self.assertNotIn(pin, data, where)

    def test_not_on_disk(self):
        for folder, _, names in os.walk(self.box.dir):
            for name in names:
                path = os.path.join(folder, name)
                if "credentials" not in path and os.path.isfile(path):
                    with open(path, "rb") as f:
                        self.assertNoPin(f.read(), path)

    def test_not_in_arguments_or_environments(self):
        for pid in [self.box.pid] + self.box.workers() + self.box.watchers():
            for name in ("cmdline", "environ"):
                path = f"/proc/{pid}/{name}"
                self.assertNoPin(self.read_as_root(path), path)

    def test_not_in_the_entries(self):
        for entry in self.box.entries():
            self.assertNoPin(entry["bytes"], entry["index"])

    def test_not_in_the_broker_s_memory(self):
        self.assertNoPin(self.memory(self.box.pid), "memory of signetd")

    def test_wrong_pin_is_in_no_memory_of_ours(self):
        for pid in self.box.workers():
            self.assertNotIn(WRONG.encode(), self.memory(pid), "memory of signet-token")

    def test_this_test_finds_what_is_there(self):
        """The search itself works: a word that the daemon certainly holds is found."""
        self.assertIn(self.box.socket.encode(), self.memory(self.box.pid))


class Lease(MemoryTest):
    """A person unlocks, signs, locks: his PIN is where the token is used, for as long as it is needed there."""

    @classmethod
    def prepare(cls, box):
        box.replace_config("credential = sandbox-pin\n", "")
        box.replace_config("lease = shared\n", "")

    def assertOnlyIn(self, pids, when):
        """Of all processes of this daemon only these may hold it."""
        pin = self.box.pin.encode()
        for pid in [self.box.pid, *self.box.children()]:
            if pid not in pids:
                self.assertNotIn(pin, self.memory(pid), f"{when}: memory of {self.read_as_root(f'/proc/{pid}/cmdline')}")
            for name in ("cmdline", "environ"):
                self.assertNotIn(pin, self.read_as_root(f"/proc/{pid}/{name}"), f"{when}: {name} of {pid}")

    def worker_of(self, token):
        (pid,) = [pid for pid, words in self.box.children().items() if words[1:] == [token]]
        return pid

    def assertNotOnDisk(self):
        pin = self.box.pin.encode()
        for folder, _, names in os.walk(self.box.dir):
            for name in names:
                path = os.path.join(folder, name)
                if "credentials" in path or not os.path.isfile(path):
                    continue
                self.assertFalse(name.startswith("core"), f"a core file: {path}")
                with open(path, "rb") as f:
                    self.assertNotIn(pin, f.read(), path)

    def test_only_the_worker_with_the_unlocked_token_has_it(self):
        pin = self.box.pin
        holder = self.worker_of("sandbox")
        self.box.call(TOKEN + "Unlock", {"token": "sandbox", "pin": pin, "uses": 10})
        self.assertOnlyIn([holder], "unlocked")
        self.box.sign()
        self.assertOnlyIn([holder], "after a signature")
        self.assertFails("PinIncorrect", TOKEN + "Unlock", {"token": "sandbox", "pin": WRONG})
        self.box.call(TOKEN + "Unlock", {"token": "sandbox", "pin": pin, "uses": 2, "lastTry": True})
        self.box.sign()
        self.box.sign()  # the last use ends it
        self.assertEqual(self.box.token()["state"], "locked")
        self.assertOnlyIn([], "after the last use")
        self.box.call(TOKEN + "Unlock", {"token": "sandbox", "pin": pin, "uses": 10})
        self.box.call(TOKEN + "Lock", {"token": "sandbox"})
        self.assertOnlyIn([], "locked")
        self.box.sign(pin=pin)
        self.assertOnlyIn([], "after a call with the PIN")
        os.kill(holder, signal.SIGKILL if flow.SANITIZED else signal.SIGSEGV)  # AddressSanitizer would report it
        flow.wait_gone(holder)
        self.box.wait_token("sandbox", "locked")
        self.assertOnlyIn([], "after its driver crashed")
        self.box.stop()
        try:
            self.assertNotOnDisk()
        finally:
            self.box.start()


if __name__ == "__main__":
    flow.main()
