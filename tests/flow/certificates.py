#!/usr/bin/python3
"""
Goal: before each signature the key's certificate is looked at, and the entry
says what was found. What is bad for sure is CertificateInvalid; what cannot be
known is the policy's to decide. A signet-format that dies costs one answer.
"""
import calendar
import json
import os
import signal
import time

import flow
from varlink import ADMIN, SIGNER

CA_CONF = """[ca]
default_ca = own
[own]
database = {dir}/index
crlnumber = {dir}/crlnumber
default_md = sha256
"""


class Certificates(flow.SandboxTest):
    @classmethod
    def prepare(cls, box):
        for key_id, name in (("31", "late"), ("32", "crypt"), ("33", "gone"), ("34", "short")):
            box.add_key(key_id, name, "EC:prime256v1")
        os.mkdir(box.path("crls"), 0o755)
        os.mkdir(box.path("pki"))
        for name, content in (("index", ""), ("crlnumber", "01\n"), ("conf", CA_CONF.format(dir=box.path("pki")))):
            with open(box.path("pki", name), "w", encoding="ascii") as f:
                f.write(content)
        cls.certify(box, "late", "31", "keyUsage=critical,digitalSignature", "0")
        cls.certify(box, "crypt", "32", "keyUsage=critical,keyEncipherment", "900")

    @staticmethod
    def certify(box, name, key_id, extensions, days):
        """Another certificate for this key, in place of the sandbox's."""
        def at(*names):
            return box.path("pki", *names)

        pem = box.certificate(name)
        with open(at("ext"), "w", encoding="ascii") as f:
            f.write(extensions + "\n")
        with open(at("pub.pem"), "wb") as f:
            f.write(flow.run("openssl", "x509", "-in", pem, "-noout", "-pubkey").stdout)
        flow.run("openssl", "x509", "-new", "-force_pubkey", at("pub.pem"), "-CA", box.path("ca.pem"), "-CAkey",
                 box.path("ca", "key.pem"), "-days", days, "-subj", "/CN=" + name, "-extfile", at("ext"), "-out", pem)
        flow.run("openssl", "x509", "-in", pem, "-outform", "DER", "-out", at("der"))
        box.pkcs11_tool("--delete-object", "--type", "cert", "--id", key_id)
        box.pkcs11_tool("--write-object", at("der"), "--type", "cert", "--id", key_id, "--label", name)

    def trust(self, policy, crls=False, anchors=True):
        """This [trust] section from now on."""
        text = self.box.read("signetd.conf").split("\n[trust]\n")[0]
        text += f"\n[trust]\ncertificate-check = {policy}\n"
        if anchors:
            text += f"anchors = {self.box.path('ca.pem')}\n"
        if crls:
            text += f"crls = {self.box.path('crls')}\n"
        self.box.set_config(text)
        self.box.call(ADMIN + "Reload")
        self.box.wait_token()

    def make_crl(self, *more):
        """A list of the authority's as it is now; it replaces the one before."""
        box = self.box
        flow.run("openssl", "ca", "-config", box.path("pki", "conf"), "-gencrl", "-keyfile", box.path("ca", "key.pem"), "-cert",
                 box.path("ca.pem"), "-out", box.path("pki", "crl.pem"), *(more or ("-crldays", "30")))
        os.rename(box.path("pki", "crl.pem"), box.path("crls", "own.pem"))

    def revoke(self, name):
        box = self.box
        flow.run("openssl", "ca", "-config", box.path("pki", "conf"), "-revoke", box.certificate(name), "-keyfile",
                 box.path("ca", "key.pem"), "-cert", box.path("ca.pem"))

    def found(self, key="ec", **more):
        """What the entry of a signature says of the certificate."""
        return json.loads(self.box.sign(key, **more)["receipt"]["entry"]).get("certCheck")

    def refused(self, key, reason):
        before = len(self.box.signed())
        found = self.assertFails("CertificateInvalid", SIGNER + "Sign", {"key": key, "digest": flow.digest()})
        self.assertEqual(found["reason"], reason)
        self.assertIn(key, found["message"])
        self.assertEqual(len(self.box.signed()), before, "refused before the token: no entry of a signature")

    def format_process(self):
        for pid in self.box.workers():
            with open(f"/proc/{pid}/comm", encoding="ascii") as f:
                if f.read().strip() == "signet-format":
                    return pid
        return None

    def test_1_without_anchors_only_the_dates_are_judged(self):
        late = self.box.certificate("late")
        flow.until(lambda: flow.run("openssl", "x509", "-in", late, "-noout", "-checkend", "-1", check=False).returncode, 20,
                   "its end")
        self.assertEqual(self.found(), "unchecked")
        self.refused("late", "expired")
        self.assertIsNone(self.format_process(), "nothing was asked of it")
        self.trust("off")
        self.assertIsNone(self.found())
        self.assertIsNone(self.found("late"), "off is off")

    def test_2_a_good_certificate_is_good(self):
        for policy in ("warn", "strict"):
            self.trust(policy)
            self.assertEqual(self.found(), "good")
            self.assertEqual(self.found(format="cades"), "good")
            self.refused("late", "expired")
            self.refused("crypt", "usage")

    def test_3_no_current_list_is_for_the_policy_to_decide(self):
        self.trust("warn", crls=True)
        self.assertEqual(self.found(), "no-revocation")
        self.trust("strict", crls=True)
        self.refused("ec", "no-revocation")
        self.make_crl()
        self.trust("strict", crls=True)
        self.assertEqual(self.found(), "good")

    def test_4_a_new_list_counts_without_a_restart(self):
        self.make_crl()
        self.trust("strict", crls=True)
        self.assertEqual(self.found("gone"), "good")
        self.revoke("gone")
        self.make_crl()

        def is_refused():
            try:
                self.box.sign("gone")
                return False
            except flow.varlink.VarlinkError as e:
                self.assertEqual((e.short, e.parameters["reason"]), ("CertificateInvalid", "revoked"))
                return True

        flow.until(is_refused, 30, "the revocation")
        self.assertEqual(self.found("ec"), "good")
        self.trust("warn", crls=True)
        self.refused("gone", "revoked")
        # a list that is past its time still says who was revoked; of others it says nothing
        self.make_crl("-crlsec", "1")
        flow.until(self.expired, 20, "the end of the list")
        self.trust("warn", crls=True)
        self.refused("gone", "revoked")
        self.assertEqual(self.found("ec"), "no-revocation")

    def expired(self):
        text = flow.run("openssl", "crl", "-in", self.box.path("crls", "own.pem"), "-noout", "-nextupdate", text=True).stdout
        stamp = text.strip().split("=", 1)[1]
        end = time.strptime(stamp, "%b %d %H:%M:%S %Y GMT")
        return time.time() > calendar.timegm(end) + 1

    def test_5_an_anchor_that_is_not_theirs(self):
        other = self.box.path("pki", "other.pem")
        flow.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
                 "/CN=Somebody else", "-days", "30", "-keyout", self.box.path("pki", "other.key"), "-out", other)
        self.trust("warn")
        self.box.replace_config(self.box.path("ca.pem"), other)
        self.box.call(ADMIN + "Reload")
        self.box.wait_token()
        self.assertEqual(self.found(), "untrusted")
        self.box.replace_config("certificate-check = warn", "certificate-check = strict")
        self.box.call(ADMIN + "Reload")
        self.box.wait_token()
        self.refused("ec", "untrusted")

    def test_6_time_stamps_are_judged_as_such(self):
        self.trust("strict")
        reply = self.box.call(SIGNER + "Timestamp", {"digest": flow.digest()})
        self.assertEqual(json.loads(reply["receipt"]["entry"])["certCheck"], "good")
        self.box.replace_config("[timestamp sandbox]\nkey = tsa", "[timestamp sandbox]\nkey = short")
        self.box.replace_config("object=short\n", "object=short\nuse = timestamp\n")
        self.box.call(ADMIN + "Reload")
        self.box.wait_token()
        found = self.assertFails("CertificateInvalid", SIGNER + "Timestamp", {"digest": flow.digest()})
        self.assertEqual(found["reason"], "usage")
        self.box.replace_config("object=short\nuse = timestamp\n", "object=short\n")
        self.box.replace_config("[timestamp sandbox]\nkey = short", "[timestamp sandbox]\nkey = tsa")

    def test_7_the_process_is_replaced(self):
        self.trust("strict")
        self.assertEqual(self.found(), "good")
        first = self.format_process()
        self.assertIsNotNone(first)
        os.kill(first, signal.SIGKILL)
        flow.until(lambda: not os.path.exists(f"/proc/{first}"), 20, "its end")
        self.assertEqual(self.found(), "good", "by what is remembered")
        self.assertEqual(self.found("rsa"), "good", "by a fresh process")
        second = self.format_process()
        self.assertNotIn(second, (None, first))
        # one that hangs is ended by its deadline
        os.kill(second, signal.SIGSTOP)
        self.trust("warn")  # forgets what was found; the stopped one is killed with the old configuration
        self.assertEqual(self.found(), "good")
        third = self.format_process()
        os.kill(third, signal.SIGSTOP)
        self.assertEqual(self.found("rsa"), "unavailable")
        self.assertEqual(flow.until(lambda: self.found("rsa") == "good", 30, "a fresh one"), True)

    def test_8_it_is_confined(self):
        self.trust("warn", crls=True)
        self.found()
        with open(f"/proc/{self.format_process()}/status", encoding="ascii") as f:
            status = dict(line.split(":", 1) for line in f if ":" in line)
        self.assertEqual((status["NoNewPrivs"].strip(), status["Seccomp"].strip()), ("1", "2"))
        fds = os.listdir(f"/proc/{self.format_process()}/fd")
        self.assertEqual(sorted(map(int, fds)), [0, 1, 2, 3, 4], "its socket, and the folder with the lists")


if __name__ == "__main__":
    flow.main()
