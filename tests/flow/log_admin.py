#!/usr/bin/python3
"""
Goal: what administrators do to the log keeps what it proves. A new log key
follows from the old one, for who has only a copy and the first key; receipts
stay good. A backup is made while signing goes on, and restored it goes on where
it is the newest state, and is refused where it is not. A log that cannot go on
is put aside by two people, and the new one names it. The daemon is up all the
time and says what is wrong. The log key may be a credential.
"""
import base64
import hashlib
import json
import os
import shutil
import subprocess

import flow

DONE, FAILED, USAGE, NO_DAEMON, REFUSED, PIN, TOKEN, SOME, LATER = range(9)
NOWHERE = "/nonexistent.sock"


class AdminTest(flow.SandboxTest):
    @classmethod
    def prepare(cls, box):
        box.append_config("[rule nobody]\nuser = nobody\nverbs = admin read-log list\nkeys = *\n")

    def ctl(self, *words, code=DONE, socket=None, nobody=False):
        prefix = []
        if nobody:
            prefix = ["setpriv", f"--reuid={flow.NOBODY}", f"--regid={flow.NOBODY}", "--clear-groups"]
            if os.geteuid() != 0:
                prefix.insert(0, "sudo")
        command = [*prefix, flow.CTL, "--socket", socket or self.box.socket, *words]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                              env=dict(os.environ, LC_ALL="C.UTF-8"))
        self.assertEqual(done.returncode, code, (command, done.stdout[-2000:], done.stderr))
        return done.stdout.decode() + done.stderr.decode()

    def json(self, *words, **more):
        return json.loads(self.ctl(*words, "--json", **more))

    def vkey(self):
        return self.json("log", "head")["key"]

    def published(self, name="published"):
        """When the folder has all that is logged now."""
        size = len(self.box.entries())
        path = self.box.path(name, "checkpoint")

        def covered():
            if not os.path.exists(path):
                return False
            with open(path, encoding="utf-8") as f:
                return int(f.read().split("\n")[1]) >= size
        flow.until(covered, what="the published log")
        return self.box.path(name)

    def two(self, *words):
        """The same command by two people; what the second one is told."""
        self.assertIn("two people", self.ctl(*words))
        self.assertIn("two people", self.ctl(*words))  # one person stays one person
        return self.ctl(*words, nobody=True)


class NewKey(AdminTest):
    def test_log_key_changes_and_every_key_leads_to_the_newest(self):
        first = self.vkey()
        path = self.box.path("before")
        with open(path, "wb") as f:
            f.write(b"before")
        self.ctl("sign", "--key", "ec", "--receipt", path)
        self.ctl("log", "export", "--out", self.box.path("before.jsonl"))
        self.assertIn("--reason", self.ctl("log", "new-key", code=USAGE))
        self.assertIn("another key signs", self.two("log", "new-key", "--reason", "năm mới"))
        second = self.vkey()
        self.assertNotEqual(first, second)
        entry = [e for e in self.box.entries() if e["kind"] == "logkey"][-1]
        self.assertEqual((entry["oldKey"], entry["newKey"], entry["outcome"]), (first, second, "ok"))
        self.assertEqual(entry["handover"].split("\n")[1], str(entry["index"]))
        self.assertIn(f"asked by uid {os.geteuid()}", entry["detail"])
        self.box.sign("ec")
        self.box.stop()
        self.box.start()
        self.two("log", "new-key", "--reason", "again")
        third = self.vkey()
        self.assertEqual(self.json("log", "head")["keys"], [first, second, third])
        self.box.sign("ec")
        copy = self.published()
        self.ctl("log", "verify")
        self.ctl("log", "export", "--out", self.box.path("after.jsonl"))
        for place in ([], ["--copy", copy], ["--copy", self.box.path("after.jsonl")]):
            for key, changes in ((first, 2), (second, 1), (third, 0)):
                with self.subTest(place=place, changes=changes):
                    (verdict,) = self.json("log", "verify", "--vkey", key, *place)
                    self.assertTrue(verdict["good"])
                    self.assertEqual((verdict["keyChanges"], verdict["newestKey"]), (changes, third))
        receipt = path + ".receipt"
        self.ctl("receipt", "verify", receipt, "--vkey", first, socket=NOWHERE)
        self.ctl("receipt", "verify", receipt, "--vkey", third, socket=NOWHERE, code=FAILED)
        index = str(entry["index"])
        self.ctl("log", "prove", index, "--copy", copy, "--vkey", first, "--out", self.box.path("proof"), socket=NOWHERE)
        stranger = self.other_key(first)
        for place in ([], ["--copy", copy], ["--copy", self.box.path("after.jsonl")]):
            self.ctl("log", "verify", "--vkey", stranger, *place, code=FAILED)
        # the change of key itself, changed
        with open(self.box.path("after.jsonl"), encoding="utf-8") as f:
            text = f.read()
        with open(self.box.path("forged.jsonl"), "w", encoding="utf-8") as f:
            f.write(text.replace(third, self.other_key(third)))
        self.ctl("log", "verify", "--vkey", first, "--copy", self.box.path("forged.jsonl"), code=FAILED)

    @staticmethod
    def other_key(vkey):
        name = vkey.split("+")[0]
        typed = b"\x01" + bytes(range(32))
        return f"{name}+{hashlib.sha256(name.encode() + bytes([10]) + typed).hexdigest()[:8]}+{base64.b64encode(typed).decode()}"


