#!/usr/bin/python3
"""
Goal: tests/sandbox makes, starts and stops a private daemon for whoever calls
it: as root or not, in any directory, touching nothing outside it, and never a
process that it did not start.
"""
import os
import shutil
import stat
import subprocess
import tempfile
import unittest

import daemon
import flow
from varlink import SIGNER

KEYS = {"rsa": "01", "ec": "02", "tsa": "03", "ed": "04", "seal": "05"}


class SandboxScript(flow.SandboxTest):
    def test_prints_assignments_for_a_shell(self):
        out = flow.run(flow.SCRIPT, "stop", self.box.dir, text=True).stdout
        self.assertIn("signetd.log", out)
        self.box.start()
        a = self.box.assignments
        self.assertEqual(a["SIGNET_SOCKET"], self.box.socket)
        self.assertEqual(a["SIGNET_CTL"], flow.CTL)
        self.assertEqual(a["SIGNET_TOKEN"], "sandbox")
        self.assertEqual(a["SIGNET_STATE"], self.box.path("state"))
        self.assertEqual(a["SIGNET_PIN"], self.box.pin)
        self.assertEqual(os.readlink(f"/proc/{a['SIGNET_PID']}/exe"), flow.SIGNETD)
        flow.run("openssl", "x509", "-in", a["SIGNET_CA"], "-noout")
        if "SIGNET_MODULE" in a:  # only what exists
            self.assertTrue(os.path.exists(a["SIGNET_MODULE"]))

    def test_log_is_published_with_the_key_that_was_printed(self):
        a = self.box.assignments
        index = self.box.sign()["receipt"]["index"]
        checkpoint = os.path.join(a["SIGNET_TILES"], "checkpoint")
        flow.until(lambda: os.path.exists(checkpoint) and self.published(checkpoint) > index, what="the published checkpoint")
        with open(checkpoint, encoding="utf-8") as f:
            origin = f.readline().strip()
        self.assertEqual(a["SIGNET_VKEY"].split("+")[0], origin)

    @staticmethod
    def published(checkpoint):
        with open(checkpoint, encoding="utf-8") as f:
            return int(f.read().split("\n")[1])

    def test_five_keys_with_certificates_of_the_ca(self):
        for label in KEYS:
            key = self.box.call(SIGNER + "ListKeys", {"key": label})["key"]
            self.assertEqual(len(key["certificates"]) >= 1, True)
            flow.run("openssl", "verify", "-CAfile", self.box.path("ca.pem"), self.box.certificate(label))
        text = flow.run("openssl", "x509", "-in", self.box.certificate("tsa"), "-noout", "-ext", "extendedKeyUsage", text=True)
        self.assertRegex(text.stdout, r"critical\s+Time Stamping\s*$")

    def test_token_has_the_ids_that_were_promised(self):
        out = self.box.pkcs11_tool("--list-objects", "--type", "privkey")
        found = {}
        for line in out.splitlines():
            name, _, value = line.strip().partition(":")
            if name == "label":
                label = value.strip()
            elif name == "ID":
                found[label] = value.strip()
        self.assertEqual(found, KEYS)

    def test_signs_without_a_pin_and_checks_one_that_is_given(self):
        self.assertAnswers()
        self.assertIn("signature", self.box.sign("rsa", pin=self.box.pin))
        self.assertFails("PinIncorrect", SIGNER + "Sign", {"key": "rsa", "digest": flow.digest(), "pin": "0000"})
        self.assertAnswers()  # the standing unlocking is restored
        self.assertIn("signature", self.box.sign("rsa", pin=self.box.pin, lastTry=True))

    def test_starts_with_its_token_locked_after_a_wrong_pin(self):
        """The stored PIN is not sent while a person's failure stands: a person enters it once."""
        self.assertFails("PinIncorrect", SIGNER + "Sign", {"key": "rsa", "digest": flow.digest(), "pin": "0000"})
        self.box.stop()
        self.box.start()
        self.assertEqual(self.box.token()["state"], "locked")
        self.assertIn("signature", self.box.sign("rsa", pin=self.box.pin, lastTry=True))
        self.box.stop()
        self.box.start()
        self.assertAnswers()

    def test_secrets_are_private(self):
        for name in ("credentials", "state", "tokens", "ca", "lock"):
            self.assertEqual(stat.S_IMODE(os.stat(self.box.path(name)).st_mode), 0o700, name)
        self.assertEqual(stat.S_IMODE(os.stat(self.box.path("credentials", "sandbox-pin")).st_mode), 0o600)

    def test_second_start_is_refused_and_harms_nothing(self):
        done = flow.run(flow.SCRIPT, "start", self.box.dir, check=False, text=True)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("already running", done.stderr)
        self.assertAnswers()

    def test_start_after_stop_keeps_keys_and_log(self):
        index = self.box.sign()["receipt"]["index"]
        self.box.stop()
        self.box.start()
        self.assertEqual(self.box.entries()[index]["kind"], "sign")
        self.assertGreater(self.box.sign()["receipt"]["index"], index)

    def test_stop_leaves_other_processes_alone(self):
        """A pid file that names a living process which is not the daemon: it is not touched."""
        self.box.stop()
        other = subprocess.Popen(["sleep", "600"])
        try:
            with open(self.box.path("signetd.pid"), "w", encoding="ascii") as f:
                f.write(f"{other.pid} {daemon.start_time(other.pid) - 1}\n")
            self.assertNotEqual(flow.run(flow.SCRIPT, "stop", self.box.dir, check=False).returncode, 0)
            self.assertIsNone(other.poll())
        finally:
            other.kill()
            other.wait()
            self.box.start()

    def test_survives_the_shell_that_started_it(self):
        self.assertNotEqual(os.getsid(self.box.pid), os.getsid(0))


