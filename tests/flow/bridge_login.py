#!/usr/bin/python3
"""
Goal: C_Login through the bridge is a PIN that the token checked, once: what
is private shows after it, wrong and blocked PINs have their codes and flags,
a refused PIN is not sent twice, and what C_Login unlocked ends with C_Logout or
the last session.
"""
import bridge
import flow
from varlink import TOKEN

SCRIPT = """
import os, sys
import PyKCS11
from PyKCS11 import *
lib = PyKCS11Lib()
lib.load(os.environ["SIGNET_MODULE"])
slot = lib.getSlotList(tokenPresent=True)[0]
pin = os.environ["SANDBOX_PIN"]
def flags():
    return lib.getTokenInfo(slot).flags
def private(session):
    return session.findObjects([(CKA_CLASS, CKO_PRIVATE_KEY)])
def sign(session, label="rsa"):
    key = session.findObjects([(CKA_CLASS, CKO_PRIVATE_KEY), (CKA_LABEL, label)])[0]
    return session.sign(key, b"data", Mechanism(CKM_SHA256_RSA_PKCS, None))
def code(function, *arguments):
    try:
        function(*arguments)
    except PyKCS11Error as e:
        return e.value
    return CKR_OK
def check(condition):
    if not condition:
        raise AssertionError
"""


class Login(bridge.BridgeTest):
    @classmethod
    def prepare(cls, box):
        box.replace_config("lease = shared\ncredential = sandbox-pin\n", "")

    def tearDown(self):
        self.box.call(TOKEN + "Lock", {"token": "sandbox"})

    def python(self, script, **more):
        env = dict(self.env, SIGNET_MODULE=bridge.MODULE, SANDBOX_PIN=self.box.pin, **more)
        return self.run_with("/usr/bin/python3", "-c", SCRIPT + script, env=env).stdout

    def failures(self):
        return self.box.token()["pinFailures"]

    def test_private_keys_show_after_login(self):
        self.python("""
check("CKF_LOGIN_REQUIRED" in lib.getTokenInfo(slot).flags2text())
session = lib.openSession(slot)
check(private(session) == [])
check(len(session.findObjects([(CKA_CLASS, CKO_CERTIFICATE)])) == 3)
session.login(pin)
check(len(private(session)) == 3)
check(all(session.getAttributeValue(o, [CKA_PRIVATE])[0] for o in private(session)))
check(len(sign(session)) == 256 and len(sign(session)) == 256)
session.logout()
check(private(session) == [])
""")
        self.assertEqual(self.box.token()["state"], "locked")

    def test_the_last_session_locks(self):
        self.python("session = lib.openSession(slot)\nsession.login(pin)\nsign(session)\nsession.closeSession()\n"
                    "check(private(lib.openSession(slot)) == [])")
        self.assertEqual(self.box.token()["state"], "locked")

    def test_the_end_of_the_program_locks(self):
        self.tool("--login", "--pin", self.box.pin, "--list-objects")
        self.assertEqual(self.box.token()["state"], "locked")

    def test_wrong_pin_has_its_code_and_flag_and_goes_out_once(self):
        self.python("""
session = lib.openSession(slot)
check(code(session.login, "000000") == CKR_PIN_INCORRECT)
check(flags() & CKF_USER_PIN_COUNT_LOW)
check(code(session.login, "000000") == CKR_PIN_INCORRECT)
check(code(session.login, "000000") == CKR_PIN_INCORRECT)
""")
        self.assertEqual(self.failures(), 1)
        self.python("session = lib.openSession(slot)\nsession.login(pin)\ncheck(not flags() & CKF_USER_PIN_COUNT_LOW)\n")
        self.assertEqual(self.failures(), 0)

    def test_last_try_is_not_for_programs(self):
        self.python("""
session = lib.openSession(slot)
check(code(session.login, "000000") == CKR_PIN_INCORRECT)
check(code(session.login, "000001") == CKR_PIN_INCORRECT)
check(flags() & CKF_USER_PIN_FINAL_TRY)
check(code(session.login, pin) == CKR_PIN_LOCKED)
""")
        self.assertEqual(self.failures(), 2)
        self.box.call(TOKEN + "Unlock", {"token": "sandbox", "pin": self.box.pin, "lastTry": True})
        self.assertEqual(self.failures(), 0)

    def test_an_unlocking_made_elsewhere_serves(self):
        self.box.call(TOKEN + "Unlock", {"token": "sandbox", "pin": self.box.pin, "uses": 2})
        self.python("""
session = lib.openSession(slot)
check(not flags() & CKF_LOGIN_REQUIRED and flags() & CKF_PROTECTED_AUTHENTICATION_PATH)
check(len(sign(session)) == 256)
key = private(session)[0]
check(len(session.sign(key, b"data", Mechanism(CKM_SHA256_RSA_PKCS, None))) == 256)
check(code(session.sign, key, b"data", Mechanism(CKM_SHA256_RSA_PKCS, None)) == CKR_USER_NOT_LOGGED_IN)
session.login(pin)
check(len(sign(session)) == 256)
""")

    def test_without_a_pin_where_one_is_needed(self):
        done = self.tool("--sign", "--id", self.id("rsa"), "--mechanism", "SHA256-RSA-PKCS", "--input-file",
                         self.write("data", b"data"), "--output-file", self.path("never"), check=False)
        self.assertNotEqual(done.returncode, 0)

    def test_pin_never_stands_in_the_messages(self):
        self.tool("--login", "--pin", self.box.pin, "--list-objects")
        self.assertNotIn(self.box.pin, self.box.read("signetd.log"))


class EachTime(Login):
    """A token that is unlocked for one signature at a time."""

    @classmethod
    def prepare(cls, box):
        box.replace_config("lease = shared\ncredential = sandbox-pin\n", "max-uses = 1\n")

    def test_private_keys_show_after_login(self):
        self.python("""
session = lib.openSession(slot)
session.login(pin)
key = session.findObjects([(CKA_CLASS, CKO_PRIVATE_KEY), (CKA_LABEL, "rsa")])[0]
check(session.getAttributeValue(key, [CKA_ALWAYS_AUTHENTICATE])[0])
check(code(session.sign, key, b"data", Mechanism(CKM_SHA256_RSA_PKCS, None)) == CKR_USER_NOT_LOGGED_IN)
""")

    def test_each_signature_has_its_login(self):
        signature = self.sign("rsa", "SHA256-RSA-PKCS", self.write("data", b"data"), "--login", "--pin", self.box.pin)
        self.assertVerifiesFile("rsa", "sha256", signature, self.path("data"))

    def test_the_last_session_locks(self):
        self.python("session = lib.openSession(slot)\nsession.login(pin)\nsession.closeSession()\n")
        self.assertEqual(self.box.token()["state"], "locked")

    def test_an_unlocking_made_elsewhere_serves(self):
        self.box.call(TOKEN + "Unlock", {"token": "sandbox", "pin": self.box.pin})
        self.assertEqual(self.box.token()["uses"], 1)


if __name__ == "__main__":
    flow.main()
