#!/usr/bin/python3
"""
A new machine is made ready: by the dialogue at a terminal, and by options
alone. What is broken off half-way leaves a daemon that starts.
"""
import json
import os
import pty
import select
import signal
import subprocess
import time

import flow
from administration import SIGNETCTL, Office, issue

SECONDS = 60


class Terminal:
    """signetctl at a terminal of its own; who asks is answered."""

    def __init__(self, *words):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["LC_ALL"] = "C.UTF-8"
            os.execv(SIGNETCTL, [SIGNETCTL, *words])
        self.text = ""
        self.seen = 0

    def until(self, question):
        end = time.monotonic() + SECONDS
        while question not in self.text[self.seen:]:
            ready, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
            assert ready, f"no \"{question}\" in: {self.text[self.seen:]}"
            try:
                data = os.read(self.fd, 4096)
            except OSError:  # the other side has closed
                data = b""
            assert data, f"it ended without \"{question}\": {self.text[self.seen:]}"
            self.text += data.decode(errors="replace")
        self.seen = self.text.index(question, self.seen) + len(question)

    def answer(self, question, line=""):
        self.until(question)
        os.write(self.fd, line.encode() + b"\n")

    def end(self):
        """The exit status; its last words are in `text`."""
        try:
            while data := os.read(self.fd, 4096):
                self.text += data.decode(errors="replace")
        except OSError:
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


class Setup(Office):
    def terminal(self, *words):
        return Terminal("--socket", self.box.socket, "setup", "--module", flow.SOFTHSM, "--paths", self.box.path("tokens"),
                        "--environment", "SOFTHSM2_CONF=" + self.box.path("tokens", "softhsm2.conf"), *words)

    def files(self):
        return sorted(os.listdir(self.box.path("signetd.conf.d")))

    def forget(self):
        for name in self.files():
            os.unlink(self.box.path("signetd.conf.d", name))
        self.ctl("reload")

    def test_dialogue_at_a_terminal(self):
        serial = issue(self.box, "dialogue", "/O=UBND xã An Bình/CN=Phạm Thị Lan")
        user = str(os.getuid())
        record = self.box.path("record")
        t = self.terminal("--out", record)
        t.answer("Accounts of the administrators", user)
        t.answer("Account of the auditor", user)
        t.answer("Insert a token and press Enter")
        t.until("Phạm Thị Lan")
        t.answer("Serial number", serial)
        t.answer("Person who holds it [Phạm Thị Lan]")
        t.answer("Organisation, if it is a seal")
        t.answer("Account of the holder", user)
        t.answer("Account of the clerk")
        t.until("pham-thi-lan: added")
        t.answer("Insert a token and press Enter", "q")
        self.assertEqual(t.end(), 0, t.text)
        self.assertEqual(self.files(), ["20-people.conf", "pham-thi-lan.conf"])
        self.box.wait_token("pham-thi-lan", "locked")
        self.sign("pham-thi-lan")
        with open(record, encoding="utf-8") as f:
            text = f.read()
        self.assertIn(serial, text)
        key = self.box.call("org.signetd.Log.Head")["key"]
        self.assertIn(key, text)
        self.assertIn(flow.sha256_text(key.encode()).removeprefix("sha256:"), text)
        certificate = self.box.call(flow.SIGNER + "ListKeys", {"key": "ec"})["key"]["certificates"][0]
        digest = flow.hashlib.sha256(flow.base64.b64decode(certificate)).hexdigest()
        self.assertIn(digest, text)
        self.forget()

    def test_options_alone(self):
        serial = issue(self.box, "silent", "/CN=Silent")
        user = str(os.getuid())
        text, _ = self.ctl("setup", "--no-ask", "--admin", user, "--module", flow.SOFTHSM, "--paths", self.box.path("tokens"),
                           "--environment", "SOFTHSM2_CONF=" + self.box.path("tokens", "softhsm2.conf"), "--serial", serial,
                           "--holder", "Silent", "--user", user)
        self.assertIn("ENROLMENT RECORD", text)
        self.assertIn(serial, text)
        self.box.wait_token("silent", "locked")
        self.sign("silent")
        self.forget()

    def test_broken_off_half_way(self):
        user = str(os.getuid())
        for answers in range(3):
            t = self.terminal()
            for question in ("Accounts of the administrators", "Account of the auditor")[:answers]:
                t.answer(question, user)
            t.until(("Accounts of the administrators", "Account of the auditor", "Insert a token")[answers])
            os.write(t.fd, b"\x03")
            self.assertEqual(t.end(), -signal.SIGINT, t.text)
            self.assertEqual(self.files(), ["20-people.conf"] if answers == 2 else [])
            self.ctl("reload")
        checked = subprocess.run([flow.SIGNETD, "--check", "--config", self.box.config], check=False, timeout=60,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual(checked.returncode, 0, checked.stdout)
        self.forget()

    def test_before_there_is_a_daemon(self):
        config = self.box.path("new.conf")
        os.mkdir(config + ".d")
        with open(config, "w", encoding="ascii") as f:
            f.write("")
        command = [SIGNETCTL, "--socket", "/nonexistent/signet.sock", "setup", "--no-ask", "--config", config, "--origin",
                   "office.example.org/signet", "--admin", "root"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("run signetctl setup again", done.stderr)
        self.assertEqual(sorted(os.listdir(config + ".d")), ["10-log.conf", "20-people.conf"])
        checked = subprocess.run([flow.SIGNETD, "--check", "--json", "--config", config], check=True, timeout=60,
                                 stdout=subprocess.PIPE, text=True)
        read = json.loads(checked.stdout)
        self.assertEqual((read["origin"], read["rules"]), ("office.example.org/signet", ["administrators"]))


if __name__ == "__main__":
    flow.main()
