#!/usr/bin/python3
"""
The doctor says what is wrong on a machine and what to do: before a daemon that
is well, before one that is not, and where there is none.
"""
import json
import os
import subprocess

import flow

SIGNETCTL = os.path.join(flow.BUILD, "client/signetctl/signetctl")


class Doctor(flow.SandboxTest):
    def ask(self, *words, socket=None):
        """(exit status, what it found by group)"""
        done = subprocess.run([SIGNETCTL, "--socket", socket or self.box.socket, "--json", "doctor", *words], timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.stderr, "")
        said = json.loads(done.stdout)
        groups = {}
        for check in said["checks"]:
            groups.setdefault(check["group"], []).append(check)
        self.assertEqual(done.returncode, {"ok": 0, "warn": 1, "fail": 2}[said["state"]])
        return done.returncode, groups

    @staticmethod
    def states(checks):
        return {check["state"] for check in checks}

    def test_a_daemon_that_is_well(self):
        _, groups = self.ask()
        for name in ("daemon", "configuration", "log", "certificates", "pins", "modules", "sandbox"):
            self.assertEqual(self.states(groups[name]), {"ok"}, groups[name])

    def test_each_complaint_says_what_to_do(self):
        for words in ((), ("--config", "/nonexistent/signetd.conf")):
            _, groups = self.ask(*words)
            for checks in groups.values():
                for check in checks:
                    if check["state"] in ("warn", "fail"):
                        self.assertTrue(check.get("todo"), check)

    def test_no_daemon(self):
        code, groups = self.ask("--config", self.box.config, socket="/nonexistent/signet.sock")
        self.assertEqual(code, 2)
        self.assertEqual(self.states(groups["daemon"]), {"fail"})
        self.assertEqual(self.states(groups["configuration"]), {"ok"})
        self.assertEqual(self.states(groups["modules"]), {"ok"})
        self.assertIn("skipped", self.states(groups["log"]))
        self.assertEqual(self.states(groups["pins"]), {"skipped"})

    def test_configuration_that_is_wrong(self):
        with open(self.box.path("wrong.conf"), "w", encoding="ascii") as f:
            f.write("[daemon]\nsokcet = /x\n")
        code, groups = self.ask("--config", self.box.path("wrong.conf"))
        self.assertEqual(code, 2)
        self.assertIn("wrong.conf:2", groups["configuration"][0]["text"])

    def test_configuration_that_was_changed(self):
        before = self.box.read("signetd.conf")
        try:
            self.box.append_config("# a remark\n")
            _, groups = self.ask()
            self.assertEqual(self.states(groups["configuration"]), {"warn"})
            self.assertIn("reload", groups["configuration"][0]["todo"])
        finally:
            self.box.set_config(before)

    def test_for_people(self):
        done = subprocess.run([SIGNETCTL, "--socket", self.box.socket, "doctor"], timeout=60, stdout=subprocess.PIPE, text=True,
                              check=False, env=dict(os.environ, LC_ALL="C.UTF-8"))
        self.assertIn("ok        daemon", done.stdout)
        self.assertNotIn("{", done.stdout)

    def test_a_stranger_hears_what_he_may_not_see(self):
        script = f"""
import json, subprocess
done = subprocess.run(["{SIGNETCTL}", "--socket", "{self.box.socket}", "--json", "doctor"], stdout=subprocess.PIPE, timeout=60)
print(json.dumps([c for c in json.loads(done.stdout)["checks"] if c["group"] == "daemon"]))
"""
        checks = json.loads(flow.as_nobody(script))
        self.assertIn("skipped", self.states(checks))


if __name__ == "__main__":
    flow.main()
