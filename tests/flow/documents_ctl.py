#!/usr/bin/python3
"""
Goal: a person signs a file and gets FILE.p7s, which openssl(1) accepts and
signetctl verify explains check by check, with its time-stamp and its place in
the log; a changed file, a foreign authority and a second run are told apart.
"""
import json
import os
import subprocess

import flow

DONE, FAILED, USAGE = 0, 1, 2


class DocumentsCtl(flow.SandboxTest):
    def setUp(self):
        self.place = self.box.path("work")
        os.makedirs(self.place, exist_ok=True)

    def ctl(self, *words, code=DONE):
        done = subprocess.run([flow.CTL, "--socket", self.box.socket, *words], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                              env=dict(os.environ, LC_ALL="C.UTF-8"))
        self.assertEqual(done.returncode, code, (words, done.stdout, done.stderr))
        return done.stdout.decode(), done.stderr.decode()

    def write(self, name, data=b"A decision.\n"):
        path = os.path.join(self.place, name)
        with open(path, "wb") as f:
            f.write(data)
        return path

    def accepted(self, path):
        flow.run("openssl", "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", path + ".p7s", "-content", path,
                 "-CAfile", self.box.path("ca.pem"), "-purpose", "any", "-out", os.devnull)

    def test_a_file_gets_its_p7s(self):
        path = self.write("plain")
        out, _ = self.ctl("sign", "--key", "ec", path)
        self.assertIn("plain.p7s", out)
        self.assertFalse(os.path.exists(path + ".sig"))
        self.accepted(path)
        out, _ = self.ctl("verify", path)
        self.assertIn("Good signature", out)
        self.assertIn("Sandbox ec", out)
        self.assertIn("time-stamp: none", out)
        self.assertIn("was not checked", out)
        out, _ = self.ctl("verify", "--ca", self.box.path("ca.pem"), path, path + ".p7s")
        self.assertIn("issued under an authority", out)

    def test_level_t_says_when_and_by_whom(self):
        path = self.write("stamped")
        self.ctl("sign", "--key", "rsa", "--scheme", "pss", "--level", "t", "--receipt", path)
        self.accepted(path)
        out, _ = self.ctl("verify", "--ca", self.box.path("ca.pem"), path)
        self.assertRegex(out, r"time-stamp: 20\d\d-\d\d-\d\dT")
        self.assertIn("Sandbox tsa", out)
        self.assertEqual(out.count("issued under an authority"), 2)
        self.assertRegex(out, r"log entry: \d+")
        said = json.loads(self.ctl("verify", "--json", "--ca", self.box.path("ca.pem"), path)[0])
        self.assertTrue(said["good"] and said["timeStamp"]["good"] and said["timeStamp"]["chainGood"], said)
        vkey = json.loads(self.ctl("log", "head", "--json")[0])["key"]
        self.ctl("receipt", "verify", "--vkey", vkey, path + ".receipt")
        os.remove(path + ".receipt")
        self.ctl("receipt", path)
        with open(path + ".receipt", encoding="utf-8") as f:
            self.assertEqual(json.load(f)["receipt"]["index"], said["index"])
        found = json.loads(self.ctl("log", "search", "--signature", path + ".p7s", "--json")[0])
        self.assertTrue(found)

    def test_what_is_wrong_is_told_apart(self):
        path = self.write("honest")
        self.ctl("sign", "--key", "ec", "--level", "t", path)
        other = self.write("forged", b"Another decision.\n")
        out, why = self.ctl("verify", other, path + ".p7s", code=FAILED)
        self.assertIn("the document is NOT the one that was signed", out)
        self.assertIn("the signature is by the key", out)
        self.assertIn("NOT a good signature", why)
        # whoever it is: nobody here believes him
        stranger = self.write("stranger.pem", b"")
        flow.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
                 "/CN=Somebody", "-days", "30", "-keyout", stranger + ".key", "-out", stranger)
        out, _ = self.ctl("verify", "--ca", stranger, path, code=FAILED)
        self.assertEqual(out.count("NOT issued under an authority"), 2)
        # one bit of the bare value: neither by that key, nor what was stamped
        with open(path + ".p7s", "rb") as f:
            cms = bytearray(f.read())
        value = cms.rindex(bytes.fromhex("300a06082a8648ce3d040302"), 0, cms.index(bytes.fromhex("060b2a864886f70d010910020e")))
        cms[value + 12 + 20] ^= 1
        bad = self.write("honest.bad", bytes(cms))
        out, _ = self.ctl("verify", path, bad, code=FAILED)
        self.assertIn("the signature is NOT by the key", out)
        self.assertIn("time-stamp: NOT one of this signature", out)

    def test_second_run_does_only_what_is_missing(self):
        paths = [self.write(f"many-{i}", bytes([i])) for i in range(5)]
        self.ctl("sign", "--key", "ec", *paths[:3])
        before = os.stat(paths[0] + ".p7s").st_mtime_ns
        self.ctl("sign", "--key", "ec", "--resume", *paths)
        self.assertEqual(os.stat(paths[0] + ".p7s").st_mtime_ns, before)
        for path in paths:
            self.accepted(path)
        # a file that has changed since is not passed over in silence
        self.write("many-1", b"changed")
        _, why = self.ctl("sign", "--key", "ec", "--resume", *paths, code=7)
        self.assertIn("many-1", why)

    def test_formats_and_levels_that_are_none(self):
        path = self.write("words")
        for words in (("--format", "xades"), ("--level", "lt"), ("--format", "")):
            self.ctl("sign", "--key", "ec", *words, path, code=USAGE)
        _, why = self.ctl("sign", "--key", "ed", path, code=FAILED)
        self.assertIn("raw", why)
        self.ctl("sign", "--key", "ed", "--format", "raw", path)
        self.ctl("verify", "--key", "ed", path)
        self.ctl("sign", "--key", "ec", path)
        self.ctl("verify", "--key", "ec", path, code=USAGE)

    def test_timestamp(self):
        path = self.write("existing")
        out, _ = self.ctl("timestamp", path)
        self.assertIn("existing.tst", out)
        flow.run("openssl", "ts", "-verify", "-in", path + ".tst", "-token_in", "-data", path, "-CAfile", self.box.path("ca.pem"))
        _, why = self.ctl("timestamp", path, code=FAILED)
        self.assertIn("--force", why)
        self.ctl("timestamp", "--force", "--hash", "sha512", path)
        flow.run("openssl", "ts", "-verify", "-in", path + ".tst", "-token_in", "-data", path, "-CAfile", self.box.path("ca.pem"))
        self.ctl("timestamp", os.path.join(self.place, "missing"), code=FAILED)
        self.ctl("timestamp", "--hash", "md5", path, code=USAGE)


if __name__ == "__main__":
    flow.main()
