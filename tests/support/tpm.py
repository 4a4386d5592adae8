"""
A simulated TPM with a PKCS#11 token on it: the secure device of a test. It is
reached over a Unix socket by libsignet-tcti.so, because a worker may open no
other kind. Needs swtpm, libtpm2-pkcs11-1 and opensc (pkcs11-tool).
"""
import os
import re
import subprocess
import time

import flow

MODULE = "/usr/lib/x86_64-linux-gnu/pkcs11/libtpm2_pkcs11.so"
TCTI = os.path.join(flow.BUILD, "tests/support/libsignet-tcti.so")
PACKAGES = "swtpm libtpm2-pkcs11-1 opensc"
PIN = "24681357"
LABEL = "device"


class Tpm:
    """In `place`; its token has the label `device` and P-256 and RSA-2048 keys with the ids 01 and 02."""

    def __init__(self, place):
        self.place = place
        missing = [f for f in ("/usr/bin/swtpm", MODULE, TCTI) if not os.path.exists(f)]
        if missing:
            raise AssertionError(f"this test needs {', '.join(missing)}: apt-get install {PACKAGES}")
        for name in ("", "state", "store"):
            os.makedirs(os.path.join(place, name), exist_ok=True)
        self.env = {"TPM2_PKCS11_TCTI": f"{TCTI}:{self.socket}", "TPM2_PKCS11_STORE": os.path.join(place, "store")}
        self.start()
        try:
            self.make_token()
        except BaseException:
            self.stop()
            raise

    @property
    def socket(self):
        return os.path.join(self.place, "tpm.sock")

    def start(self):
        with open(os.path.join(self.place, "swtpm.log"), "ab") as log:
            self.process = subprocess.Popen(
                ["/usr/bin/swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.place}/state",
                 "--server", f"type=unixio,path={self.socket}", "--ctrl", f"type=unixio,path={self.place}/control.sock",
                 "--flags", "not-need-init,startup-clear"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        flow.until(lambda: os.path.exists(self.socket), what="the simulated TPM")

    def stop(self):
        """As if the device were unplugged; what it keeps is kept."""
        self.process.terminate()
        self.process.wait(20)
        if os.path.exists(self.socket):
            os.unlink(self.socket)

    def tool(self, *words):
        return flow.run("pkcs11-tool", "--module", MODULE, *words, env=dict(os.environ, **self.env), timeout=60, text=True).stdout

    def make_token(self):
        self.tool("--init-token", "--label", LABEL, "--so-pin", PIN)
        login = ("--token-label", LABEL, "--login")
        self.tool(*login, "--login-type", "so", "--so-pin", PIN, "--init-pin", "--pin", PIN)
        for number, kind in (("01", "EC:prime256v1"), ("02", "rsa:2048")):
            self.tool(*login, "--pin", PIN, "--keypairgen", "--key-type", kind, "--id", number, "--label", f"device{number}")

    def section(self, kind="token", name="device", more="", use="personal"):
        """For signetd.conf, with the keys device-ec and device-rsa; `more` goes into the token's section."""
        environment = "\n ".join(f"{k}={v}" for k, v in self.env.items())
        return (f"[{kind} {name}]\nmodule = {MODULE}\nlabel = {LABEL}\npaths = {self.place} {os.path.dirname(TCTI)}\n"
                f"environment = {environment}\n{more}\n"
                f"[key device-ec]\ntoken = {name}\nuri = pkcs11:token={LABEL};id=%01\nuse = {use}\n\n"
                f"[key device-rsa]\ntoken = {name}\nuri = pkcs11:token={LABEL};id=%02\nuse = {use}\n")

    def public_key(self, place):
        """The P-256 key as a PEM file."""
        listed = self.tool("-O", "--type", "pubkey")
        point = re.search(r"EC_POINT: *0441([0-9a-f]{130})", listed).group(1)
        path = os.path.join(place, "device.pem")
        der = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200" + point)  # [RFC 5480, 2]
        flow.run("openssl", "pkey", "-pubin", "-inform", "DER", "-out", path, input=der)
        return path
