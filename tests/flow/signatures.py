#!/usr/bin/python3
"""
Goal: the signature of every key, scheme and hash verifies with openssl(1)
against the certificate that the daemon lists, and the receipt's entry says
what was done. Keys that are too weak do not sign.
"""
import base64
import hashlib
import json
import ssl

import flow
from varlink import SIGNER

HASHES = ("sha256", "sha384", "sha512")
SCHEMES = {"rsa": ("pkcs1", "pss"), "rsa3072": ("pkcs1", "pss"), "rsa4096": ("pkcs1", "pss"), "ec": ("ecdsa",),
           "p384": ("ecdsa",), "p521": ("ecdsa",), "ed": ("eddsa",)}


class Signatures(flow.SandboxTest):
    @classmethod
    def prepare(cls, box):
        box.add_key("06", "rsa3072", "rsa:3072")
        box.add_key("07", "rsa4096", "rsa:4096")
        box.add_key("08", "p384", "EC:secp384r1")
        box.add_key("09", "p521", "EC:secp521r1")
        box.add_key("0a", "rsa1024", "rsa:1024")
        box.add_key("0b", "k256", "EC:secp256k1")
        # a key pair whose certificate is not on the token
        box.add_key("0c", "bare", "EC:prime256v1")
        box.pkcs11_tool("--delete-object", "--type", "cert", "--id", "0c")

    def key(self, name):
        return self.box.call(SIGNER + "ListKeys", {"key": name})["key"]

    def test_every_key_scheme_and_hash_verifies(self):
        for key, schemes in SCHEMES.items():
            for scheme in schemes:
                for algorithm in HASHES:
                    with self.subTest(f"{key} {scheme} {algorithm}"):
                        wanted = flow.digest(algorithm=algorithm)
                        reply = self.box.sign(key, digest=wanted, scheme=scheme)
                        self.assertVerifies(key, wanted, reply, scheme)
                        self.assertFalse(flow.openssl_verifies(self.box.certificate(key), flow.digest(algorithm=algorithm),
                                                               flow.signature_of(reply), scheme))

    def test_default_scheme_is_the_first_listed(self):
        for key, schemes in SCHEMES.items():
            with self.subTest(key):
                found = self.key(key)
                self.assertEqual(sorted(found["schemes"]), sorted(schemes))
                wanted = flow.digest()
                self.assertVerifies(key, wanted, self.box.sign(key, digest=wanted), found["schemes"][0])

    def test_key_configured_for_pss_defaults_to_it(self):
        self.box.replace_config("object=rsa3072", "object=rsa3072\nscheme = pss")
        self.box.call(flow.ADMIN + "Reload")
        self.box.wait_token()
        wanted = flow.digest()
        self.assertVerifies("rsa3072", wanted, self.box.sign("rsa3072", digest=wanted), "pss")

    def test_signature_over_a_file_as_openssl_dgst_sees_it(self):
        path = self.box.path("document")
        with open(path, "wb") as f:
            f.write(b"a document\n" * 1000)
        for key in ("rsa", "ec"):
            with open(path, "rb") as f:
                wanted = "sha256:" + hashlib.sha256(f.read()).hexdigest()
            with open(path + ".sig", "wb") as f:
                f.write(flow.signature_of(self.box.sign(key, digest=wanted)))
            public = flow.run("openssl", "x509", "-in", self.box.certificate(key), "-noout", "-pubkey").stdout
            with open(path + ".pub", "wb") as f:
                f.write(public)
            done = flow.run("openssl", "dgst", "-sha256", "-verify", path + ".pub", "-signature", path + ".sig", path)
            self.assertEqual(done.stdout, b"Verified OK\n")

    def test_signature_shapes(self):
        self.assertEqual(len(flow.signature_of(self.box.sign("rsa"))), 256)
        self.assertEqual(len(flow.signature_of(self.box.sign("rsa4096"))), 512)
        self.assertEqual(len(flow.signature_of(self.box.sign("ed"))), 64)
        self.assertEqual(flow.signature_of(self.box.sign("ec"))[0], 0x30)  # a DER SEQUENCE

    def test_listed_certificate_is_the_token_s(self):
        for key in SCHEMES:
            with open(self.box.certificate(key), encoding="ascii") as f:
                der = ssl.PEM_cert_to_DER_cert(f.read())
            self.assertEqual(base64.b64decode(self.key(key)["certificates"][0]), der, key)

    def test_keys_say_what_they_are_for(self):
        uses = {name: self.key(name)["use"] for name in ("rsa", "tsa", "seal")}
        self.assertEqual(uses, {"rsa": "personal", "tsa": "timestamp", "seal": "seal"})
        self.assertEqual(self.key("rsa")["state"], "ready")
        self.assertIn("raw", self.key("rsa")["formats"])
        self.assertRegex(self.key("rsa")["notAfter"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")

    def test_weak_keys_do_not_sign(self):
        for key in ("rsa1024", "k256"):
            with self.subTest(key):
                before = len(self.box.signed())
                with self.assertRaises(flow.varlink.VarlinkError) as caught:
                    self.box.sign(key)
                self.assertIn(caught.exception.short, ("Unsupported", "CertificateInvalid", "TokenFailed"))
                self.assertGreater(len(caught.exception.parameters["message"]), 10)
                self.assertEqual(len(self.box.signed()), before)
                self.assertTrue(self.key(key)["reason"])

    def test_key_without_a_certificate_signs_by_its_public_key(self):
        self.assertEqual(self.key("bare")["certificates"], [])
        wanted = flow.digest()
        reply = self.box.sign("bare", digest=wanted)
        self.assertVerifies("bare", wanted, reply, "ecdsa")
        self.assertNotIn("certHash", json.loads(reply["receipt"]["entry"]))

    def test_receipt_and_entry_say_what_was_done(self):
        wanted = flow.digest()
        reply = self.box.sign("ec", digest=wanted, requestId="receipt-1", capacity="Chairman", onBehalfOf="A person",
                              document={"number": "15/QĐ-UBND", "title": "A decision", "date": "2026-11-21",
                                        "mediaType": "application/pdf", "id": "d-1"})
        receipt = reply["receipt"]
        stored = self.box.entries()[receipt["index"]]
        self.assertEqual(stored["bytes"], receipt["entry"].encode())
        leaf = hashlib.sha256(b"\0" + receipt["entry"].encode()).digest()
        self.assertEqual(receipt["leafHash"], base64.b64encode(leaf).decode())
        entry = json.loads(receipt["entry"])
        self.assertEqual(entry["time"], receipt["time"])
        certificate = base64.b64decode(self.key("ec")["certificates"][0])
        for member, value in {"v": 1, "kind": "sign", "key": "ec", "token": "sandbox", "digest": wanted, "format": "raw",
                              "scheme": "ecdsa", "outcome": "ok", "requestId": "receipt-1", "rule": "owner",
                              "mediaType": "application/pdf", "uid": flow.os.getuid(), "pid": flow.os.getpid(),
                              "certHash": flow.sha256_text(certificate),
                              "signatureHash": flow.sha256_text(flow.signature_of(reply))}.items():
            self.assertEqual(entry.get(member), value, member)
        for words in ("Chairman", "A person", "A decision", "QĐ", "d-1\"", "2026-11-21\""):
            self.assertNotIn(words, receipt["entry"], "free text must be an opening, not plain")
        for member in ("number", "title", "date", "documentId", "capacity", "onBehalfOf"):
            self.assertRegex(entry[member], r"^sha256:[0-9a-f]{64}$", member)

    def test_openings_open(self):
        """SHA-256(salt, text) of the side table is what the entry has."""
        reply = self.box.sign("ec", document={"title": "Only here"})
        index = reply["receipt"]["index"]
        entry = self.box.entries()[index]
        rows = self.box.rows_live(f"SELECT field, salt, text FROM opening WHERE idx = {index}")
        self.assertEqual([(f, bytes(t)) for f, _, t in rows], [("title", b"Only here")])
        self.assertEqual(entry["title"], flow.sha256_text(bytes(rows[0][1]) + bytes(rows[0][2])))

    def test_batch_of_the_largest_size(self):
        items = [{"digest": flow.digest()} for _ in range(1000)]
        with self.box.connect() as c:
            results = [r["result"] for r in c.more(SIGNER + "SignBatch", {"key": "ec", "items": items})]
        self.assertEqual(sorted(r["item"] for r in results), list(range(1000)))
        logged = {e["digest"]: e for e in self.box.signed()}
        for result in results:
            entry = logged[items[result["item"]]["digest"]]
            self.assertEqual(entry["index"], result["receipt"]["index"])
            self.assertEqual(entry["signatureHash"], flow.sha256_text(base64.b64decode(result["signature"])))
        for result in results[::250]:
            self.assertTrue(flow.openssl_verifies(self.box.certificate("ec"), items[result["item"]]["digest"],
                                                  base64.b64decode(result["signature"]), "ecdsa"))

    def test_batch_without_more_is_for_one_item(self):
        one, two = {"digest": flow.digest()}, {"digest": flow.digest()}
        self.assertIn("signature", self.box.call(SIGNER + "SignBatch", {"key": "ec", "items": [one]})["result"])
        self.assertFails("ExpectedMore", SIGNER + "SignBatch", {"key": "ec", "items": [one, two]})


if __name__ == "__main__":
    flow.main()
