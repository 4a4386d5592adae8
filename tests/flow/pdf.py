#!/usr/bin/python3
"""
Goal: a leader signs a PDF and the clerk after him with signetctl pdf sign; other
programs and signetctl pdf verify find both signatures good, whoever changes the
file is found out, receipts prove both, and the file itself is never touched.
"""
import json
import os
import re
import subprocess

import flow
import pdf_files as files
import pdf_make as make

DONE, FAILED, USAGE = 0, 1, 2


class Pdf(flow.SandboxTest):
    def setUp(self):
        self.place = self.box.path("pdf-" + self.id().rpartition(".")[2])
        os.mkdir(self.place)
        self.page = files.write(self.place, "decision.pdf", make.table(make.objects()))

    def path(self, name):
        return os.path.join(self.place, name)

    def read(self, path):
        with open(path, "rb") as f:
            return f.read()

    def ctl(self, *words, code=DONE, socket=None):
        """(standard output, standard error) of signetctl, which must end with that code."""
        command = [flow.CTL, "--socket", socket or self.box.socket, *words]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=dict(os.environ, LC_ALL="C.UTF-8", TZ="Asia/Ho_Chi_Minh"), check=False)
        self.assertEqual(done.returncode, code, (command, done.stdout, done.stderr))
        return done.stdout.decode(), done.stderr.decode()

    def verify(self, path, *words, code=DONE):
        """The signatures that signetctl finds, without a daemon."""
        return json.loads(self.ctl("pdf", "verify", "--json", path, *words, code=code, socket="/nowhere")[0])

    def cms_of(self, path, number):
        """One signature of the file, as pdfsig takes it out."""
        flow.run("pdfsig", "-dump", path, cwd=self.place, check=False)
        return self.path(f"{os.path.basename(path)}.sig{number}")

    def sign_twice(self, source):
        once, twice = self.path("once.pdf"), self.path("twice.pdf")
        self.ctl("pdf", "sign", "--key", "rsa", "--receipt", "-f", "-o", once, source)
        self.ctl("pdf", "sign", "--key", "ec", "--receipt", "-f", "-o", twice, once)
        return once, twice

    def test_leader_and_clerk_sign_and_everyone_finds_it_good(self):
        before = self.read(self.page)
        for source in [self.page, *files.forms_of(self.page), *files.documents(self.place, 3)]:
            with self.subTest(file=os.path.basename(source)):
                once, twice = self.sign_twice(source)
                self.assertEqual(files.pdfsig(twice), (2, 2, 1))
                self.assertEqual(files.qpdf_complaints(twice), 0)
                self.assertTrue(self.read(twice).startswith(self.read(once)))
                found = self.verify(twice, "--ca", self.box.path("ca.pem"))
                self.assertEqual([s["good"] for s in found["signatures"]], [True, True])
                self.assertEqual([s["trusted"] for s in found["signatures"]], [True, True])
                self.assertEqual([s["wholeFile"] for s in found["signatures"]], [False, True])
                self.assertIn("Sandbox rsa", found["signatures"][0]["subject"])
                self.assertEqual(len({s["field"] for s in found["signatures"]}), 2)
        self.assertEqual(self.read(self.page), before)

    def test_every_key_scheme_and_digest(self):
        for key, scheme in (("rsa", "pkcs1"), ("rsa", "pss"), ("ec", "ecdsa")):
            for algorithm in ("sha256", "sha384", "sha512"):
                out = self.path(f"{key}-{scheme}-{algorithm}.pdf")
                self.ctl("pdf", "sign", "--key", key, "--scheme", scheme, "--hash", algorithm, "-o", out, self.page)
                self.assertEqual(files.pdfsig(out), (1, 1, 1))
                (found,) = self.verify(out, "--ca", self.box.path("ca.pem"))["signatures"]
                self.assertEqual(found["hash"], algorithm)

    def test_time_stamps(self):
        for key in ("rsa", "ec"):
            out = self.path(key + ".pdf")
            self.ctl("pdf", "sign", "--key", key, "--level", "t", "-o", out, self.page)
            self.assertEqual(files.pdfsig(out), (1, 1, 1))
            (found,) = self.verify(out, "--ca", self.box.path("ca.pem"))["signatures"]
            self.assertTrue(found["timeStamp"]["trusted"])
            # stamped after it was signed, on the clock of this machine
            self.assertGreaterEqual(found["timeStamp"]["time"][:19], found["time"][:19])
            text, _ = self.ctl("pdf", "verify", out)
            self.assertIn("Sandbox tsa", text)
        self.assertNotIn("timeStamp", self.verify(self.sign_twice(self.page)[1])["signatures"][0])

    def test_what_the_signature_says(self):
        self.ctl("pdf", "sign", "--key", "rsa", "--name", "Nguyễn Văn A", "--reason", "duyệt (lần 1)", "--location", "Hà Nội",
                 self.page)
        out = self.path("decision.signed.pdf")
        (found,) = self.verify(out)["signatures"]
        self.assertEqual((found["name"], found["reason"], found["location"]), ("Nguyễn Văn A", "duyệt (lần 1)", "Hà Nội"))
        self.assertRegex(self.read(out), rb"/M \(D:\d{14}\+07'00'\)")
        self.assertNotIn("trusted", found)
        text, _ = self.ctl("pdf", "verify", out)
        self.assertIn("Signature1: good signature", text)
        self.assertIn("Nguyễn Văn A", text)
        cms = flow.run("openssl", "cms", "-cmsout", "-print", "-noout", "-inform", "DER", "-in", self.cms_of(out, 0)).stdout
        self.assertIn(b"signingCertificateV2", cms.replace(b"-", b""))
        self.assertNotIn(b"signingTime", cms)

    def test_without_options_only_the_signature_is_added(self):
        self.ctl("pdf", "sign", "--key", "ec", self.page)
        added = self.read(self.path("decision.signed.pdf"))[len(self.read(self.page)):]
        for name in (b"/Name", b"/Reason", b"/Location", b"/Cert"):
            self.assertNotIn(name, added)
        # its room is the estimate of the daemon, not more
        room = self.box.call("org.signetd.Signer.EstimateSize", {"key": "ec", "format": "pades"})["bytes"]
        self.assertEqual(len(re.search(rb"/Contents <([0-9a-f]*)>", added)[1]), 2 * room)

    def test_changes_are_found(self):
        _, twice = self.sign_twice(self.page)
        data = self.read(twice)
        changed = files.write(self.place, "changed.pdf", data.replace(b"Decision 12", b"Decision 13"))
        found = self.verify(changed, code=FAILED)
        self.assertEqual([s["good"] for s in found["signatures"]], [False, False])
        self.assertIn("changed", self.ctl("pdf", "verify", changed, code=FAILED)[0])
        # only what the second signature covers
        changed = files.write(self.place, "changed.pdf", data.replace(b"(Signature2)", b"(Signature3)"))
        found = self.verify(changed, code=FAILED)
        self.assertEqual([s["good"] for s in found["signatures"]], [True, False])
        # something behind the last signature
        page = make.table({4: make.PAGE[4].replace(b"12", b"99")}, b"/Root 1 0 R", data, make.startxref(data))
        found = self.verify(files.write(self.place, "changed.pdf", page), code=FAILED)
        self.assertEqual([s["good"] for s in found["signatures"]], [False, False])
        self.assertIn("otherwise than by signing", found["signatures"][1]["fault"])
        found = self.verify(files.write(self.place, "changed.pdf", data + b"% more\n"), code=FAILED)
        self.assertGreater(found["bytesBehind"], 0)
        # a signature taken over from another file
        other = files.write(self.place, "other.pdf", make.table(make.objects(o4=make.PAGE[4].replace(b"12", b"14"))))
        self.ctl("pdf", "sign", "--key", "rsa", "-o", self.path("other.out"), other)
        theirs = re.search(rb"/Contents <([0-9a-f]*)>", self.read(self.path("other.out")))[1]
        mine = re.search(rb"/Contents <([0-9a-f]*)>", data)[1]
        self.assertEqual(len(mine), len(theirs))
        self.verify(files.write(self.place, "changed.pdf", data.replace(mine, theirs)), code=FAILED)

    def test_who_issued_the_certificate(self):
        once, _ = self.sign_twice(self.page)
        stranger = self.path("stranger.pem")
        flow.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-subj", "/CN=X",
                 "-keyout", self.path("stranger.key"), "-out", stranger)
        (found,) = self.verify(once, "--ca", stranger, code=FAILED)["signatures"]
        self.assertFalse(found["trusted"])
        _, why = self.ctl("pdf", "verify", once, "--ca", self.page, code=FAILED)
        self.assertIn("no certificate", why)

    def test_receipts(self):
        once, twice = self.sign_twice(self.page)
        with open(self.box.path("state", "log.vkey"), encoding="ascii") as f:
            key = f.read().strip()
        for path in (once, twice):
            self.ctl("receipt", "verify", "--vkey", key, path + ".receipt", socket="/nowhere")
            last = self.verify(path, "--vkey", key)["signatures"][-1]
            self.assertTrue(last["logEntry"]["checked"])
            entry = [e for e in self.box.entries() if e["index"] == last["logEntry"]["index"]][0]
            self.assertEqual((entry["kind"], entry["format"]), ("sign", "pades"))
        _, why = self.ctl("receipt", "verify", "--vkey", key, twice + ".receipt", self.page, code=FAILED)
        self.assertIn("NOT", why)
        os.rename(once + ".receipt", twice + ".receipt")  # the leader's beside the file that the clerk signed, too
        self.assertEqual(["logEntry" in s for s in self.verify(twice, "--vkey", key)["signatures"]], [True, False])

    def test_a_receipt_is_fetched_later(self):
        _, twice = self.sign_twice(self.page)
        with open(twice + ".receipt", "rb") as f:
            first = json.load(f)
        os.remove(twice + ".receipt")
        self.ctl("receipt", twice)
        with open(twice + ".receipt", "rb") as f:
            later = json.load(f)
        self.assertEqual((first["signature"], first["digest"], first["receipt"]["entry"]),
                         (later["signature"], later["digest"], later["receipt"]["entry"]))

    def test_openssl_verifies_what_is_signed(self):
        _, twice = self.sign_twice(self.page)
        data = self.read(twice)
        for number, found in enumerate(re.finditer(rb"/ByteRange \[0 +(\d+) +(\d+) +(\d+)\]", data)):
            hole, hole_end, rest = map(int, found.groups())
            content = files.write(self.place, "content", data[:hole] + data[hole_end:hole_end + rest])
            flow.run("openssl", "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", self.cms_of(twice, number),
                     "-content", content, "-CAfile", self.box.path("ca.pem"), "-purpose", "any", "-out", "/dev/null")

    def test_nothing_is_replaced_or_spent_unasked(self):
        files.write(self.place, "decision.signed.pdf", b"precious")
        size = len(self.box.entries())
        os.symlink(self.page, self.path("link.pdf"))
        for out in (self.page, self.path("link.pdf")):
            _, why = self.ctl("pdf", "sign", "--key", "ec", "-f", "-o", out, self.page, code=USAGE)
            self.assertIn("itself", why)
        os.remove(self.path("link.pdf"))
        _, why = self.ctl("pdf", "sign", "--key", "ec", self.page, code=FAILED)
        self.assertIn("--force", why)
        self.assertEqual(self.read(self.path("decision.signed.pdf")), b"precious")
        for data, reason in ((make.with_signature(b"", make.DOCMDP % 1), "certified"), (b"no pdf\n", "not a PDF"),
                             (make.table(make.objects(), b"/Root 1 0 R /Encrypt 5 0 R"), "encrypted"),
                             (make.with_signature(field=b"/Lock << /Action /All >>"), "forbids")):
            _, why = self.ctl("pdf", "sign", "--key", "ec", files.write(self.place, "bad.pdf", data), code=FAILED)
            self.assertIn(reason, why)
        _, why = self.ctl("pdf", "sign", "--key", "ec", self.path("missing.pdf"), code=FAILED)
        self.assertIn("cannot read", why)
        self.ctl("pdf", "sign", "--key", "ec", "--reason", "x" * 513, "-f", self.page, code=FAILED)
        self.assertEqual(len(self.box.entries()), size, "a signature was spent for nothing")
        self.assertEqual(sorted(os.listdir(self.place)), ["bad.pdf", "decision.pdf", "decision.signed.pdf"])

    def test_a_request_id_is_for_one_signature(self):
        out = [self.path("a.pdf"), self.path("b.pdf")]
        self.ctl("pdf", "sign", "--key", "ec", "--request-id", "pdf-1", "-o", out[0], self.page)
        self.ctl("pdf", "sign", "--key", "ec", "--request-id", "pdf-1", "--reason", "x", "-o", out[1], self.page, code=FAILED)
        self.assertFalse(os.path.exists(out[1]))

    def test_command_lines_that_are_wrong(self):
        for words in (("pdf",), ("pdf", "sign"), ("pdf", "dance", self.page), ("pdf", "sign", self.page, self.page),
                      ("pdf", "sign", "--hash", "sha1", self.page), ("pdf", "verify", "--key", "ec", self.page),
                      ("pdf", "sign", "--stdout", self.page)):
            self.ctl(*words, code=USAGE)
        self.ctl("pdf", "verify", self.page, code=FAILED)
        for key in ("ed", "seal", "tsa"):
            self.ctl("pdf", "sign", "--key", key, self.page, code=FAILED)


if __name__ == "__main__":
    flow.main()
