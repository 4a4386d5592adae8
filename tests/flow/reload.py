#!/usr/bin/python3
"""
Goal: the configuration is read again whole or not at all, by SIGHUP and by
Reload; only tokens whose sections changed are touched, and traffic on the
others does not notice.
"""
import os
import signal

import flow
from varlink import ADMIN, SIGNER


class Reload(flow.SandboxTest):
    @classmethod
    def prepare(cls, box):
        box.add_token("second", "other")
        cls.good = box.read("signetd.conf")

    def setUp(self):
        self.box.set_config(self.good)
        self.reload()

    def reload(self):
        return self.box.call(ADMIN + "Reload")

    def starts(self):
        return {t["name"]: t["workerStarts"] for t in self.box.status()["tokens"]}

    def test_nothing_changed_changes_nothing(self):
        before = self.starts()
        self.assertEqual(self.reload()["changed"], [])
        self.assertEqual(self.starts(), before)

    def test_bad_configuration_leaves_the_old_one_in_force(self):
        before, config = self.starts(), self.box.status()["config"]
        text = self.good.replace("[rule owner]", "[rule renamed]") + "\n[key ec]\ncolour = red\n"
        self.box.set_config(text)
        found = self.assertFails("ReloadFailed", ADMIN + "Reload")
        line = 1 + max(n for n, l in enumerate(text.splitlines()) if l == "[key ec]")
        self.assertRegex(found["message"], rf"signetd\.conf:({line}|{line + 1}): ")
        self.assertEqual(self.starts(), before)
        self.assertEqual(self.box.status()["config"], config)
        self.assertEqual(self.box.rule_of_a_signature(), "owner")

    def test_sighup_with_a_bad_configuration_says_so_and_goes_on(self):
        self.box.set_config("[daemon]\nsokcet = /x\n")
        os.kill(self.box.pid, signal.SIGHUP)
        flow.until(lambda: "signetd.conf:2:" in self.box.read("signetd.log"), what="the message")
        self.assertAnswers()

    def test_sighup_reads_a_good_configuration(self):
        config = self.box.status()["config"]
        self.box.set_config(self.good.replace("[rule owner]", "[rule master]"))
        os.kill(self.box.pid, signal.SIGHUP)
        flow.until(lambda: self.box.status()["config"] != config, what="the new configuration")
        self.assertEqual(self.box.rule_of_a_signature(), "master")

    def test_rules_take_effect_at_once_and_on_open_connections(self):
        with self.box.connect() as c:
            self.assertIn("signature", c.call(SIGNER + "Sign", {"key": "rsa", "digest": flow.digest()}))
            self.box.set_config(self.good.replace("keys = *", "keys = ec other"))
            self.reload()
            self.assertFails("KeyNotFound", SIGNER + "Sign", {"key": "rsa", "digest": flow.digest()}, connection=c)
            self.assertIn("signature", c.call(SIGNER + "Sign", {"key": "ec", "digest": flow.digest()}))

    def test_only_the_token_that_changed_restarts_and_the_other_does_not_notice(self):
        load = self.box.start_load("ec", connections=8, count=300, window=2)
        before = self.starts()
        for n in range(3):
            self.box.set_config(self.good.replace("[token second]", f"[token second]\nholder = Holder {n}"))
            self.assertEqual(self.reload()["changed"], ["second"])
            self.box.wait_token("second")
        code, numbers, messages = self.box.end_load(load)
        self.assertEqual((code, numbers["good"]), (0, 2400), messages)
        after = self.starts()
        self.assertEqual(after["sandbox"], before["sandbox"])
        self.assertEqual(self.box.token("second")["holder"], "Holder 2")
        self.assertIn("signature", self.box.sign("other"))

    def test_tokens_come_and_go(self):
        self.box.set_config(self.good[:self.good.index("[token second]")])
        self.assertEqual(self.reload()["changed"], ["second"])
        self.assertFails("KeyNotFound", SIGNER + "Sign", {"key": "other", "digest": flow.digest()})
        self.assertEqual(len(flow.until(lambda: len(self.box.workers()) == 1 and self.box.workers(), what="its end")), 1)
        self.box.set_config(self.good)
        self.assertEqual(self.reload()["changed"], ["second"])
        self.box.wait_token("second")
        self.assertIn("signature", self.box.sign("other"))

    def test_what_cannot_change_without_a_restart_is_refused(self):
        """Socket and state belong to the running daemon."""
        for old, new in ((f"socket = {self.box.socket}", f"socket = {self.box.path('new.sock')}"),
                         (f"state = {self.box.path('state')}", f"state = {self.box.path('new-state')}")):
            self.box.set_config(self.good.replace(old, new))
            self.assertIn("restart", self.assertFails("ReloadFailed", ADMIN + "Reload")["message"])

    def test_reloads_are_in_the_log_with_the_policy(self):
        self.box.set_config(self.good.replace("[rule owner]", "[rule logged]"))
        self.reload()
        index = self.box.sign()["receipt"]["index"]  # of whatever was signed since, the reload stands in front
        entry = [e for e in self.box.entries()[:index] if e["kind"] == "reload"][-1]
        self.assertEqual(entry["config"], self.box.status()["config"])
        self.assertIn("logged", " ".join(entry["rules"]))
        self.assertRegex(entry["policy"], r"^sha256:[0-9a-f]{64}$")


if __name__ == "__main__":
    flow.main()
