#!/usr/bin/python3
"""
Goal: a configuration that is not right never starts a daemon: the message
names file and line and says what is wrong. A URI that matches nothing right
now is a state of the key, not an error.
"""
import os
import shutil
import subprocess
import unittest

import flow
from varlink import SIGNER



class BadConfig(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.box = flow.Sandbox()
        cls.good = cls.box.read("signetd.conf")

    @classmethod
    def tearDownClass(cls):
        cls.box.remove()

    def start(self, text):
        """(exit code, messages) of signetd with this configuration."""
        self.box.set_config(text)
        done = subprocess.run([flow.SIGNETD, "--config", self.box.config], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=60, check=False,
                              env=dict(os.environ, CREDENTIALS_DIRECTORY=self.box.path("credentials")))
        return done.returncode, done.stdout

    def assertRefused(self, text, line_with, *words, place=None):
        """It ends with a message that names the line which has `line_with` (None: no certain line) and the words."""
        code, message = self.start(text)
        self.assertNotEqual(code, 0, message)
        if line_with is not None:
            numbers = [n for n, line in enumerate(text.splitlines(), 1) if line_with in line]
            self.assertTrue(numbers, f"the test's own text lacks {line_with}")
            places = [f"{place or self.box.config}:{n}:" for n in numbers]
            self.assertTrue(any(p in message for p in places), f"{places} not in: {message}")
        for word in words:
            self.assertIn(word, message)
        self.assertFalse(os.path.exists(self.box.socket), "a socket was made all the same")

    def changed(self, old, new):
        self.assertIn(old, self.good)
        return self.good.replace(old, new, 1)

    def test_unknown_key(self):
        self.assertRefused(self.changed("lanes = 2", "lane = 2"), "lane = 2", "lane")

    def test_unknown_section(self):
        self.assertRefused(self.good + "\n[tokens x]\nlabel = x\n", "[tokens x]", "tokens")

    def test_key_outside_a_section(self):
        self.assertRefused("lanes = 2\n" + self.good, "lanes = 2")

    def test_line_that_is_none(self):
        self.assertRefused(self.changed("lanes = 2", "lanes"), "lanes")

    def test_two_keys_with_one_name(self):
        self.assertRefused(self.good + "\n[key ec]\ntoken = sandbox\nuri = pkcs11:token=sandbox;id=%09\n", "[key ec]", "ec")

    def test_two_tokens_with_one_name(self):
        self.assertRefused(self.good + "\n[token sandbox]\nmodule = /usr/lib/softhsm/libsofthsm2.so\nlabel = y\n",
                           "[token sandbox]", "sandbox")

    def test_two_tokens_that_are_one(self):
        self.assertRefused(self.good + "\n[token twin]\nmodule = /usr/lib/softhsm/libsofthsm2.so\nlabel = sandbox\n", "", "twin")

    def test_missing_module(self):
        self.assertRefused(self.changed("module = /usr/lib/softhsm/libsofthsm2.so", "module = /usr/lib/no-such-module.so"),
                           "no-such-module.so", "no-such-module.so")

    def module_copy(self):
        folder = self.box.path("modules")
        os.makedirs(folder, mode=0o755, exist_ok=True)
        os.chmod(folder, 0o755)
        path = shutil.copy("/usr/lib/softhsm/libsofthsm2.so", folder)
        os.chmod(path, 0o755)
        return path, self.changed("/usr/lib/softhsm/libsofthsm2.so", path)

    def test_group_writable_module(self):
        path, text = self.module_copy()
        os.chmod(path, 0o775)
        self.assertRefused(text, "module = ", path)

    def test_module_in_a_group_writable_folder(self):
        path, text = self.module_copy()
        os.chmod(os.path.dirname(path), 0o775)
        self.assertRefused(text, "module = ", os.path.dirname(path))

    def test_module_by_a_relative_path(self):
        self.assertRefused(self.changed("/usr/lib/softhsm/libsofthsm2.so", "libsofthsm2.so"), "module = ")

    def test_uri_without_a_token(self):
        self.assertRefused(self.changed("pkcs11:token=sandbox;id=%02;object=ec", "pkcs11:id=%02;object=ec"),
                           "uri = pkcs11:id=%02;object=ec", "token")

    def test_uri_without_an_object(self):
        self.assertRefused(self.changed("pkcs11:token=sandbox;id=%02;object=ec", "pkcs11:token=sandbox"), "uri = pkcs11:token=sandbox\n".strip())

    def test_uri_with_a_pin(self):
        for attribute in ("pin-value=123456", "pin-source=/etc/pin"):
            text = self.changed("id=%02;object=ec", "id=%02;object=ec?" + attribute)
            self.assertRefused(text, attribute, "pin-")
            self.assertNotIn("123456", self.start(text)[1])

    def test_uri_of_another_token(self):
        self.assertRefused(self.changed("token=sandbox;id=%02", "token=other;id=%02"), "token=other")

    def test_what_is_not_a_uri(self):
        self.assertRefused(self.changed("pkcs11:token=sandbox;id=%02;object=ec", "ec"), "uri = ec")

    def test_key_of_no_token(self):
        self.assertRefused(self.changed("[key ec]\ntoken = sandbox", "[key ec]\ntoken = sandpit"), "sandpit", "sandpit")

    def test_pin_in_the_configuration(self):
        self.assertRefused(self.changed("lanes = 2", "pin = 123456"), "pin = 123456")

    def test_rule_with_unknown_words(self):
        self.assertRefused(self.changed("verbs = sign", "verbs = sing"), "sing", "sing")
        self.assertRefused(self.changed("keys = *", "keys = ec no-such-key"), "no-such-key", "no-such-key")
        self.assertRefused(self.changed("user = ", "user = no-such-user-here "), "no-such-user-here", "no-such-user-here")

    def test_values_one_outside_their_range(self):
        for text in ("lanes = 0", "lanes = 17", "lanes = two", "lanes = -1", "lanes ="):
            with self.subTest(text):
                self.assertRefused(self.changed("lanes = 2", text), text)

    def test_line_one_byte_too_long(self):
        for size in (199, 5000):
            line = "# " + "x" * (size - 2)
            self.assertRefused(self.changed("[daemon]", line + "\n[daemon]"), line[:150])

    def test_missing_file(self):
        done = subprocess.run([flow.SIGNETD, "--config", self.box.path("none.conf")], capture_output=True, text=True,
                              timeout=60, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("none.conf", done.stderr)

    def test_drop_in_is_named_by_its_own_file(self):
        folder = self.box.config + ".d"
        os.makedirs(folder, 0o755, exist_ok=True)
        try:
            name = os.path.join(folder, "10-more.conf")
            text = "[key more]\ntoken = sandbox\ncolour = red\n"
            with open(name, "w", encoding="ascii") as f:
                f.write(text)
            code, message = self.start(self.good)
            self.assertNotEqual(code, 0)
            self.assertIn(f"{name}:3:", message)
        finally:
            os.unlink(name)


class AbsentThings(flow.SandboxTest):
    """What is configured and not there."""

    @classmethod
    def prepare(cls, box):
        box.append_config("[key later]\ntoken = sandbox\nuri = pkcs11:token=sandbox;id=%77\n\n"
                          "[token away]\nmodule = /usr/lib/softhsm/libsofthsm2.so\nlabel = away\n"
                          f"environment = SOFTHSM2_CONF={box.path('tokens/softhsm2.conf')}\npaths = {box.path('tokens')}\n\n"
                          "[key gone]\ntoken = away\nuri = pkcs11:token=away;id=%01\n")

    def test_key_that_matches_nothing_is_a_state(self):
        self.assertEqual(self.box.call(SIGNER + "ListKeys", {"key": "later"})["key"]["state"], "missing")
        before = len(self.box.signed())
        with self.assertRaises(flow.varlink.VarlinkError):
            self.box.sign("later")
        self.assertEqual(len(self.box.signed()), before)

    def test_token_that_is_away_is_a_state(self):
        self.assertEqual(self.box.wait_token("away", "absent")["state"], "absent")
        self.assertEqual(self.box.call(SIGNER + "ListKeys", {"key": "gone"})["key"]["state"], "absent")
        self.assertFails("TokenAbsent", SIGNER + "Sign", {"key": "gone", "digest": flow.digest()})

    def test_the_others_sign(self):
        self.assertAnswers()


if __name__ == "__main__":
    flow.main()
