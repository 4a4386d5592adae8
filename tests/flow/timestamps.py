#!/usr/bin/python3
"""
Goal: a time-stamp of this machine is accepted by openssl(1), says what was
asked, and never shares its serial number with another one, whatever happens to
the daemon in between. Where the clock is not known to be right there is none.
"""
import base64
import json
import os
import secrets
import threading

import flow
import varlink
from varlink import SIGNER

CONTENT = b"Something that exists.\n"
POLICY = "1.3.6.1.4.1.99999.1"
KILLS, STAMPS = (20, 10000) if flow.LONG else (3, 100)


class Timestamps(flow.SandboxTest):
    @classmethod
    def prepare(cls, box):
        for key_id, name, kind in (("21", "p256", "EC:prime256v1"), ("22", "p384", "EC:secp384r1"),
                                   ("23", "p521", "EC:secp521r1")):
            box.add_key(key_id, name, kind)

    def stamp(self, data=CONTENT, algorithm="sha256", **more):
        reply = self.box.call(SIGNER + "Timestamp", {"digest": flow.digest(data, algorithm), **more})
        return base64.b64decode(reply["token"]), reply["receipt"]

    def file(self, name, data):
        path = self.box.path(name)
        with open(path, "wb") as f:
            f.write(data)
        return path

    def verify(self, token, data=CONTENT, *more, check=True):
        return flow.run("openssl", "ts", "-verify", "-in", self.file("t", token), "-token_in", "-data", self.file("d", data),
                        "-CAfile", self.box.path("ca.pem"), *more, check=check)

    def text(self, token):
        return flow.run("openssl", "ts", "-reply", "-in", self.file("t", token), "-token_in", "-token_out", "-text",
                        text=True).stdout

    def test_every_digest_is_stamped_and_accepted(self):
        for algorithm in ("sha256", "sha384", "sha512"):
            with self.subTest(algorithm):
                token, receipt = self.stamp(algorithm=algorithm)
                self.verify(token)
                self.assertNotEqual(self.verify(token, CONTENT + b".", check=False).returncode, 0)
                entry = json.loads(receipt["entry"])
                self.assertEqual((entry["kind"], entry["operation"], entry["format"], entry["outcome"]),
                                 ("timestamp", "timestamp", "tst", "ok"))
                self.assertEqual(entry["digest"], flow.digest(CONTENT, algorithm))
                self.assertEqual(entry["stampPolicy"], POLICY)
                self.assertEqual(entry["cmsHash"], flow.sha256_text(token))
                text = self.text(token)
                self.assertIn("0x" + entry["stampSerial"].upper(), text.replace("\n", ""))
                self.assertIn("Policy OID: " + POLICY, text)
                self.assertIn("Accuracy: 0x01 seconds", text)
                self.assertIn("Ordering: no", text)

    def test_nonce_and_certificates_as_asked(self):
        nonce = b"\xf0" + secrets.token_bytes(7)
        token, _ = self.stamp(nonce=base64.b64encode(nonce).decode())
        self.assertIn("Nonce: 0x" + nonce.hex().upper(), self.text(token))
        bare, _ = self.stamp(certReq=False)
        self.assertNotEqual(self.verify(bare, check=False).returncode, 0)
        self.verify(bare, CONTENT, "-untrusted", self.box.certificate("tsa"))
        self.assertLess(len(bare), len(token))
        for bad in ("", "!!!!", base64.b64encode(bytes(33)).decode()):
            self.assertFails("InvalidParameter", SIGNER + "Timestamp", {"digest": flow.digest(), "nonce": bad})
        token, _ = self.stamp(nonce=base64.b64encode(b"\1" * 32).decode())
        self.verify(token)

    def test_bad_digest_and_strangers_are_refused(self):
        self.assertFails("BadDigest", SIGNER + "Timestamp", {"digest": "sha1:" + "0" * 40})
        self.assertFails("Unsupported", SIGNER + "Sign", {"key": "tsa", "digest": flow.digest()})

    def test_keys_on_every_curve_stamp(self):
        for name in ("p256", "p384", "p521"):
            with self.subTest(name):
                self.remake_certificate(name)
                config = self.box.read("signetd.conf")
                self.box.replace_config("[timestamp sandbox]\nkey = tsa", f"[timestamp sandbox]\nkey = {name}")
                self.box.replace_config(f"object={name}\n", f"object={name}\nuse = timestamp\n")
                self.box.call(flow.ADMIN + "Reload")
                self.box.wait_token()
                for algorithm in ("sha256", "sha512"):
                    self.verify(self.stamp(algorithm=algorithm)[0])
                self.box.set_config(config)
        self.box.call(flow.ADMIN + "Reload")
        self.box.wait_token()

    def remake_certificate(self, name):
        """The sandbox makes certificates for people; this one becomes a clock's."""
        box, key_id = self.box, {"p256": "21", "p384": "22", "p521": "23"}[name]
        pem = box.certificate(name)
        public = self.file("pub.pem", flow.run("openssl", "x509", "-in", pem, "-noout", "-pubkey").stdout)
        extensions = self.file("ext", b"keyUsage=critical,digitalSignature\nextendedKeyUsage=critical,timeStamping\n")
        flow.run("openssl", "x509", "-new", "-force_pubkey", public, "-CA", box.path("ca.pem"), "-CAkey",
                 box.path("ca", "key.pem"), "-days", "900", "-subj", "/CN=Clock " + name, "-extfile", extensions, "-out", pem)
        der = self.file("c.der", flow.run("openssl", "x509", "-in", pem, "-outform", "DER").stdout)
        box.pkcs11_tool("--delete-object", "--type", "cert", "--id", key_id)
        box.pkcs11_tool("--write-object", der, "--type", "cert", "--id", key_id, "--label", name)

    def test_clock_that_is_not_known_to_be_right(self):
        """Test machines have no time service: without `clock = any` there are no stamps."""
        if self.box.status()["clock"] == "synchronised":
            self.skipTest("the clock of this machine is synchronised")
        self.box.replace_config("clock = any", "clock = synchronised")
        self.box.call(flow.ADMIN + "Reload")
        found = self.assertFails("ClockUnsynchronized", SIGNER + "Timestamp", {"digest": flow.digest()})
        self.assertIn("clock", found["message"])
        self.box.replace_config("clock = synchronised", "clock = any")
        self.box.call(flow.ADMIN + "Reload")
        self.verify(self.stamp()[0])

    def test_without_a_source_there_are_none(self):
        config = self.box.read("signetd.conf")
        self.box.set_config("\n".join(x for x in config.split("\n") if x not in (
            "[timestamp sandbox]", "key = tsa", "policy = " + POLICY, "clock = any")))
        self.box.call(flow.ADMIN + "Reload")
        self.assertFails("Unsupported", SIGNER + "Timestamp", {"digest": flow.digest()})
        self.box.set_config(config)
        self.box.call(flow.ADMIN + "Reload")
        self.verify(self.stamp()[0])


