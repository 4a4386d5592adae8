#!/usr/bin/python3
"""
Goal: tokens that are odd, but not broken, serve as others do: one without a
serial number, one with a PIN pad, one that counts tries and does not say how
many are left, one that asks for its PIN each time. And a module that looks for
what is none of its business finds nothing.
"""
import flow
from varlink import SIGNER, TOKEN

WRONG = "11111111"


class Odd(flow.SandboxTest):
    """Each test has a daemon of its own, with that kind of token."""

    @classmethod
    def setUpClass(cls):
        """Each test has a sandbox of its own."""

    @classmethod
    def tearDownClass(cls):
        pass

    def setUp(self):
        self.box = flow.Sandbox()
        self.addCleanup(self.box.remove)
        self.box.use_faults()
        self.box.replace_config("credential = sandbox-pin\n", "")
        self.box.replace_config("lease = shared\n", "")

    def start(self, *faults):
        self.box.fault(*faults)
        self.box.start()

    def sign_fails(self, error, **more):
        return self.assertFails(error, SIGNER + "Sign", {"key": "ec", "digest": flow.digest(), **more})

    def lines(self):
        return self.box.read("tokens", "logins").split()

    def test_without_a_serial_number(self):
        self.start("tokeninfo noserial")
        self.assertIn("signature", self.box.sign(pin=self.box.pin))
        self.sign_fails("PinIncorrect", pin=WRONG)
        self.assertEqual(self.box.token()["pinFailures"], 1)
        self.box.kill()
        self.box.start()  # its tries are counted under its label
        self.assertEqual(self.box.token()["pinFailures"], 1)
        self.assertIn("signature", self.box.sign(pin=self.box.pin, lastTry=True))

    def test_that_counts_and_does_not_say_so(self):
        self.start("tokeninfo flags 0 0x70000", "login counted 3")
        for _ in range(2):
            self.sign_fails("PinIncorrect", pin=WRONG)
        for pin in (WRONG, self.box.pin):
            self.sign_fails("PinLastTry", pin=pin)
        self.assertEqual(self.lines().count("wrong"), 2)
        self.sign_fails("PinIncorrect", pin=WRONG, lastTry=True)
        self.sign_fails("PinBlocked", pin=self.box.pin, lastTry=True)
        self.assertEqual((self.lines().count("wrong"), self.lines().count("right")), (3, 0))

    def test_that_wants_its_pin_each_time(self):
        flow.run("pkcs11-tool", "--module", flow.SOFTHSM, "--token-label", "sandbox", "--login", "--pin", self.box.pin,
                 "--keypairgen", "--key-type", "EC:prime256v1", "--id", "0a", "--label", "each", "--always-auth",
                 env=dict(flow.os.environ, SOFTHSM2_CONF=self.box.path("tokens/softhsm2.conf")))
        self.box.append_config("[key each]\ntoken = sandbox\nuri = pkcs11:token=sandbox;id=%0a\n")
        self.start()
        self.box.call(TOKEN + "Unlock", {"token": "sandbox", "pin": self.box.pin, "uses": 3})
        for _ in range(3):
            self.assertIn("signature", self.box.sign("each"))
        self.assertFails("PinRequired", SIGNER + "Sign", {"key": "each", "digest": flow.digest()})
        self.assertEqual(self.lines(), ["user"] + ["context"] * 3)

    def test_that_wants_its_pin_each_time_and_refuses_it(self):
        """The first refusal ends the unlocking: a PIN that was right once is not sent on."""
        self.test_that_wants_its_pin_each_time()
        self.box.call(TOKEN + "Unlock", {"token": "sandbox", "pin": self.box.pin, "uses": 10})
        logins = self.box.logins()
        self.box.fault("login incorrect")
        self.assertFails("PinIncorrect", SIGNER + "Sign", {"key": "each", "digest": flow.digest()})
        for _ in range(3):
            self.assertFails("PinRequired", SIGNER + "Sign", {"key": "each", "digest": flow.digest()})
        self.assertEqual(self.box.logins(), logins + 1)
        self.assertEqual(self.box.token()["state"], "locked")

    def test_curious_module(self):
        for place in ("state/log.db", "credentials/sandbox-pin", "signetd.conf"):
            with self.subTest(place):
                self.start(f"initialize open {self.box.path(place)}")
                self.assertIn("signature", self.box.sign(pin=self.box.pin))
                self.assertNotIn("opened", self.lines())
                self.assertIn("refused", self.lines())
                self.box.stop()


if __name__ == "__main__":
    flow.main()
