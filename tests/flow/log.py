#!/usr/bin/python3
"""
Goal: a clerk, an administrator and an auditor get from the signing log what
they need with signetctl: find, prove, verify, export and report, from the
daemon or from a copy; who may read only his own sees only his own; a receipt
proves years later and without a daemon; and what was changed in the database
behind the daemon's back is found, with its place.
"""
import csv
import io
import json
import os
import random
import re
import shutil
import sqlite3
import subprocess

import flow

DONE, FAILED, USAGE, NO_DAEMON, REFUSED = range(5)
NOWHERE = "/nonexistent.sock"
FLIPS = 400 if flow.LONG else 25
SEED = int(os.environ.get("SIGNET_SEED", "11"))


class LogTest(flow.SandboxTest):
    @classmethod
    def prepare(cls, box):
        box.append_config("[rule nobody]\nuser = nobody\nverbs = sign list read-own\nkeys = ec\n")

    def ctl(self, *words, code=DONE, socket=None, prefix=(), env=None):
        command = [*prefix, flow.CTL, "--socket", socket or self.box.socket, *words]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                              env=dict(os.environ, LC_ALL="C.UTF-8", **(env or {})))
        self.assertEqual(done.returncode, code, (command, done.stdout[-2000:], done.stderr))
        return done.stdout.decode(), done.stderr.decode()

    def json(self, *words, **more):
        return json.loads(self.ctl(*words, "--json", **more)[0])

    def write(self, name, data=b"text\n"):
        path = self.box.path(name)
        with open(path, "wb") as f:
            f.write(data)
        return path

    def sign(self, name, *words, key="ec"):
        path = self.write(name, name.encode())
        self.ctl("sign", "--format", "raw", "--key", key, "--force", *words, path)
        return path

    def covered(self):
        """Until a checkpoint covers all that is logged now."""
        size = len(self.box.entries())
        flow.until(lambda: self.json("log", "head")["size"] >= size, what="a checkpoint of all entries")

    def vkey(self):
        return self.json("log", "head")["key"]


