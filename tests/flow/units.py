#!/usr/bin/python3
"""
Goal: the units say nothing that systemd does not understand, and expose the
daemon no more than 1.0 on systemd's own scale.
"""
import os
import re
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
UNITS = os.path.join(ROOT, "systemd")
SIGNETCTL = os.path.join(os.environ["SIGNET_BUILD"], "client", "signetctl", "signetctl")
SIGNETD = os.path.join(os.environ["SIGNET_BUILD"], "daemon", "signetd", "signetd")


class Units(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.TemporaryDirectory(prefix="signet-units-")
        for name in ("signetd.service", "signetd.socket"):
            with open(os.path.join(UNITS, name), encoding="utf-8") as f:
                text = f.read()
            # the manual is not installed here, and the program lies in the build
            text = re.sub(r"^Documentation=.*\n", "", text, flags=re.M).replace("/usr/sbin/signetd", SIGNETD)
            with open(os.path.join(self.place.name, name), "w", encoding="utf-8") as f:
                f.write(text)
        self.service = os.path.join(self.place.name, "signetd.service")

    def tearDown(self):
        self.place.cleanup()

    def test_verify_prints_nothing(self):
        # a misspelt key is a warning with exit status 0: only silence is good
        done = subprocess.run(["systemd-analyze", "verify", self.service], capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout + done.stderr, "")

    def test_misspelt_key_would_be_seen(self):
        with open(self.service, "a", encoding="utf-8") as f:
            f.write("\n[Service]\nProtectSystm=strict\n")
        done = subprocess.run(["systemd-analyze", "verify", self.service], capture_output=True, text=True)
        self.assertIn("ProtectSystm", done.stdout + done.stderr)

    def test_agent_s_unit_is_understood_and_ends_where_it_must(self):
        with open(os.path.join(UNITS, "signet-agent.service"), encoding="utf-8") as f:
            text = f.read()
        text = re.sub(r"^Documentation=.*\n", "", text, flags=re.M).replace("/usr/bin/signetctl", SIGNETCTL)
        path = os.path.join(self.place.name, "signet-agent.service")
        for bad, wanted in (("", ""), ("\n[Service]\nRestartSek=1\n", "RestartSek")):
            with open(path, "w", encoding="utf-8") as f:
                f.write(text + bad)
            done = subprocess.run(["systemd-analyze", "--user", "verify", path], capture_output=True, text=True,
                                  env=dict(os.environ, XDG_RUNTIME_DIR=self.place.name))
            said = done.stdout + done.stderr
            self.assertTrue(wanted in said if bad else said == "", said)

    def test_exposure(self):
        done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=10",
                               self.service], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout[-400:])
        self.assertLessEqual(float(re.search(r"exposure level for \S+ ([0-9.]+)", done.stdout)[1]), 1.0)

    def test_identity_and_clock_are_not_hidden(self):
        with open(os.path.join(UNITS, "signetd.service"), encoding="utf-8") as f:
            keys = re.findall(r"^(\w+)=", f.read(), flags=re.M)
        self.assertEqual(set(keys) & {"PrivateUsers", "ProtectProc", "ProcSubset", "ProtectClock"}, set())


if __name__ == "__main__":
    unittest.main(verbosity=2)