class Recovery(AdminTest):
    def status(self):
        return self.box.call("org.signetd.Admin.Status")["log"]

    def test_rolled_back_log_is_put_aside_by_two_people(self):
        for n in range(5):
            self.box.sign("ec")
        self.box.stop()
        shutil.copytree(self.box.path("state"), self.box.path("old-state"))
        self.box.start()
        self.assertIn("nothing to recover", self.ctl("log", "recover", "--reason", "x", code=REFUSED))
        for n in range(5):
            self.box.sign("ec")
        self.published()
        head = self.json("log", "head")
        self.box.stop()
        with open(self.box.path("published", "checkpoint"), encoding="utf-8") as f:
            _, size, root = f.read().split("\n")[:3]
        shutil.rmtree(self.box.path("state"))
        shutil.copytree(self.box.path("old-state"), self.box.path("state"))
        self.box.start_daemon()
        status = self.status()
        self.assertFalse(status["available"])
        self.assertIn("rolled back", status["reason"])
        self.assertIn("signetctl log recover", status["reason"])
        before = len(self.box.entries())
        self.assertIn("restart signetd", self.two("log", "recover", "--reason", "đĩa hỏng"))
        self.box.stop()
        self.box.start()
        self.assertTrue(self.status()["available"])
        first = self.box.entries()[0]
        self.assertEqual((first["kind"], first["oldLog"], first["oldSize"], first["oldKey"], first["oldEntries"]),
                         ("origin", head["origin"], int(size), head["key"], before))
        self.assertEqual(first["oldRoot"], root)
        self.assertIn(f"asked by uid {os.geteuid()}, confirmed by uid {flow.NOBODY}", first["detail"])
        new = self.json("log", "head")
        self.assertEqual(new["origin"], head["origin"] + "/2")
        self.assertNotEqual(new["key"].split("+", 2)[2], head["key"].split("+", 2)[2])
        self.assertTrue({"log.db", "log.key", "log.vkey"} <= set(os.listdir(self.box.path("state", "old-log-1"))))
        self.box.sign("ec")
        copy = self.published("published/2")
        for place in ([], ["--copy", copy]):
            self.assertIn(f"it continues {head['origin']}", self.ctl("log", "verify", *place))
        # the old one is as it was, and the new one goes on
        self.ctl("log", "verify", "--copy", self.box.path("published"), "--vkey", head["key"])
        self.box.stop()
        self.box.start()
        self.assertTrue(self.status()["available"])
        self.assertEqual([e["kind"] for e in self.box.entries()].count("origin"), 1)
        self.assertFalse(os.path.exists(self.box.path("state", "succession")))
        self.assertFalse(os.path.exists(self.box.path("state", "recover")))
        # and once more, now that the database is none at all
        self.box.stop()
        for end in ("", "-wal", "-shm"):
            if os.path.exists(self.box.path("state", "log.db" + end)):
                os.remove(self.box.path("state", "log.db" + end))
        with open(self.box.path("state", "log.db"), "wb") as f:
            f.write(b"this is no database, but it is long enough to be one" * 100)
        self.box.start_daemon()
        self.assertFalse(self.status()["available"])
        self.ctl("log", "head", code=LATER)
        self.ctl("log", "show", code=LATER)
        self.two("log", "recover", "--reason", "again")
        self.box.stop()
        self.box.start()
        self.assertTrue(self.status()["available"])
        self.assertTrue(os.path.exists(self.box.path("state", "old-log-2", "log.db")))
        self.ctl("log", "verify")
        self.box.sign("ec")


