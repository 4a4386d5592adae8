#!/usr/bin/python3
"""
Goal: a clerk at a terminal and a script both get their work done with
signetctl: files are signed and checked, what went wrong is said with what to
do, exit codes mean what signetctl(1) says, and a PIN only comes by descriptor.
"""
import json
import os
import subprocess

import flow
from varlink import TOKEN

DONE, FAILED, USAGE, NO_DAEMON, REFUSED, PIN, TOKEN_CODE, SOME = range(8)


class Signetctl(flow.SandboxTest):
    def setUp(self):
        self.place = self.box.path("files-" + self.id().rpartition(".")[2])
        os.mkdir(self.place)

    def write(self, name, data=b"text\n"):
        path = os.path.join(self.place, name)
        with open(path, "wb") as f:
            f.write(data)
        return path

    def ctl(self, *words, code=DONE, pin=None, **options):
        """(standard output, standard error) of signetctl, which must end with that code."""
        command = [flow.CTL, "--socket", self.box.socket, *words]
        if pin is not None:
            ours, theirs = os.pipe()
            os.write(theirs, pin.encode() + b"\n")
            os.close(theirs)
            command += ["--pin-fd", str(ours)]
            options["pass_fds"] = (ours,)
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              check=False, **options)
        if pin is not None:
            os.close(ours)
        self.assertEqual(done.returncode, code, (command, done.stdout, done.stderr))
        return done.stdout.decode(), done.stderr.decode()

    def test_signs_a_file_that_openssl_verifies(self):
        path = self.write("decision.pdf", b"%PDF " * 10000)
        for key in ("rsa", "ec"):
            for algorithm in ("sha256", "sha384", "sha512"):
                self.ctl("sign", "--format", "raw", "--key", key, "--hash", algorithm, "--force", path)
                public = self.write("public.pem", flow.run("openssl", "x509", "-in", self.box.certificate(key), "-noout",
                                                           "-pubkey").stdout)
                out = flow.run("openssl", "dgst", "-" + algorithm, "-verify", public, "-signature", path + ".sig", path)
                self.assertEqual(out.stdout, b"Verified OK\n")

    def test_verify_says_good_and_not_good(self):
        path = self.write("a")
        for key in ("rsa", "ec", "ed"):
            self.ctl("sign", "--format", "raw", "--key", key, "--force", path)
            self.assertIn("Good signature", self.ctl("verify", "--key", key, path)[0])
            self.ctl("verify", "--cert", self.box.certificate(key), path)
        other = self.write("b", b"other\n")
        _, why = self.ctl("verify", "--key", "ed", other, path + ".sig", code=FAILED)
        self.assertIn("NOT", why)
        self.ctl("verify", "--key", "ec", path, code=FAILED)

    def test_needs_a_key_where_there_are_several_and_lists_them(self):
        _, why = self.ctl("sign", "--format", "raw", self.write("a"), code=USAGE)
        self.assertIn("--key", why)
        for key in ("rsa", "ec", "ed"):
            self.assertIn(key, why)

    def test_signs_many_files_and_names_those_that_failed(self):
        good = [self.write(f"f{n}") for n in range(20)]
        bad = os.path.join(self.place, "missing")
        out, why = self.ctl("sign", "--format", "raw", "--key", "ec", *good, bad, code=SOME)
        self.assertIn("missing", why)
        self.assertIn("20 of 21", why)
        self.assertEqual(out.count("log entry"), 20)
        self.write("missing")
        out, _ = self.ctl("sign", "--format", "raw", "--key", "ec", "--resume", *good, bad)
        self.assertEqual(out.count("was signed before"), 20)
        self.ctl("verify", "--key", "ec", bad)

    def test_never_replaces_a_file_unasked(self):
        path = self.write("a")
        self.write("a.sig", b"precious")
        size = len(self.box.entries())
        _, why = self.ctl("sign", "--format", "raw", "--key", "ec", path, code=FAILED)
        self.assertIn("--force", why)
        with open(path + ".sig", "rb") as f:
            self.assertEqual(f.read(), b"precious")
        self.assertEqual(len(self.box.entries()), size, "a signature was spent for nothing")

    def test_signature_on_standard_output(self):
        path = self.write("a")
        done = subprocess.run([flow.CTL, "--socket", self.box.socket, "sign", "--format", "raw", "--key", "rsa", "--stdout", path],
                              stdout=subprocess.PIPE, check=True)
        self.assertEqual(len(done.stdout), 256)
        self.assertEqual(os.listdir(self.place), ["a"])

    def test_json_of_every_verb(self):
        path = self.write("a")
        self.assertEqual(len(json.loads(self.ctl("keys", "--json")[0])), 5)
        self.assertEqual(json.loads(self.ctl("token", "list", "--json")[0])[0]["name"], "sandbox")
        self.assertTrue(json.loads(self.ctl("status", "--json")[0])["log"]["available"])
        (signed,) = json.loads(self.ctl("sign", "--format", "raw", "--key", "ec", "--json", path)[0])
        entry = json.loads(signed["receipt"]["entry"])
        self.assertEqual(entry["index"], signed["receipt"]["index"])
        found = json.loads(self.ctl("collect", "--index", str(entry["index"]), "--json")[0])
        self.assertEqual(found["receipt"], signed["receipt"])
        self.assertTrue(json.loads(self.ctl("verify", "--key", "ec", "--json", path)[0]))

    def test_tables_name_everything(self):
        keys = self.ctl("keys")[0]
        for name in ("rsa", "ec", "tsa", "ed", "seal"):
            self.assertIn(name, keys)
        self.assertIn("sandbox", self.ctl("token", "list")[0])
        self.assertIn("sandbox", self.ctl("status")[0])

    def test_request_id_signs_once(self):
        path = self.write("a")
        first = json.loads(self.ctl("sign", "--format", "raw", "--key", "ec", "--request-id", "ctl-1", "--json", path)[0])[0]
        again = json.loads(self.ctl("sign", "--format", "raw", "--key", "ec", "--request-id", "ctl-1", "--json", "--force", path)[0])[0]
        self.assertEqual(first["receipt"]["index"], again["receipt"]["index"])
        out = os.path.join(self.place, "collected")
        self.ctl("collect", "--request-id", "ctl-1", "--out", out)
        with open(path + ".sig", "rb") as a, open(out, "rb") as b:
            self.assertEqual(a.read(), b.read())

    def test_pin_by_descriptor(self):
        path = self.write("a")
        self.ctl("sign", "--format", "raw", "--key", "rsa", path, pin=self.box.pin)
        self.ctl("verify", "--key", "rsa", path)
        self.ctl("sign", "--format", "raw", "--key", "rsa", "--force", path, pin="00000000", code=PIN)
        self.ctl("sign", "--format", "raw", "--key", "rsa", "--force", "--last-try", path, pin=self.box.pin)
        self.assertEqual(self.box.token()["pinFailures"], 0)

    def test_no_option_takes_a_pin(self):
        for words in (("--pin", "1234"), ("--pin=1234",)):
            self.ctl("sign", "--format", "raw", *words, self.write("a"), code=USAGE)

    def test_unlock_and_lock(self):
        out, _ = self.ctl("token", "unlock", "--uses", "5", pin=self.box.pin)
        self.assertTrue(out)
        self.assertTrue(self.ctl("token", "lock")[0] is not None)
        self.ctl("token", "unlock", code=PIN)  # no PIN, no terminal: it says so instead of waiting
        self.ctl("token", "unlock", "sandbox", "--uses", "2", pin=self.box.pin)

    def test_exit_codes(self):
        path = self.write("a")
        self.ctl("sign", "--format", "raw", "--key", "no-such-key", path, code=REFUSED)
        self.ctl("keys", "no-such-key", code=REFUSED)
        self.ctl("token", "list", "no-such-token", code=REFUSED)
        self.ctl("dance", code=USAGE)
        self.ctl("sign", "--format", "raw", code=USAGE)
        self.ctl("sign", "--format", "raw", "--key", "ec", os.path.join(self.place, "missing"), code=FAILED)
        done = flow.run(flow.CTL, "--socket", "/nowhere.sock", "status", check=False, text=True)
        self.assertEqual(done.returncode, NO_DAEMON)
        self.assertIn("/nowhere.sock", done.stderr)

    def test_seal_key_says_that_it_seals(self):
        _, why = self.ctl("sign", "--format", "raw", "--key", "seal", self.write("a"), code=FAILED)
        self.assertIn("seal", why)

    def test_socket_from_the_environment(self):
        flow.run(flow.CTL, "status", env=dict(os.environ, SIGNET_SOCKET=self.box.socket))

    def test_reload_and_its_errors(self):
        self.ctl("reload")
        good = self.box.read("signetd.conf")
        self.box.set_config(good + "\n[key x]\ncolour = red\n")
        try:
            _, why = self.ctl("reload", code=FAILED)
            self.assertIn("signetd.conf:", why)
        finally:
            self.box.set_config(good)

    def test_help_and_version(self):
        for words in (("help",), ("--help",), ("help", "sign"), ("--version",)):
            self.assertTrue(self.ctl(*words)[0])

    def test_output_cannot_steer_a_terminal(self):
        _, why = self.ctl("sign", "--format", "raw", "--key", "ec", os.path.join(self.place, "a\x1b[31mb"), code=FAILED)
        self.assertNotIn("\x1b", why)

    def test_texts_for_people_and_the_log(self):
        path = self.write("a")
        (signed,) = json.loads(self.ctl("sign", "--format", "raw", "--key", "ec", "--title", "Quyết định", "--number", "15/QĐ", "--json", path)[0])
        entry = json.loads(signed["receipt"]["entry"])
        self.assertIn("title", entry)
        self.assertNotIn("Quyết", signed["receipt"]["entry"])
        self.ctl("sign", "--format", "raw", "--key", "ec", "--force", "--title", "a\u202eb", path, code=FAILED)


class LockedToken(flow.SandboxTest):
    """Nothing is unlocked; there is no terminal to ask on."""

    @classmethod
    def prepare(cls, box):
        box.replace_config("credential = sandbox-pin\n", "")

    def test_says_how_to_go_on(self):
        path = self.box.path("file")
        with open(path, "wb") as f:
            f.write(b"x")
        done = flow.run(flow.CTL, "--socket", self.box.socket, "sign", "--format", "raw", "--key", "ec", path, check=False, text=True,
                        stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, PIN)
        self.assertIn("--pin-fd", done.stderr)
        self.assertEqual(self.box.token()["pinFailures"], 0)
        self.box.call(TOKEN + "Unlock", {"token": "sandbox", "pin": self.box.pin, "uses": 1})
        flow.run(flow.CTL, "--socket", self.box.socket, "sign", "--format", "raw", "--key", "ec", path)


if __name__ == "__main__":
    flow.main()
