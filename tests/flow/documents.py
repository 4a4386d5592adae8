#!/usr/bin/python3
"""
Goal: what a document carries is accepted by openssl(1) with nothing but the
authority's certificate, for every key, scheme, hash, format and level; it
says what the standards ask for and no more, fits into the room that was
estimated, and is found in the log by either of its hashes.
"""
import base64
import json
import os

import flow
from varlink import SIGNER

HASHES = ("sha256", "sha384", "sha512")
SCHEMES = {"rsa": ("pkcs1", "pss"), "rsa4096": ("pkcs1", "pss"), "ec": ("ecdsa",), "p384": ("ecdsa",), "p521": ("ecdsa",)}
CONTENT = "Kính gửi: Uỷ ban nhân dân\n".encode()
SIGNING_TIME, APPROVAL, CERTIFICATE_V2 = ("signingTime", "id-smime-cti-ets-proofOfApproval",
                                          "id-smime-aa-signingCertificateV2")


class Documents(flow.SandboxTest):
    @classmethod
    def prepare(cls, box):
        box.add_key("07", "rsa4096", "rsa:4096")
        box.add_key("08", "p384", "EC:secp384r1")
        box.add_key("09", "p521", "EC:secp521r1")
        box.add_key("0c", "bare", "EC:prime256v1")
        box.pkcs11_tool("--delete-object", "--type", "cert", "--id", "0c")

    def file(self, name, data):
        path = self.box.path(name)
        with open(path, "wb") as f:
            f.write(data)
        return path

    def verify(self, cms, content=CONTENT, check=True):
        """As anybody would who has the document and trusts the authority."""
        return flow.run("openssl", "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", self.file("d.p7s", cms),
                        "-content", self.file("d", content), "-CAfile", self.box.path("ca.pem"), "-purpose", "any",
                        "-out", os.devnull, check=check)

    def attributes(self, cms):
        return flow.run("openssl", "asn1parse", "-inform", "DER", "-in", self.file("d.p7s", cms), text=True).stdout

    def bare(self, cms):
        """The value in the only SignerInfo: the last OCTET STRING of a CMS without unsigned attributes."""
        line = [x for x in self.attributes(cms).splitlines() if "OCTET STRING" in x][-1]
        at, header, length = (int(x.split("=")[-1]) for x in (line.split(":")[0], line.split("hl=")[1].split()[0],
                                                            line.split("l=")[2].split()[0]))
        return cms[at + header:at + header + length]

    def cases(self):
        for key, schemes in SCHEMES.items():
            for scheme in schemes:
                for algorithm in HASHES:
                    for form in ("cades", "pades"):
                        yield key, scheme, algorithm, form

    def test_every_key_scheme_hash_and_format_is_accepted(self):
        for key, scheme, algorithm, form in self.cases():
            with self.subTest(f"{key} {scheme} {algorithm} {form}"):
                reply = self.box.sign(key, digest=flow.digest(CONTENT, algorithm), scheme=scheme, format=form)
                cms = flow.signature_of(reply)
                self.verify(cms)
                text = self.attributes(cms)
                self.assertEqual(SIGNING_TIME in text, form == "cades")
                self.assertEqual((text.count(APPROVAL), text.count(CERTIFICATE_V2)), (1, 1))
                entry = json.loads(reply["receipt"]["entry"])
                bare = self.bare(cms)
                for member, value in {"operation": "sign", "format": form, "level": "b", "scheme": scheme,
                                      "digest": flow.digest(CONTENT, algorithm), "outcome": "ok",
                                      "cmsHash": flow.sha256_text(cms), "signatureHash": flow.sha256_text(bare)}.items():
                    self.assertEqual(entry.get(member), value, member)
                room = self.box.call(SIGNER + "EstimateSize", {"key": key, "format": form})["bytes"]
                self.assertLessEqual(len(cms), room)
                self.assertLess(room - len(cms), 300, "an estimate that nobody would call close")

    def test_level_t(self):
        """With a time-stamp of this machine over the signature's octets; accepted, and found in the log by the bare value."""
        for key, scheme, algorithm, form in self.cases():
            with self.subTest(f"{key} {scheme} {algorithm} {form}"):
                reply = self.box.sign(key, digest=flow.digest(CONTENT, algorithm), scheme=scheme, format=form, level="t")
                cms = flow.signature_of(reply)
                self.verify(cms)
                entry = json.loads(reply["receipt"]["entry"])
                self.assertEqual((entry["level"], entry["format"]), ("t", form))
                text = self.attributes(cms)
                self.assertEqual(text.count("id-smime-aa-timeStampToken"), 1)
                self.assertEqual(text[:text.index("id-smime-aa-timeStampToken")].count(SIGNING_TIME), int(form == "cades"))
                stamp = self.stamp_of(cms, text)
                self.verify_stamp(stamp, entry["signatureHash"])
                of = [e for e in self.box.entries() if e["kind"] == "timestamp" and e["digest"] == entry["signatureHash"]]
                self.assertEqual([(e["outcome"], e["cmsHash"]) for e in of], [("ok", flow.sha256_text(stamp))])
                room = self.box.call(SIGNER + "EstimateSize", {"key": key, "format": form, "level": "t"})["bytes"]
                self.assertLessEqual(len(cms), room)

    def stamp_of(self, cms, text):
        """The token in the unsigned attribute: the SEQUENCE in the SET behind its identifier."""
        lines = text[text.index("id-smime-aa-timeStampToken"):].splitlines()
        line = [x for x in lines if "SEQUENCE" in x][0]
        at, header, length = (int(line.split(":")[0]), int(line.split("hl=")[1].split()[0]), int(line.split("l=")[2].split()[0]))
        return cms[at:at + header + length]

    def verify_stamp(self, stamp, imprint):
        flow.run("openssl", "ts", "-verify", "-in", self.file("t", stamp), "-token_in", "-digest", imprint.split(":")[1],
                 "-CAfile", self.box.path("ca.pem"))

    def test_level_t_again_is_the_same_to_the_byte(self):
        call = {"digest": flow.digest(CONTENT), "format": "pades", "level": "t", "requestId": "stamped"}
        first = self.box.sign("ec", **call)
        stamps = len([e for e in self.box.entries() if e["kind"] == "timestamp"])
        self.assertEqual(self.box.sign("ec", **call), first)
        self.box.kill()
        self.box.start()
        self.assertEqual(self.box.sign("ec", **call), first)
        for query in ({"requestId": "stamped"}, {"index": first["receipt"]["index"]}):
            found = self.box.call(SIGNER + "Collect", query)
            self.assertEqual((found["state"], found["signature"]), ("done", first["signature"]))
        self.assertEqual(len([e for e in self.box.entries() if e["kind"] == "timestamp"]), stamps, "nothing was stamped twice")

    def test_level_t_in_a_batch(self):
        items = [{"digest": flow.digest(CONTENT), "requestId": f"batch-t-{i}"} for i in range(20)]
        with self.box.connect() as c:
            results = [r["result"] for r in c.more(SIGNER + "SignBatch",
                                                   {"key": "ec", "items": items, "format": "cades", "level": "t"})]
        self.assertEqual(sorted(r["item"] for r in results), list(range(20)))
        for r in results:
            self.verify(base64.b64decode(r["signature"]))

    def test_level_t_without_its_clock_signs_nothing(self):
        if self.box.status()["clock"] == "synchronised":
            self.skipTest("the clock of this machine is synchronised")
        self.box.replace_config("clock = any", "clock = synchronised")
        self.box.call(flow.ADMIN + "Reload")
        before = len(self.box.signed())
        self.assertFails("ClockUnsynchronized", SIGNER + "Sign",
                         {"key": "ec", "digest": flow.digest(CONTENT), "format": "cades", "level": "t"})
        self.assertEqual(len(self.box.signed()), before)
        self.box.replace_config("clock = synchronised", "clock = any")
        self.box.call(flow.ADMIN + "Reload")
        self.box.sign("ec", format="cades", level="t")

    def test_room_of_bare_signatures(self):
        for key, schemes in {**SCHEMES, "ed": ("eddsa",)}.items():
            room = self.box.call(SIGNER + "EstimateSize", {"key": key})["bytes"]
            for scheme in schemes:
                for _ in range(8):
                    self.assertLessEqual(len(flow.signature_of(self.box.sign(key, scheme=scheme))), room)

    def test_another_document_is_not_accepted(self):
        cms = flow.signature_of(self.box.sign("ec", digest=flow.digest(CONTENT), format="cades"))
        self.assertNotEqual(self.verify(cms, CONTENT + b" ", check=False).returncode, 0)

    def test_keys_without_a_place_in_documents_are_refused_by_name(self):
        for key, why in (("ed", "Ed25519"), ("bare", "certificate")):
            for method, more in (("Sign", {"digest": flow.digest(CONTENT)}), ("EstimateSize", {})):
                found = self.assertFails("Unsupported", SIGNER + method, {"key": key, "format": "cades", **more})
                self.assertEqual(found["what"], "format")
                self.assertIn(why, found["message"])
            self.assertEqual(self.box.call(SIGNER + "ListKeys", {"key": key})["key"]["formats"], ["raw"])

    def test_the_first_answer_again_is_the_same_to_the_byte(self):
        call = {"digest": flow.digest(CONTENT), "format": "cades", "requestId": "again"}
        first = self.box.sign("ec", **call)
        self.assertEqual(self.box.sign("ec", **call), first)
        found = self.box.call(SIGNER + "Collect", {"requestId": "again"})
        self.assertEqual((found["state"], found["signature"]), ("done", first["signature"]))
        self.assertFails("RequestIdReused", SIGNER + "Sign", {"key": "ec", **call, "format": "pades"})

    def test_batch(self):
        items = [{"digest": flow.digest(CONTENT + bytes([i]))} for i in range(40)]
        with self.box.connect() as c:
            results = [r["result"] for r in c.more(SIGNER + "SignBatch", {"key": "ec", "items": items, "format": "pades"})]
        self.assertEqual(sorted(r["item"] for r in results), list(range(40)))
        for r in results:
            self.verify(base64.b64decode(r["signature"]), CONTENT + bytes([r["item"]]))


if __name__ == "__main__":
    flow.main()
