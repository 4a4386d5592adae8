"""
What the tests of signet-pkcs11.so share: the module, pkcs11-tool on it, and
openssl(1) as the judge.
"""
import os
import re
import tempfile

import flow

MODULE = os.path.join(flow.BUILD, "client/pkcs11/signet-pkcs11.so")
PSS = ("-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest")
DIGEST_INFO = {"sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
               "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
               "sha512": bytes.fromhex("3051300d060960864801650304020305000440")}


class BridgeTest(flow.SandboxTest):
    """A sandbox whose socket the programs of the test find."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.place = tempfile.TemporaryDirectory()
        cls.env = dict(os.environ, SIGNET_SOCKET=cls.box.socket)
        if flow.SANITIZED:  # programs that were built without it must have it first
            first = [flow.run("gcc", f"-print-file-name={name}", text=True).stdout.strip()
                     for name in ("libasan.so", "libubsan.so", "libstdc++.so")]
            cls.env.update(LD_PRELOAD=" ".join(first), ASAN_OPTIONS="detect_leaks=0")

    @classmethod
    def tearDownClass(cls):
        cls.place.cleanup()
        super().tearDownClass()

    def path(self, name):
        return os.path.join(self.place.name, name)

    def write(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data)
        return self.path(name)

    def run_with(self, *command, **options):
        """A program that loads the bridge."""
        options.setdefault("env", self.env)
        options.setdefault("text", True)
        return flow.run(*command, **options)

    def tool(self, *words, **options):
        return self.run_with("pkcs11-tool", "--module", MODULE, *words, **options)

    def id(self, key):
        """CKA_ID of a key as pkcs11-tool wants it."""
        listed = self.tool("--list-objects", "--type", "cert").stdout
        return re.search(rf"label: +{key}\n(?:.*\n)*?.*ID: +([0-9a-f]+)", listed).group(1)

    def sign(self, key, mechanism, data, *words):
        out = self.path("pkcs11-tool.sig")
        self.tool("--sign", "--id", self.id(key), "--mechanism", mechanism, "--input-file", data, "--output-file", out,
                  *(("--signature-format", "openssl") if "ECDSA" in mechanism else ()), *words)
        with open(out, "rb") as f:
            return f.read()

    def public(self, key):
        """File with the public key of that name."""
        return self.write(key + ".pub", flow.run("openssl", "x509", "-in", self.box.certificate(key), "-noout", "-pubkey").stdout)

    def assertVerifiesFile(self, key, algorithm, signature, data, *options):
        done = flow.run("openssl", "dgst", f"-{algorithm}", *options, "-verify", self.public(key), "-signature",
                        self.write("judged.sig", signature), data, check=False)
        self.assertEqual(done.returncode, 0, done)