class Places(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.mkdtemp()

    def tearDown(self):
        shutil.rmtree(self.top)

    def start_fails(self, place):
        done = flow.run(flow.SCRIPT, "start", place, check=False, text=True)
        self.assertNotEqual(done.returncode, 0)
        self.assertFalse(os.path.exists(place))
        return done.stderr

    def test_path_one_byte_too_long_for_a_socket(self):
        longest = 107 - len("/signetd.pid.notify")
        place = os.path.join(self.top, "x" * longest)[:longest]
        flow.run(flow.SCRIPT, "make", place)
        self.assertIn("107 bytes", self.start_fails(place + "x"))

    def test_path_that_a_configuration_cannot_hold(self):
        self.assertIn("letters", self.start_fails(os.path.join(self.top, "a b")))

    def test_missing_build_is_said(self):
        done = flow.run(flow.SCRIPT, "start", os.path.join(self.top, "x"), check=False, text=True,
                        env=dict(os.environ, SIGNET_BUILD="/nowhere"))
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("build first", done.stderr)

    def test_usage(self):
        for words in ((), ("start",), ("start", "a", "b"), ("dance", "a")):
            self.assertEqual(flow.run(flow.SCRIPT, *words, check=False).returncode, 2)

    def test_ordinary_user(self):
        """Nothing of it needs root."""
        if os.geteuid() != 0:
            return  # every other test here shows it
        os.chmod(self.top, 0o755)
        place = os.path.join(self.top, "box")
        os.mkdir(place)
        os.chown(place, flow.NOBODY, flow.NOBODY)
        as_user = ["setpriv", f"--reuid={flow.NOBODY}", f"--regid={flow.NOBODY}", "--clear-groups", "env", "HOME=/nonexistent"]
        flow.run(*as_user, flow.SCRIPT, "start", place)
        try:
            flow.run(*as_user, flow.CTL, "--socket", os.path.join(place, "signet.sock"), "status")
        finally:
            flow.run(*as_user, flow.SCRIPT, "stop", place)


if __name__ == "__main__":
    flow.main()