class Reading(LogTest):
    def test_shows_the_newest_and_one(self):
        self.sign("shown")
        listed = self.json("log", "show", "--limit", "3")
        self.assertEqual(len(listed), 3)
        last = json.loads(listed[-1]["entry"])
        self.assertEqual(listed[-1]["index"], last["index"])
        text, _ = self.ctl("log", "show", str(listed[-1]["index"]))
        self.assertIn(f"Entry {listed[-1]['index']} of {listed[-1]['log']}", text)
        _, why = self.ctl("log", "show", "999999", code=REFUSED)
        self.assertIn("999999", why)
        self.ctl("log", "show", "x", code=USAGE)

    def test_finds_an_entry_by_all_that_it_says(self):
        path = self.sign("found.pdf", "--title", "Quyết định", "--number", "17/QĐ-UBND", "--date", "2026-11-01",
                         "--request-id", "found-1", "--receipt")
        (row,) = self.json("log", "search", "--request-id", "found-1")
        entry = json.loads(row["entry"])
        ways = (("--digest", entry["digest"]), ("--signature", path + ".sig"), ("--signature", entry["signatureHash"]),
                ("--number", "17/QĐ-UBND", "--date", "2026-11-01"), ("--file", path), ("--file", path + ".sig"),
                ("--file", path + ".receipt"), ("--digest", entry["digest"], "--key", "ec", "--uid", str(os.geteuid())),
                ("--digest", entry["digest"], "--operation", "sign", "--outcome", "ok", "--kind", "sign"),
                ("--digest", entry["digest"], "--cert", self.box.certificate("ec"), "--token", "sandbox"),
                ("--digest", entry["digest"], "--from", entry["time"], "--until", "2999-01-01"))
        for words in ways:
            with self.subTest(words):
                self.assertEqual([r["index"] for r in self.json("log", "search", *words)], [row["index"]])
                self.assertIn(str(row["index"]), self.ctl("log", "search", *words)[0])
        for words in (("--digest", entry["digest"], "--key", "rsa"), ("--number", "18/QĐ-UBND", "--date", "2026-11-01"),
                      ("--digest", entry["digest"], "--until", entry["time"])):
            with self.subTest(words):
                self.assertEqual(self.json("log", "search", *words), [])
                self.ctl("log", "search", *words, code=REFUSED)
        self.assertIn("Quyết định", self.ctl("log", "show", str(row["index"]))[0])
        for words in (("--from", "yesterday"), ("--uid", "no such user"), ("--digest", "sha1:00"), ("--date", "2026-11-01")):
            self.ctl("log", "search", *words, code=USAGE)

    def test_whoever_may_read_his_own_sees_only_his_own(self):
        nobody = ["setpriv", f"--reuid={flow.NOBODY}", f"--regid={flow.NOBODY}", "--clear-groups"]
        if os.geteuid() != 0:
            nobody.insert(0, "sudo")
        self.sign("of-root")
        path = self.write("of-nobody")
        self.ctl("sign", "--format", "raw", "--key", "ec", "--out", "/tmp", "--force", path, prefix=nobody)
        os.remove("/tmp/of-nobody.sig")
        for verb in (("mine",), ("log", "search")):
            rows = self.json(*verb, prefix=nobody)
            self.assertGreater(len(rows), 0)
            self.assertEqual({json.loads(r["entry"])["uid"] for r in rows}, {flow.NOBODY})
        index = self.json("mine", prefix=nobody)[-1]["index"]
        self.assertIn("tlog-proof", self.ctl("log", "prove", str(index), prefix=nobody)[0])
        self.ctl("log", "prove", "0", code=REFUSED, prefix=nobody)
        _, why = self.ctl("log", "verify", code=FAILED, prefix=nobody)
        self.assertIn("only your own entries", why)

    def test_follows_what_is_logged(self):
        command = [flow.CTL, "--socket", self.box.socket, "log", "follow", "--key", "ec"]
        before = len(self.box.entries())
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=dict(os.environ, LC_ALL="C.UTF-8")) as following:
            try:
                # the reading itself is recorded: then it is under way
                flow.until(lambda: "export" in [e["kind"] for e in self.box.entries()[before:]], what="the reader")
                self.sign("followed", "--request-id", "followed-1")
                line = next(line for line in iter(following.stdout.readline, b"") if b"followed-1" in line)
                self.assertIn(b"sign", line)
            finally:
                following.terminate()

    def test_proof_holds_elsewhere(self):
        self.sign("proven")
        index = self.json("mine")[-1]["index"]
        self.ctl("log", "prove", str(index), "--out", self.box.path("proof"))
        proof = self.box.read("proof")
        self.assertIn(f"index {index}\n", proof)
        self.ctl("log", "prove", str(index), "--out", self.box.path("proof"), code=FAILED)
        self.ctl("log", "prove", "999999", code=REFUSED)


class Receipts(LogTest):
    def test_receipt_is_good_without_a_daemon_and_with_no_other_document(self):
        path = self.sign("kept.pdf", "--receipt")
        vkey = self.write("log.vkey", self.vkey().encode())
        told, _ = self.ctl("receipt", "verify", path + ".receipt", "--vkey", vkey, socket=NOWHERE)
        self.assertIn("Good receipt", told)
        self.assertIn("kept.pdf", told)
        good = self.json("receipt", "verify", path + ".receipt", path, "--vkey", vkey, socket=NOWHERE)
        self.assertTrue(good["good"])
        other = self.write("other.pdf")
        _, why = self.ctl("receipt", "verify", path + ".receipt", other, "--vkey", vkey, code=FAILED)
        self.assertIn("NOT", why)
        self.ctl("receipt", "verify", path + ".receipt", code=USAGE)
        stranger = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
        self.ctl("receipt", "verify", path + ".receipt", "--vkey", stranger, code=FAILED)

    def test_receipt_of_an_earlier_signature_is_fetched(self):
        path = self.sign("late.pdf", "--request-id", "late-1")
        self.ctl("receipt", path)
        first = self.box.read("late.pdf.receipt")
        self.ctl("receipt", path, code=FAILED)  # it is there
        index = json.loads(first)["receipt"]["index"]
        for words in (("--request-id", "late-1"), ("--index", str(index))):
            self.ctl("receipt", path, "--force", *words)
            again = json.loads(self.box.read("late.pdf.receipt"))
            self.assertEqual(again["receipt"]["entry"], json.loads(first)["receipt"]["entry"])
        self.ctl("receipt", "verify", path + ".receipt", "--vkey", self.vkey(), socket=NOWHERE)
        self.ctl("receipt", self.write("never-signed"), code=FAILED)
        wrong = self.write("wrong.pdf")
        shutil.copy(path + ".sig", wrong + ".sig")
        _, why = self.ctl("receipt", wrong, code=FAILED)
        self.assertIn("not what was signed", why)

    def test_many_files_get_receipts(self):
        paths = [self.write(f"many-{n}", str(n).encode()) for n in range(20)]
        self.ctl("sign", "--format", "raw", "--key", "ec", "--receipt", *paths)
        vkey = self.vkey()
        for path in paths:
            self.ctl("receipt", "verify", path + ".receipt", "--vkey", vkey, socket=NOWHERE)
        _, why = self.ctl("sign", "--format", "raw", "--key", "ec", "--receipt", *paths, code=FAILED)
        self.assertIn("nothing was signed", why)


