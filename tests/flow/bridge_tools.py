#!/usr/bin/python3
"""
Goal: what OpenSC's pkcs11-tool lists, tests and signs through the bridge is
right: every mechanism of every key verifies with openssl(1), and each
signature is one entry of the log.
"""
import os

import bridge
import flow

HASHES = {"SHA256": "sha256", "SHA384": "sha384", "SHA512": "sha512"}


class Tools(bridge.BridgeTest):
    @classmethod
    def prepare(cls, box):
        box.add_key("06", "rsa3072", "rsa:3072")
        box.add_key("08", "p384", "EC:secp384r1")
        box.add_key("09", "p521", "EC:secp521r1")

    def signed_by_tool(self, key, mechanism, data, *words):
        before = len(self.box.signed())
        signature = self.sign(key, mechanism, data, *words)
        self.assertEqual(len(self.box.signed()) - before, 1, "entries of the log")
        return signature

    def test_mechanisms_that_hash(self):
        data = self.write("data", os.urandom(100000))
        for key, prefix, options in (("rsa", "{}-RSA-PKCS", ()), ("rsa3072", "{}-RSA-PKCS", ()),
                                     ("rsa", "{}-RSA-PKCS-PSS", bridge.PSS), ("rsa3072", "{}-RSA-PKCS-PSS", bridge.PSS),
                                     ("ec", "ECDSA-{}", ()), ("p384", "ECDSA-{}", ()), ("p521", "ECDSA-{}", ())):
            for name, algorithm in HASHES.items():
                with self.subTest(key=key, mechanism=prefix.format(name)):
                    signature = self.signed_by_tool(key, prefix.format(name), data)
                    self.assertVerifiesFile(key, algorithm, signature, data, *options)

    def test_mechanisms_that_take_a_digest(self):
        data = self.write("data", b"a document")
        for name, algorithm in HASHES.items():
            digest = flow.run("openssl", "dgst", f"-{algorithm}", "-binary", data).stdout
            with self.subTest(name):
                path = self.write("info", bridge.DIGEST_INFO[algorithm] + digest)
                self.assertVerifiesFile("rsa", algorithm, self.signed_by_tool("rsa", "RSA-PKCS", path), data)
                path = self.write("digest", digest)
                self.assertVerifiesFile("rsa", algorithm, self.signed_by_tool(
                    "rsa", "RSA-PKCS-PSS", path, "--hash-algorithm", name), data, *bridge.PSS)
                for key in ("ec", "p384", "p521"):
                    self.assertVerifiesFile(key, algorithm, self.signed_by_tool(key, "ECDSA", path), data)
                signature = self.write("signature", self.signed_by_tool("ed", "EDDSA", path))
                flow.run("openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", self.public("ed"), "-in", path,
                         "-sigfile", signature)

    def test_what_is_no_digest_is_refused(self):
        for key, mechanism, size, code in (
                ("rsa", "RSA-PKCS", 51, "CKR_DATA_INVALID"), ("rsa", "RSA-PKCS", 35, "CKR_DATA_INVALID"),
                ("rsa", "RSA-PKCS", 84, "CKR_DATA_INVALID"), ("ec", "ECDSA", 20, "CKR_DATA_LEN_RANGE"),
                ("ec", "ECDSA", 31, "CKR_DATA_LEN_RANGE"), ("ec", "ECDSA", 33, "CKR_DATA_LEN_RANGE"),
                ("ec", "ECDSA", 65, "CKR_DATA_LEN_RANGE"), ("ed", "EDDSA", 100, "CKR_DATA_LEN_RANGE")):
            with self.subTest(mechanism=mechanism, size=size):
                before = len(self.box.signed())
                done = self.tool("--sign", "--id", self.id(key), "--mechanism", mechanism, "--input-file",
                                 self.write("data", os.urandom(size)), "--output-file", self.path("never"), check=False)
                self.assertIn(code, done.stderr)
                self.assertEqual(len(self.box.signed()), before)

    def test_its_own_tests(self):
        done = self.tool("--test")
        self.assertIn("No errors", done.stdout)
        done = self.tool("--login", "--pin", self.box.pin, "--test")
        self.assertIn("No errors", done.stdout)

    def test_lists_no_seal(self):
        listed = self.tool("--list-objects").stdout
        for label in ("rsa", "ec", "ed", "p521"):
            self.assertIn(f"label:      {label}\n", listed)
        for label in ("seal", "tsa"):
            self.assertNotIn(f"label:      {label}\n", listed)


if __name__ == "__main__":
    flow.main()