class Serials(flow.SandboxTest):
    """No two share a serial number, over kills of the daemon in the middle of the work."""

    def run_clients(self, serials, failures):
        def work():
            try:
                with self.box.connect() as c:
                    for _ in range(STAMPS // 4):
                        entry = json.loads(c.call(SIGNER + "Timestamp", {"digest": flow.digest()})["receipt"]["entry"])
                        serials.append(entry["stampSerial"])
            except (OSError, EOFError, varlink.VarlinkError) as e:  # the daemon was killed
                failures.append(e)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for t in threads:
            t.start()
        return threads

    def test_no_serial_number_twice(self):
        serials = []
        for kill in range(KILLS + 1):
            had = len(serials)
            failures = []
            threads = self.run_clients(serials, failures)
            if kill < KILLS:
                flow.until(lambda: len(serials) >= had + STAMPS // 2, 300, "half of the stamps")
                self.box.kill()
            for t in threads:
                t.join()
            if kill < KILLS:
                self.box.start()
            else:
                self.assertEqual(failures, [])
        self.assertGreaterEqual(len(serials), KILLS * STAMPS // 2 + STAMPS)
        self.assertEqual(len(set(serials)), len(serials))
        logged = [e["stampSerial"] for e in self.box.entries() if e["kind"] == "timestamp"]
        self.assertEqual(len(set(logged)), len(logged), "nor does the log have one twice, those without an answer included")
        self.assertLessEqual(set(serials), set(logged))


if __name__ == "__main__":
    flow.main()