class Backups(AdminTest):
    def test_backup_goes_on_elsewhere_and_an_old_one_is_refused(self):
        self.box.sign("ec", document={"title": "Quyết định"})
        plain, whole = self.box.path("plain"), self.box.path("whole")
        self.assertIn("without the log's private key", self.ctl("backup", plain))
        self.assertIn("stop it first", self.ctl("restore", plain, "--state", self.box.path("state"), code=FAILED))
        self.assertEqual(sorted(os.listdir(plain)), ["backup", "log.db", "log.vkey", "signetd.conf", "tiles"])
        self.ctl("key", "disable", "rsa", "--reason", "lost")
        self.assertIn("private key", self.ctl("backup", whole, "--with-keys"))
        self.assertTrue({"log.key", "installation.key"} <= set(os.listdir(whole)))
        self.ctl("backup", whole, code=FAILED)
        self.ctl("log", "verify", "--copy", os.path.join(whole, "tiles"), "--vkey", self.vkey(), socket=NOWHERE)
        with open(self.box.path("credentials", "sandbox-pin"), "rb") as f:
            pin = f.read().strip()
        for place, _, names in os.walk(whole):
            for name in names:
                with open(os.path.join(place, name), "rb") as f:
                    self.assertNotIn(pin, f.read(), name)
        key, size = self.vkey(), self.json("log", "head")["size"]
        self.box.stop()
        kept = self.box.path("kept")
        shutil.move(self.box.path("state"), kept)
        os.mkdir(self.box.path("state"), 0o700)
        text = self.ctl("restore", whole, "--state", self.box.path("state"), socket=NOWHERE)
        self.assertIn("Start signetd", text)
        self.assertIn("move the old log away", self.ctl("restore", whole, "--state", self.box.path("state"), code=FAILED, socket=NOWHERE))
        # the published log has what was signed after the backup: this copy is too old
        self.box.start_daemon()
        status = self.box.call("org.signetd.Admin.Status")["log"]
        self.assertFalse(status["available"])
        self.assertIn("rolled back", status["reason"])
        self.box.stop()
        # without it, it is the newest that is known
        shutil.move(self.box.path("published"), self.box.path("published-before"))
        self.box.start()
        self.assertEqual(self.vkey(), key)
        self.assertFails("KeyDisabled", "org.signetd.Signer.Sign", {"key": "rsa", "digest": flow.digest()})
        moved = [e for e in self.box.entries() if e["kind"] == "moved"]
        self.assertEqual(len(moved), 1)
        self.assertLessEqual(moved[0]["oldSize"], size)
        self.box.sign("ec")
        self.ctl("log", "verify", "--vkey", key)
        self.box.stop()
        self.box.start()
        self.assertEqual(len([e for e in self.box.entries() if e["kind"] == "moved"]), 1)


class Erasing(AdminTest):
    def test_texts_are_erased_by_two_people(self):
        self.box.sign("ec", document={"title": "Quyết định", "number": "17"})
        index = self.box.signed()[-1]["index"]
        self.assertIn("Quyết định", self.ctl("log", "show", str(index)))
        self.assertIn("erased", self.two("log", "erase", str(index), "title", "--reason", "đã yêu cầu"))
        shown = self.ctl("log", "show", str(index))
        self.assertNotIn("Quyết định", shown)
        self.ctl("log", "verify")
        self.ctl("log", "erase", str(index), "--reason", "x" * 600, code=FAILED)
        self.ctl("log", "erase", "x", "--reason", "x", code=USAGE)


class Credential(AdminTest):
    SEED = bytes(range(7, 39))

    @classmethod
    def prepare(cls, box):
        super().prepare(box)
        box.replace_config("[log]\n", "[log]\ncredential = log-key\n")
        path = box.path("credentials", "log-key")
        with open(path, "wb") as f:
            f.write(cls.SEED)
        os.chmod(path, 0o600)

    def test_log_key_is_the_credential(self):
        self.box.sign("ec")
        der = bytes.fromhex("302e020100300506032b657004220420") + self.SEED
        public = subprocess.run(["openssl", "pkey", "-inform", "DER", "-pubout", "-outform", "DER"], input=der,
                                stdout=subprocess.PIPE, check=True).stdout[-32:]
        self.assertEqual(base64.b64decode(self.vkey().split("+", 2)[2])[1:], public)
        self.assertFalse(os.path.exists(self.box.path("state", "log.key")))
        self.ctl("log", "verify")
        self.assertIn("credential", self.ctl("log", "new-key", "--reason", "x", code=REFUSED))
        self.box.stop()
        os.remove(self.box.path("credentials", "log-key"))
        self.box.start_daemon()
        log = self.box.call("org.signetd.Admin.Status")["log"]
        self.assertIn("provide that credential", log["reason"])
        self.box.stop()
        with open(self.box.path("credentials", "log-key"), "wb") as f:
            f.write(self.SEED)
        os.chmod(self.box.path("credentials", "log-key"), 0o600)
        self.box.start()
        self.box.sign("ec")


if __name__ == "__main__":
    flow.main()
