#!/usr/bin/python3
"""
Tokens that were issued elsewhere get into the configuration, are replaced,
handed over and switched off, by the words an administrator types.
"""
import glob
import json
import os
import re
import subprocess
import time

import flow

SIGNETCTL = os.path.join(flow.BUILD, "client/signetctl/signetctl")
PIN = "471199"


def tool(box, *words, **more):
    return flow.run(*words, env=dict(os.environ, SOFTHSM2_CONF=box.path("tokens", "softhsm2.conf"), TOKEN_PIN=PIN), text=True,
                    **more).stdout


def pkcs11_tool(box, label, *words):
    return tool(box, "pkcs11-tool", "--module", flow.SOFTHSM, "--token-label", label, "--login", "--pin", "env:TOKEN_PIN", *words)


def serial_of(box, label):
    listed = tool(box, "pkcs11-tool", "--module", flow.SOFTHSM, "--list-token-slots")
    return re.search(rf"token label *: {label}\s.*?serial num *: (\S+)", listed, re.S).group(1)


def add_key(box, label, key_id, subject, days=400):
    """A P-256 key with a certificate by the sandbox's authority."""
    pkcs11_tool(box, label, "--keypairgen", "--key-type", "EC:prime256v1", "--id", key_id)
    listed = pkcs11_tool(box, label, "--list-objects", "--type", "pubkey")
    point = re.search(rf"EC_POINT: *(\S+)(?:(?!Public Key).)*?ID: *{key_id}\b", listed, re.S).group(1)
    files = box.path("ca", "issued")
    with open(files + ".pub", "wb") as f:
        f.write(bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200" + point[4:]))
    flow.run("openssl", "pkey", "-pubin", "-inform", "DER", "-in", files + ".pub", "-out", files + ".pem")
    # x509(1) takes a subject in UTF-8 only out of a request
    flow.run("openssl", "req", "-new", "-utf8", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-keyout",
             files + ".key", "-subj", subject, "-out", files + ".csr")
    flow.run("openssl", "x509", "-req", "-in", files + ".csr", "-force_pubkey", files + ".pem", "-CA", box.path("ca.pem"), "-CAkey",
             box.path("ca", "key.pem"), "-days", str(days), "-outform", "DER", "-out", files + ".der")
    pkcs11_tool(box, label, "--write-object", files + ".der", "--type", "cert", "--id", key_id)


def issue(box, label, subject, days=400):
    """A token as an authority hands it out; its serial number."""
    tool(box, "softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "87654321")
    add_key(box, label, "01", subject, days)
    return serial_of(box, label)


class Office(flow.SandboxTest):
    """A daemon with a folder for further configuration, and an administrator."""

    @classmethod
    def prepare(cls, box):
        os.makedirs(box.path("signetd.conf.d"), exist_ok=True)

    def ctl(self, *words, code=0, pin=None):
        """(what it printed, its messages)"""
        command = [SIGNETCTL, "--socket", self.box.socket, *words]
        options = {}
        if pin is not None:
            read, write = os.pipe()
            os.write(write, pin.encode() + b"\n")
            os.close(write)
            command += ["--pin-fd", str(read)]
            options["pass_fds"] = (read,)
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120, check=False, **options)
        if pin is not None:
            os.close(read)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout, done.stderr

    def conf(self, name):
        return self.box.path("signetd.conf.d", name + ".conf")

    def sign(self, key, code=0):
        document = self.box.path("document")
        with open(document, "w", encoding="ascii") as f:
            f.write(flow.digest())
        return self.ctl("sign", "--format", "raw", "--key", key, "--force", document, pin=PIN, code=code)


class Administration(Office):
    def test_scan_shows_what_lies_on_a_token(self):
        issue(self.box, "scanned", "/O=UBND xã An Bình/CN=Lê Thị Hoa")
        text, _ = self.ctl("token", "scan")
        self.assertRegex(text, r"scanned +Lê Thị Hoa +UBND xã An Bình +20\d\d-")
        replies = json.loads(self.ctl("--json", "token", "scan")[0])
        token = next(r["token"] for r in replies if r["token"] and r["token"]["label"] == "scanned")
        self.assertEqual((token["configured"], token["pinSet"], token["pinState"]), (None, True, "ok"))
        self.assertEqual(token["certificates"][0]["id"], "01")
        self.ctl("token", "add", "--holder", "Lê Thị Hoa", "--serial", token["serial"])
        self.assertIn("le-thi-hoa", self.ctl("token", "scan")[0])

    def test_driver_must_be_roots(self):
        with open(self.box.path("driver.so"), "wb") as f:
            f.write(b"no driver")
        os.chmod(self.box.path("driver.so"), 0o666)
        _, messages = self.ctl("token", "scan", "--module", self.box.path("driver.so"), code=1)
        self.assertIn("can be written by others", messages)

    def test_token_is_added_and_signs(self):
        serial = issue(self.box, "an", "/CN=Nguyễn Văn An")
        user = str(os.getuid())
        self.ctl("token", "add", "--holder", "Nguyễn Văn An", "--serial", serial, "--user", user)
        self.assertEqual(os.stat(self.conf("nguyen-van-an")).st_mode & 0o777, 0o644)
        self.box.wait_token("nguyen-van-an", "locked")
        self.sign("nguyen-van-an")
        _, messages = self.ctl("token", "add", "--holder", "Nguyễn Văn An", "--serial", serial, code=2)
        self.assertIn("--force", messages)
        self.ctl("token", "handover", "nguyen-van-an", "--given-by", "Nguyễn Văn An", "--given-to", "Trần Văn Bê", "--number",
                 "12/BB", "--date", "2026-11-21")
        entry = next(e for e in self.box.entries() if e.get("operation") == "handover")
        self.assertNotIn("Trần", entry["bytes"].decode())
        self.assertTrue(entry["handedTo"].startswith("sha256:"))

    def test_what_the_daemon_refuses_leaves_no_file(self):
        serial = issue(self.box, "bad", "/CN=Bad")
        before = self.box.status()["config"]
        _, messages = self.ctl("token", "add", "--holder", "Bad", "--serial", serial, "--user", "no-such-account", code=1)
        self.assertIn("unknown user", messages)
        self.assertEqual(glob.glob(self.box.path("signetd.conf.d", "bad*")), [])
        self.ctl("reload")
        self.assertEqual(self.box.status()["config"], before)

    def test_text_that_would_be_a_section_of_its_own_is_refused(self):
        serial = issue(self.box, "sly", "/CN=Sly")
        for holder in ("A\n[rule x]\nuser = *", "", "x" * 300):
            self.ctl("token", "add", "--holder", holder, "--name", "sly", "--serial", serial, code=2)
        self.assertFalse(os.path.exists(self.conf("sly")))

    def test_token_is_replaced_under_its_name(self):
        user = str(os.getuid())
        old = issue(self.box, "old", "/CN=Holder")
        self.ctl("token", "add", "--holder", "Holder", "--serial", old, "--user", user)
        new = issue(self.box, "new", "/CN=Holder")
        with open(self.conf("holder"), encoding="utf-8") as f:
            remark = f.read() + "# a remark\n"
        with open(self.conf("holder"), "w", encoding="utf-8") as f:
            f.write(remark)
        self.ctl("token", "replace", "holder", new)
        with open(self.conf("holder"), encoding="utf-8") as f:
            text = f.read()
        self.assertEqual(text, remark.replace(old, new))
        self.box.wait_token("holder", "locked")
        self.assertEqual(self.box.token("holder")["serial"], new)
        self.sign("holder")

    def test_renewed_certificate_keeps_the_keys_name(self):
        user = str(os.getuid())
        serial = issue(self.box, "renewed", "/CN=Renewed", days=20)
        self.ctl("token", "add", "--holder", "Renewed", "--serial", serial, "--user", user)
        self.box.wait_token("renewed", "locked")
        self.assertIn("renewed", json.dumps([c for c in json.loads(self.doctor())["checks"] if c["state"] == "warn"]))
        add_key(self.box, "renewed", "02", "/CN=Renewed", days=800)
        self.ctl("token", "replace", "renewed", serial)
        with open(self.conf("renewed"), encoding="utf-8") as f:
            self.assertIn("id=%02", f.read())
        self.box.wait_token("renewed", "locked")
        self.sign("renewed")

    def doctor(self):
        return subprocess.run([SIGNETCTL, "--socket", self.box.socket, "--json", "doctor"], stdout=subprocess.PIPE, text=True,
                              timeout=60, check=False).stdout

    def test_key_is_switched_off_and_on(self):
        document = self.box.path("document.off")
        with open(document, "w", encoding="ascii") as f:
            f.write("off")
        self.ctl("key", "disable", "rsa", code=2)
        self.ctl("key", "disable", "rsa", "--reason", "lost on the bus")
        _, messages = self.ctl("sign", "--format", "raw", "--key", "rsa", document, code=4)
        self.assertIn("lost on the bus", messages)
        self.assertRegex(self.ctl("keys", "rsa")[0], "disabled .*lost on the bus")
        self.assertIn("rsa is disabled", " ".join(self.box.status()["warnings"]))
        self.ctl("key", "enable", "rsa", "--reason", "found again")
        self.ctl("sign", "--format", "raw", "--key", "rsa", document)

    def test_key_is_generated_certified_and_added(self):
        tool(self.box, "softhsm2-util", "--init-token", "--free", "--label", "bare", "--pin", PIN, "--so-pin", "87654321")
        serial = serial_of(self.box, "bare")
        for number, algorithm in enumerate(("p256", "rsa2048", "p384")):
            made = json.loads(self.ctl("--json", "key", "generate", "office", "--serial", serial, "--algorithm", algorithm, pin=PIN)[0])
            place = self.box.path("ca", f"csr{number}")
            self.ctl("key", "csr", made["id"], "--serial", serial, "--subject", "Đỗ Văn Cường", "--organisation", "UBND", "--out",
                     place, pin=PIN)
            shown = flow.run("openssl", "req", "-in", place, "-verify", "-noout", "-subject", "-nameopt", "utf8,sep_comma_plus",
                             text=True).stdout
            self.assertIn("O=UBND,CN=Đỗ Văn Cường", shown)
            flow.run("openssl", "x509", "-req", "-in", place, "-CA", self.box.path("ca.pem"), "-CAkey", self.box.path("ca", "key.pem"),
                     "-days", "400", "-out", place + ".pem")
            imported = json.loads(self.ctl("--json", "cert", "import", place + ".pem", "--serial", serial, pin=PIN)[0])
            self.assertEqual(imported["id"], made["id"])
        self.ctl("cert", "import", self.box.certificate("ec"), "--serial", serial, pin=PIN, code=1)  # no key for it
        self.ctl("token", "add", "--holder", "Đỗ Văn Cường", "--serial", serial, "--user", str(os.getuid()))
        self.box.wait_token("do-van-cuong", "locked")
        for key in ("do-van-cuong", "do-van-cuong-2", "do-van-cuong-3"):
            self.sign(key)
        operations = [e["operation"] for e in self.box.entries() if e.get("tokenSerial") == serial and e["kind"] == "key"]
        self.assertEqual(operations, ["generate", "request", "import"] * 3 + ["import"])
        # what the daemon uses is left alone
        _, messages = self.ctl("key", "generate", "more", "--serial", serial, pin=PIN, code=8)
        self.assertIn("uses this token", messages)

    def test_wrong_pin_is_tried_once(self):
        serial = issue(self.box, "wrong", "/CN=Wrong")
        self.ctl("key", "generate", "more", "--serial", serial, pin="000000", code=5)
        replies = json.loads(self.ctl("--json", "token", "scan")[0])
        token = next(r["token"] for r in replies if r["token"] and r["token"]["serial"] == serial)
        self.assertEqual(token["pinState"], "countLow")
        _, messages = self.ctl("key", "generate", "more", "--serial", serial, pin=PIN, code=5)  # unasked, not even the right one
        self.assertIn("last-try", messages)
        self.ctl("key", "generate", "more", "--serial", serial, "--last-try", pin=PIN)

    def test_certificates_are_listed_and_exported(self):
        self.assertRegex(self.ctl("cert", "list", "ec")[0], r"ec +Sandbox ec +Signet sandbox +Throw-away CA")
        with open(self.box.certificate("ec"), encoding="ascii") as f:
            self.assertEqual(self.ctl("cert", "export", "ec")[0], f.read())


class ManyTokens(Office):
    """26 tokens: as many as the first office has."""

    def test_26_tokens_are_enrolled_by_script(self):
        serials = [issue(self.box, f"t{n:02}", f"/CN=Holder {n:02}") for n in range(26)]
        before = time.monotonic()
        for n, serial in enumerate(serials):
            self.ctl("token", "add", "--holder", f"Holder {n:02}", "--serial", serial, "--user", str(os.getuid()))
        seconds = time.monotonic() - before
        for n in range(26):
            self.box.wait_token(f"holder-{n:02}", "locked")
        print(f"26 tokens enrolled in {seconds:.1f} s")
        self.assertLess(seconds, 300)
        self.sign("holder-25")


if __name__ == "__main__":
    flow.main()