class Copies(LogTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        code, numbers, err = cls.box.load(count=600, connections=4)
        assert code == 0, (numbers, err)

    def published(self):
        """The published folder, once it has all that is signed now."""
        head = self.json("log", "head")
        folder = self.box.path("published")

        def there():
            done = subprocess.run([flow.CTL, "--json", "log", "head", "--copy", folder], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, check=False)
            return done.returncode == 0 and json.loads(done.stdout)["size"] >= head["size"]

        flow.until(there, what="the published log")
        return folder, head["key"]

    def test_daemon_export_and_published_log_verify_and_agree(self):
        folder, vkey = self.published()
        out = self.box.path("log.jsonl")
        self.ctl("log", "export", "--out", out)
        self.assertIn("as they were logged", self.ctl("log", "verify", "--vkey", vkey)[0])
        for copy in (folder, out):
            told, _ = self.ctl("log", "verify", "--copy", copy, "--vkey", vkey, socket=NOWHERE)
            self.assertIn("as they were logged", told)
            shown = [r["entry"] for r in self.json("log", "search", "--key", "ec", "--limit", "9", "--copy", copy, socket=NOWHERE)]
            self.assertEqual(shown, [r["entry"] for r in self.json("log", "search", "--key", "ec", "--limit", "9")])
        told, _ = self.ctl("log", "verify", "--copy", folder, "--copy", out, "--vkey", vkey, socket=NOWHERE)
        self.assertEqual(told.count("as they were logged"), 2)
        again = self.box.path("again.jsonl")
        self.ctl("log", "export", "--copy", folder, "--out", again, "--vkey", vkey, socket=NOWHERE)
        self.ctl("log", "verify", "--copy", again, socket=NOWHERE)
        index = self.json("log", "search", "--key", "ec", "--limit", "1")[0]["index"]
        for source in (("--copy", folder), ()):
            self.assertIn(f"\nindex {index}\n", self.ctl("log", "prove", str(index), *source)[0])

    def test_goes_on_from_a_remembered_checkpoint(self):
        folder, vkey = self.published()
        first, second = self.box.path("first"), self.box.path("second")
        self.ctl("log", "verify", "--vkey", vkey, "--out", first)
        for n in range(3):
            self.sign(f"since-{n}")
        told, _ = self.ctl("log", "verify", "--vkey", vkey, "--from-checkpoint", first, "--out", second)
        self.assertIn("after the remembered ones", told)
        folder, _ = self.published()
        self.ctl("log", "verify", "--vkey", vkey, "--copy", folder, "--from-checkpoint", first, socket=NOWHERE)
        out = self.box.path("remembered.jsonl")
        self.ctl("log", "export", "--out", out)
        self.ctl("log", "verify", "--vkey", vkey, "--copy", out, "--from-checkpoint", second, socket=NOWHERE)
        # an older copy does not pass for the newer log
        old = self.box.path("old")
        shutil.copytree(folder, old)
        with open(first, encoding="utf-8") as f, open(os.path.join(old, "checkpoint"), "w", encoding="utf-8") as to:
            to.write(f.read())
        _, why = self.ctl("log", "verify", "--vkey", vkey, "--copy", old, "--from-checkpoint", second, code=FAILED)
        self.assertIn("missing at its end", why)

    def test_damage_in_a_copy_is_named(self):
        folder, vkey = self.published()
        copy = self.box.path("damaged")
        shutil.copytree(folder, copy)
        place = os.path.join(copy, "tile/entries/001")
        with open(place, "r+b") as f:
            data = bytearray(f.read())
            data[100] ^= 1
            f.seek(0)
            f.write(data)
        _, why = self.ctl("log", "verify", "--copy", copy, "--vkey", vkey, code=FAILED)
        self.assertIn("tile/entries/001: entry 256 is not the one that was logged", why)
        self.ctl("log", "search", "--key", "ec", "--copy", copy, code=FAILED)
        out = self.box.path("damaged.jsonl")
        self.ctl("log", "export", "--out", out)
        with open(out, encoding="utf-8") as f:
            lines = f.readlines()
        lines[300] = lines[300].replace('\\"clock\\":\\"', '\\"clock\\":\\"x', 1)
        with open(out, "w", encoding="utf-8") as f:
            f.writelines(lines)
        _, why = self.ctl("log", "verify", "--copy", out, "--vkey", vkey, code=FAILED)
        self.assertIn("entry 299 is not the one that was logged", why)
        with open(out, "w", encoding="utf-8") as f:
            f.writelines(lines[:250] + lines[251:299])
        _, why = self.ctl("log", "verify", "--copy", out, "--vkey", vkey, code=FAILED)
        self.assertIn("entries 249 to 249 are missing", why)

    def test_table_has_a_line_for_each_entry(self):
        text, _ = self.ctl("log", "export", "--format", "csv", "--titles")
        rows = list(csv.DictReader(io.StringIO(text)))
        self.assertEqual([int(r["index"]) for r in rows], list(range(len(rows))))
        entries = {e["index"]: e for e in self.box.entries()}
        for row in rows:
            self.assertEqual(row["kind"], entries[int(row["index"])]["kind"])
            self.assertEqual(row["digest"], entries[int(row["index"])].get("digest", ""))

    def test_titles_are_exported_only_when_asked_for(self):
        self.sign("titled", "--title", "=Một tiêu đề", "--request-id", "titled-1")
        plain, _ = self.ctl("log", "export", "--request-id", "titled-1")
        self.assertNotIn("Một tiêu đề", plain)
        titled, _ = self.ctl("log", "export", "--request-id", "titled-1", "--titles")
        self.assertIn("Một tiêu đề", titled)
        table, _ = self.ctl("log", "export", "--request-id", "titled-1", "--titles", "--format", "csv")
        self.assertIn("\"'=Một tiêu đề\"", table)  # no formula in a spreadsheet
        self.assertNotIn("Một tiêu đề", self.ctl("log", "report")[0])


class Changed(LogTest):
    """What was changed in log.db while nobody looked."""

    def change(self, statement, *values):
        self.box.stop()
        with sqlite3.connect(self.box.path("state", "log.db")) as db:
            self.assertEqual(db.execute(statement, values).rowcount, 1)
        db.close()
        self.box.start()

    def test_verify_names_what_was_changed(self):
        for n in range(12):
            self.sign(f"signed-{n}")
        self.covered()
        rows = {index: (data, leaf) for index, data, leaf in self.box.rows_live("SELECT idx, bytes, leaf FROM entry")}
        entry, leaf = (bytes(value) for value in rows[5])
        changed = entry.replace(b'"uid":', b'"uid":1')
        cases = (("UPDATE entry SET bytes = ? WHERE idx = 5", changed, entry, "entry 5 is not the one that was logged"),
                 ("UPDATE entry SET leaf = ? WHERE idx = 5", bytes(32), leaf, "the stored hash of entry 5 is wrong; the entry itself is the one that was logged"))
        for statement, wrong, right, words in cases:
            with self.subTest(statement):
                self.change(statement, wrong)
                _, why = self.ctl("log", "verify", code=FAILED)
                self.assertIn(words, why)
                page, why = self.ctl("log", "report", code=FAILED)
                self.assertIn("NOT VERIFIED", page)
                self.assertIn(words, page)
                self.change(statement, right)
                self.ctl("log", "verify")
        subtrees = bytes(self.box.rows_live("SELECT subtrees FROM entry WHERE idx = 7")[0][0])
        self.change("UPDATE entry SET subtrees = ? WHERE idx = 7", subtrees[:33] + bytes([subtrees[33] ^ 1]) + subtrees[34:])
        _, why = self.ctl("log", "verify", code=FAILED)
        self.assertIn("the hash of 4 entries that is stored with entry 7 is wrong", why)
        self.change("UPDATE entry SET subtrees = ? WHERE idx = 7", subtrees)
        at, note = self.box.rows_live("SELECT idx, checkpoint FROM entry WHERE checkpoint IS NOT NULL AND idx BETWEEN 3 AND 9")[0]
        self.change("UPDATE entry SET checkpoint = ? WHERE idx = ?", bytes(note).replace(b"\n", b"x\n", 1), at)
        _, why = self.ctl("log", "verify", code=FAILED)
        self.assertIn(f"the checkpoint stored with entry {at}", why)
        self.change("UPDATE entry SET checkpoint = ? WHERE idx = ?", bytes(note), at)
        self.ctl("log", "verify")


class Flipped(LogTest):
    """One bit of log.db is another: whatever that alters is found."""

    def content(self):
        """What the log says, or None where SQLite itself cannot read it."""
        try:
            return self.box.rows("SELECT idx, bytes, leaf, subtrees, checkpoint FROM entry ORDER BY idx")
        except sqlite3.DatabaseError:
            return None

    @staticmethod
    def alters(before, after):
        """The rows that say something else. Not one that has no checkpoint any more: not every row has one."""
        if after is None or len(before) != len(after):
            return ["all"]
        return [b for a, b in zip(before, after) if a != b and (a[:4] != b[:4] or b[4])]

    def restore(self):
        for name in ("state", "published"):
            shutil.rmtree(self.box.path(name), ignore_errors=True)
            shutil.copytree(self.box.path("kept", name), self.box.path(name))

    def verify(self):
        """(exit status, sentences) of `log verify`, or None where the daemon says that it cannot open this log."""
        self.box.start_daemon()
        log = self.box.call("org.signetd.Admin.Status")["log"]
        if not log["available"] and log["size"] == 0:
            self.assertIn("log", log["reason"])
            self.box.stop()
            return None
        done = subprocess.run([flow.CTL, "--socket", self.box.socket, "log", "verify"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        self.box.stop()  # not killed: a token store that is killed while it writes is no log
        return done.returncode, done.stderr

    def test_whatever_a_flipped_bit_alters_is_found(self):
        for n in range(40):
            self.sign(f"random-{n}")
        self.covered()
        self.box.stop()
        for name in ("state", "published"):
            shutil.copytree(self.box.path(name), self.box.path("kept", name))
        before, altered, chosen = self.content(), 0, random.Random(SEED)
        with open(self.box.path("state", "log.db"), "rb") as f:
            whole = f.read()
        for n in range(FLIPS):
            at, bit = chosen.randrange(len(whole)), 1 << chosen.randrange(8)
            self.restore()
            with open(self.box.path("state", "log.db"), "r+b") as f:
                f.seek(at)
                f.write(bytes([whole[at] ^ bit]))
            changed = self.alters(before, self.content())
            altered += bool(changed)
            found = self.verify()
            with self.subTest(byte=at, bit=bit, changed=changed):
                if changed and found is not None:
                    self.assertNotEqual(found[0], DONE)
                    self.assertRegex(found[1], r"entr(y|ies) \d+|checkpoint|hash|cannot")
                if not changed and found is not None:
                    self.assertEqual(found[0], DONE, found[1])
        self.assertGreater(altered, FLIPS // 10)  # most bytes of the file mean something
        self.restore()
        self.box.start()


class Page(LogTest):
    def test_report_says_what_was_done_and_nothing_runs_in_it(self):
        self.sign("reported")
        self.ctl("sign", "--format", "raw", "--key", "seal", self.write("sealed"), code=FAILED)
        self.covered()
        page, _ = self.ctl("log", "report", env={"TZ": "Asia/Ho_Chi_Minh"})
        self.assertIn("Verified", page)
        self.assertIn(">ec<", page)
        self.assertIn("<svg", page)
        self.assertIsNone(re.search(r"<script|javascript:|https?://|\son\w+=", page, re.I))
        self.assertTrue(page.rstrip().endswith("</html>"))
        empty, _ = self.ctl("log", "report", "--from", "2001-01-01", "--until", "2001-01-02")
        self.assertIn("There is no entry in this time", empty)
        self.ctl("log", "report", "--from", "once", code=USAGE)


if __name__ == "__main__":
    flow.main()
