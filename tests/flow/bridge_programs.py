#!/usr/bin/python3
"""
Goal: programs that never heard of Signet sign through the bridge, with the
commands that signet-pkcs11(7) gives, and what they made is good for others;
each signature is in the log.
"""
import os
import re
import shutil
import signal
import subprocess
import time
import unittest

import bridge
import flow

TOKEN = "pkcs11:token=sandbox"


def small_pdf():
    """One page with a line of text."""
    text = b"BT /F1 18 Tf 72 720 Td (A decision of the commune) Tj ET"
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
               b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
               b"/Resources << /Font << /F1 5 0 R >> >> >>",
               b"<< /Length %d >>\nstream\n%s\nendstream" % (len(text), text),
               b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    out, places = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + (b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
                  % (len(objects) + 1, table, len(objects) + 1, len(out)))


@unittest.skipIf(flow.SANITIZED, "many of these start others that a sanitizer's runtime does not reach")
class Programs(bridge.BridgeTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["PKCS11_MODULE_PATH"] = bridge.MODULE
        cls.data = os.path.join(cls.place.name, "document")
        with open(cls.data, "wb") as f:
            f.write(b"a document\n" * 1000)

    def logged(self, count, before):
        self.assertEqual(len(self.box.signed()) - before, count, "entries of the log")

    def read(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def make(self, *names):
        """A directory of its own for a program."""
        path = self.path(os.path.join(*names))
        os.makedirs(path, mode=0o700)
        return path

    # OpenSSL

    def engine(self, *words, key="rsa", option="-key", **options):
        return self.run_with("openssl", words[0], "-engine", "pkcs11", "-keyform", "engine", option,
                             f"{TOKEN};object={key};type=private", *words[1:], **options)

    def test_openssl_dgst(self):
        before = len(self.box.signed())
        for key, options in (("rsa", ()), ("ec", ()), ("rsa", bridge.PSS)):
            with self.subTest(key=key, options=options):
                self.engine("dgst", "-sha256", *options, "-out", self.path("dgst.sig"), self.data, key=key, option="-sign")
                self.assertVerifiesFile(key, "sha256", self.read("dgst.sig"), self.data, *options)
        self.logged(3, before)

    def test_openssl_req(self):
        for key in ("rsa", "ec"):
            self.engine("req", "-new", "-sha384", "-subj", "/CN=somebody", "-out", self.path("csr"), key=key)
            self.assertIn("verify OK", flow.run("openssl", "req", "-verify", "-noout", "-in", self.path("csr"), text=True).stderr)

    def test_openssl_cms(self):
        for key in ("rsa", "ec"):
            self.engine("cms", "-sign", "-binary", "-signer", self.box.certificate(key), "-in", self.data, "-outform", "DER",
                        "-out", self.path("cms"), key=key, option="-inkey")
            flow.run("openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", self.path("cms"), "-content", self.data,
                     "-CAfile", self.box.path("ca.pem"), "-purpose", "any", "-out", os.devnull)

    def test_tls_handshake(self):
        for key, version in (("rsa", "-tls1_3"), ("ec", "-tls1_3"), ("rsa", "-tls1_2"), ("ec", "-tls1_2")):
            with self.subTest(key=key, version=version):
                socket = self.path("tls.sock")
                server = subprocess.Popen(
                    ["openssl", "s_server", "-engine", "pkcs11", "-keyform", "engine", "-key",
                     f"{TOKEN};object={key};type=private", "-cert", self.box.certificate(key), "-unix", socket, "-unlink",
                     version, "-naccept", "1", "-www"], env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE)
                try:
                    flow.until(lambda: os.path.exists(socket) or server.poll() is not None, 60, "the server")
                    done = flow.run("openssl", "s_client", "-unix", socket, "-CAfile", self.box.path("ca.pem"), version,
                                    "-verify_return_error", input=b"GET / HTTP/1.0\r\n\r\n", timeout=60)
                    self.assertIn(b"Verify return code: 0 (ok)", done.stdout)
                finally:
                    server.kill()
                    server.communicate()

    # GnuTLS

    def test_gnutls(self):
        for key in ("rsa", "ec"):
            done = self.run_with("p11tool", "--provider", bridge.MODULE, "--test-sign", f"{TOKEN};object={key};type=private")
            self.assertEqual((done.stdout + done.stderr).count("... ok"), 3, done)

    # OpenSSH and git

    def agent(self):
        """(environment, process) of an ssh-agent that may load the bridge and has its keys."""
        home = self.make(f"agent-{time.monotonic_ns()}")
        env = dict(self.env, SSH_AUTH_SOCK=os.path.join(home, "sock"), SSH_ASKPASS="/bin/true", SSH_ASKPASS_REQUIRE="force",
                   HOME=home)
        agent = subprocess.Popen(["ssh-agent", "-D", "-a", env["SSH_AUTH_SOCK"], "-P", os.path.realpath(bridge.MODULE)],
                                 env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        flow.until(lambda: os.path.exists(env["SSH_AUTH_SOCK"]), 60, "the agent's socket")
        self.run_with("ssh-add", "-s", os.path.realpath(bridge.MODULE), env=env)
        return env, agent

    @staticmethod
    def end(agent):
        agent.send_signal(signal.SIGTERM)
        agent.wait(30)

    def ssh_key(self, env, kind):
        listed = self.run_with("ssh-add", "-L", env=env).stdout.splitlines()
        return next(line for line in listed if line.startswith(kind))

    def test_openssh(self):
        env, agent = self.agent()
        try:
            before = len(self.box.signed())
            for kind in ("ssh-rsa", "ecdsa-sha2-nistp256"):
                public = self.ssh_key(env, kind)
                self.write("ssh.pub", public.encode() + b"\n")
                self.write("allowed", b"clerk " + public.encode() + b"\n")
                signed = self.write("letter", b"a letter\n")
                if os.path.exists(signed + ".sig"):
                    os.unlink(signed + ".sig")
                self.run_with("ssh-keygen", "-Y", "sign", "-f", self.path("ssh.pub"), "-n", "file", signed, env=env)
                done = flow.run("ssh-keygen", "-Y", "verify", "-f", self.path("allowed"), "-I", "clerk", "-n", "file", "-s",
                                signed + ".sig", input=b"a letter\n")
                self.assertIn(b"Good \"file\" signature", done.stdout)
            self.logged(2, before)
        finally:
            self.end(agent)

    def test_git(self):
        env, agent = self.agent()
        try:
            public = self.ssh_key(env, "ecdsa-sha2-nistp256")
            where = self.make("repository")
            self.write("allowed", b"clerk@example.org " + public.encode() + b"\n")
            git = ["git", "-C", where, "-c", "user.name=Clerk", "-c", "user.email=clerk@example.org", "-c", "gpg.format=ssh",
                   "-c", "user.signingKey=key::" + public, "-c", f"gpg.ssh.allowedSignersFile={self.path('allowed')}"]
            self.run_with(*git, "init", "-q", env=env)
            self.run_with(*git, "commit", "-q", "--allow-empty", "-S", "-m", "signed", env=env)
            done = self.run_with(*git, "verify-commit", "HEAD", env=env)
            self.assertIn('Good "git" signature for clerk@example.org', done.stderr)
        finally:
            self.end(agent)

    # NSS: pdfsig

    def nss(self):
        place = self.make(f"nss-{time.monotonic_ns()}")
        self.run_with("certutil", "-N", "-d", "sql:" + place, "--empty-password")
        self.run_with("certutil", "-A", "-d", "sql:" + place, "-n", "authority", "-t", "CT,C,C", "-i", self.box.path("ca.pem"))
        self.run_with("modutil", "-force", "-dbdir", "sql:" + place, "-add", "signet", "-libfile", bridge.MODULE)
        return place

    def test_pdfsig(self):
        place = self.nss()
        self.write("plain.pdf", small_pdf())
        before = len(self.box.signed())
        # poppler 22.12 spoils half of what it signs with ECDSA keys
        self.run_with("pdfsig", "-nssdir", place, "-add-signature", "-nick", "sandbox:rsa", "-digest", "SHA256",
                      self.path("plain.pdf"), self.path("signed.pdf"))
        self.logged(2, before)  # it signs nothing first, to learn how long a signature is
        done = self.run_with("pdfsig", "-nssdir", place, self.path("signed.pdf"))
        self.assertIn("Signature is Valid", done.stdout)

    # osslsigncode

    def test_osslsigncode(self):
        engine = next(flow.run("sh", "-c", "ls /usr/lib/*/engines-3/pkcs11.so", text=True).stdout.split().__iter__())
        script = self.write("script.ps1", b"Write-Output 'hello'\r\n")
        self.run_with("osslsigncode", "sign", "-pkcs11engine", engine, "-pkcs11module", bridge.MODULE, "-h", "sha256",
                      "-certs", self.box.certificate("rsa"), "-key", f"{TOKEN};object=rsa;type=private", "-in", script, "-out",
                      self.path("signed.ps1"))
        done = flow.run("osslsigncode", "verify", "-CAfile", self.box.path("ca.pem"), "-in", self.path("signed.ps1"), text=True,
                        check=False)
        self.assertIn("Signature verification: ok", done.stdout)

    # p11-kit

    def with_our_module_file(self, *command, **options):
        """A program that finds no other module file of p11-kit than ours."""
        place = self.path("modules")
        os.makedirs(place, exist_ok=True)
        with open(os.path.join(flow.REPO, "conf/signet.module"), encoding="utf-8") as f:
            self.write("modules/signet.module", f.read().replace("signet-pkcs11.so", bridge.MODULE).encode())
        return self.run_with("unshare", "-m" if os.geteuid() == 0 else "-rm", "sh", "-c",
                             'mount --bind "$0" /usr/share/p11-kit/modules && exec "$@"', place, *command, **options)

    def test_p11_kit_proxy(self):
        proxy = flow.run("sh", "-c", "ls /usr/lib/*/p11-kit-proxy.so", text=True).stdout.split()[0]
        self.with_our_module_file("pkcs11-tool", "--module", proxy, "--token-label", "sandbox", "--sign", "--id", self.id("rsa"),
                                  "--mechanism", "SHA256-RSA-PKCS", "--input-file", self.data, "--output-file",
                                  self.path("proxy.sig"))
        self.assertVerifiesFile("rsa", "sha256", self.read("proxy.sig"), self.data)
        self.assertIn("sandbox", self.with_our_module_file("p11tool", "--list-tokens").stdout)
        for name in ("signetd", "signet-token"):
            shutil.copy("/usr/bin/p11tool", self.path(name))
            done = self.with_our_module_file(self.path(name), "--list-tokens", check=False)
            self.assertNotIn("sandbox", done.stdout)

    def test_p11_kit_server(self):
        address = self.path("kit.sock")
        server = subprocess.Popen(["p11-kit", "server", "--foreground", "-n", address, "--provider", bridge.MODULE, TOKEN],
                                  env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            flow.until(lambda: os.path.exists(address), 60, "the server's socket")
            client = flow.run("sh", "-c", "ls /usr/lib/*/pkcs11/p11-kit-client.so", text=True).stdout.split()[0]
            # p11-kit 0.24 carries no mechanism of ECDSA that hashes
            flow.run("openssl", "dgst", "-sha256", "-binary", "-out", self.path("kit.digest"), self.data)
            self.run_with("pkcs11-tool", "--module", client, "--sign", "--id", self.id("ec"), "--mechanism", "ECDSA",
                          "--signature-format", "openssl", "--input-file", self.path("kit.digest"), "--output-file",
                          self.path("kit.sig"),
                          env=dict(self.env, P11_KIT_SERVER_ADDRESS=f"unix:path={address}"))
            self.assertVerifiesFile("ec", "sha256", self.read("kit.sig"), self.data)
        finally:
            server.terminate()
            server.wait(30)

    # Java

    @unittest.skipUnless(flow.LONG and shutil.which("jarsigner"), "with --long")
    def test_jarsigner(self):
        self.write("sun.cfg", f"name = Signet\nlibrary = {bridge.MODULE}\nslotListIndex = 0\n".encode())
        flow.run("jar", "cf", self.path("program.jar"), "-C", self.place.name, "document")
        self.run_with("jarsigner", "-keystore", "NONE", "-storetype", "PKCS11", "-providerClass", "sun.security.pkcs11.SunPKCS11",
                      "-providerArg", self.path("sun.cfg"), "-storepass", self.box.pin, "-sigalg", "SHA256withRSA",
                      self.path("program.jar"), "rsa", timeout=120)
        done = flow.run("jarsigner", "-verify", "-verbose", self.path("program.jar"), text=True)
        self.assertIn("jar verified", done.stdout)


if __name__ == "__main__":
    flow.main()
