#!/usr/bin/python3
"""
Goal: a TPM as the secure device, through tpm2-pkcs11 and confined as any other
module: unlocked by its stored PIN it signs for everyone, takes a batch, and
when it is lost and comes back it signs again without a hand on it, while the
token beside it does not notice.

Needs swtpm, libtpm2-pkcs11-1 and opensc. Without them it fails.
"""
import os
import time

import flow
import tpm
from varlink import SIGNER, VarlinkError

RECOVERY_SECONDS = 12 if flow.SANITIZED else 5


class Device(flow.SandboxTest):
    @classmethod
    def prepare(cls, box):
        cls.tpm = tpm.Tpm(box.path("tpm"))
        cls.addClassCleanup(cls.tpm.stop)
        box.set_credential("device-pin", tpm.PIN)
        box.append_config(cls.tpm.section(more="credential = device-pin\nlease = shared\nsign-timeout = 5s\nlogin-timeout = 5s\n"))
        cls.key = cls.tpm.public_key(box.path("ca"))

    def setUp(self):
        self.box.wait_token("device")

    def verifies(self, wanted, reply):
        place = self.box.path("ca")
        for name, content in (("digest", bytes.fromhex(wanted.partition(":")[2])), ("signature", flow.signature_of(reply))):
            with open(os.path.join(place, name), "wb") as f:
                f.write(content)
        return flow.run("openssl", "pkeyutl", "-verify", "-pubin", "-inkey", self.key, "-pkeyopt", "digest:sha256",
                        "-in", f"{place}/digest", "-sigfile", f"{place}/signature", check=False).returncode == 0

    def test_signs(self):
        wanted = flow.digest()
        self.assertTrue(self.verifies(wanted, self.box.call(SIGNER + "Sign", {"key": "device-ec", "digest": wanted})))
        self.assertEqual(self.box.token("device")["manufacturer"], "IBM")

    def test_signs_with_rsa_both_ways(self):
        for scheme in ("pkcs1", "pss"):
            self.assertEqual(len(flow.signature_of(self.box.sign("device-rsa", scheme=scheme))), 256)

    def test_batch(self):
        items = [{"digest": flow.digest()} for _ in range(30)]
        with self.box.connect() as c:
            results = [r["result"] for r in c.more(SIGNER + "SignBatch", {"key": "device-ec", "items": items})]
        for item, result in zip(items, sorted(results, key=lambda r: r["item"])):
            self.assertTrue(self.verifies(item["digest"], result), result)

    def test_lost_and_back(self):
        self.tpm.stop()
        try:
            with self.assertRaises(VarlinkError) as caught:
                self.box.sign("device-ec")
            self.assertIn(caught.exception.short, ("TokenFailed", "TokenAbsent", "Timeout"))
            flow.until(lambda: self.box.token("device")["state"] in ("absent", "failed"), what="the loss to be noticed")
            self.assertAnswers()  # the token beside it
        finally:
            self.tpm.start()
        began = time.monotonic()
        self.box.wait_token("device")
        took = time.monotonic() - began
        print(f"recovery: TPM back: {took:.2f} s")
        self.assertLess(took, RECOVERY_SECONDS + 2)
        wanted = flow.digest()
        self.assertTrue(self.verifies(wanted, self.box.call(SIGNER + "Sign", {"key": "device-ec", "digest": wanted})))
        self.assertEqual(self.box.token("device")["pinFailures"], 0)

    def test_wrong_pin_is_a_try(self):
        """tpm2-pkcs11 answers a wrong PIN with CKR_PIN_INCORRECT and tells no count: ours is the only one."""
        with self.assertRaises(VarlinkError) as caught:
            self.box.sign("device-ec", pin="00000000")
        self.assertEqual(caught.exception.short, "PinIncorrect")
        self.assertEqual(self.box.token("device")["pinFailures"], 1)
        self.assertIn("signature", self.box.sign("device-ec", pin=tpm.PIN))
        self.assertEqual(self.box.token("device")["pinFailures"], 0)


if __name__ == "__main__":
    flow.main()
