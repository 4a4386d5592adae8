#!/usr/bin/python3
"""
Goal: a smart card through OpenSC and pcscd, as people have them: it signs, is
pulled out and put back, its reader service is restarted, and its own retry
counter shows that three wrong PINs were three that somebody entered.

Needs pcscd, vsmartcard-vpcd, opensc-pkcs11, python3-cryptography, and root or
sudo for the namespaces in which pcscd is alone. Without them it fails.
"""
import time

import card
import flow
from varlink import SIGNER, TOKEN, VarlinkError

WRONG = "654321"
# the promise counts from when the module sees the card; pcscd and OpenSC take their time before that
SEEN = 2.5  # vpcd is polled each second, OpenSC reads the card for more than one
REPLUG_SECONDS = 3
PCSCD_SECONDS = 5
SLOW = 4 if flow.SANITIZED else 1


class CardTest(flow.SandboxTest):
    @classmethod
    def prepare(cls, box):
        cls.card = card.Card(box.path("card"))
        cls.addClassCleanup(cls.card.stop)
        box.append_config(f"[token card]\nmodule = {card.Card.MODULE}\nserial = {card.Card.SERIAL}\n"
                          f"environment = PCSCLITE_CSOCK_NAME={cls.card.socket}\n\n"
                          f"[key card]\ntoken = card\nuri = pkcs11:serial={card.Card.SERIAL};id=%01\n\n"
                          f"[key card-rsa]\ntoken = card\nuri = pkcs11:serial={card.Card.SERIAL};id=%02\n")
        cls.card.insert()

    def setUp(self):
        self.box.wait_token("card", "locked")

    def sign_fails(self, errors, **more):
        with self.assertRaises(VarlinkError) as caught:
            self.box.sign("card", **more)
        self.assertIn(caught.exception.short, errors, caught.exception)
        return caught.exception.parameters

    def assertSigns(self, key, slot, scheme, **more):
        wanted = flow.digest()
        reply = self.box.call(SIGNER + "Sign", {"key": key, "digest": wanted, **more})
        self.assertTrue(flow.openssl_verifies(self.card.certificate(slot), wanted, flow.signature_of(reply), scheme))

    def unlock(self, uses):
        self.box.call(TOKEN + "Unlock", {"token": "card", "pin": card.PIN, "uses": uses})

    def assertRecovers(self, what, seconds):
        """From now on, without a hand on it; then its PIN is asked for, and right at once."""
        began = time.monotonic()
        self.box.wait_token("card", "locked")
        took = time.monotonic() - began
        print(f"recovery: {what}: {took:.2f} s")
        self.assertLess(took, seconds * SLOW, what)
        self.sign_fails(["PinRequired"])
        self.box.sign("card", pin=card.PIN)
        self.assertEqual(self.card.spent(), 0)


class Signs(CardTest):
    def test_with_the_pin_of_the_call(self):
        self.assertSigns("card", "9A", "ecdsa", pin=card.PIN)
        self.assertEqual(self.box.token("card")["state"], "locked")

    def test_key_that_wants_the_pin_each_time(self):
        self.assertSigns("card-rsa", "9C", "pkcs1", pin=card.PIN)
        self.unlock(3)
        for _ in range(3):
            self.assertSigns("card-rsa", "9C", "pkcs1")
        self.sign_fails(["PinRequired"])

    def test_an_unlocking_serves_its_uses(self):
        self.unlock(2)
        for _ in range(2):
            self.assertSigns("card", "9A", "ecdsa")
        self.sign_fails(["PinRequired"])
        self.assertEqual(self.card.spent(), 0)


class Pulled(CardTest):
    def test_pulled_and_put_back(self):
        self.unlock(100)
        self.card.remove()
        self.sign_fails(["TokenAbsent", "TokenFailed", "PinRequired"])
        self.box.wait_token("card", "absent")
        self.sign_fails(["TokenAbsent"])
        self.assertAnswers()  # the neighbour goes on
        self.card.insert()
        self.assertRecovers("card put back", SEEN + REPLUG_SECONDS)

    def test_pulled_and_put_back_at_once(self):
        for _ in range(3):
            self.unlock(100)
            self.card.remove()
            self.sign_fails(["TokenAbsent", "TokenFailed", "PinRequired"])
            self.card.insert()
            self.assertRecovers("card pulled and put back at once", SEEN + REPLUG_SECONDS)

    def test_pulled_before_its_pin_is_checked(self):
        """OpenSC locks itself up there if it is asked to lock at all."""
        self.card.remove()
        began = time.monotonic()
        self.sign_fails(["TokenAbsent", "TokenFailed"], pin=card.PIN)
        self.assertLess(time.monotonic() - began, 5 * SLOW)
        self.card.insert()
        self.box.wait_token("card", "locked")
        self.box.sign("card", pin=card.PIN)
        self.assertEqual(self.card.spent(), 0)

    def test_reader_service_restarted(self):
        self.unlock(100)
        self.card.restart()
        self.sign_fails(["TokenAbsent", "TokenFailed", "PinRequired"])
        self.assertRecovers("pcscd restarted", PCSCD_SECONDS)


class Blocked(CardTest):
    def test_three_tries_are_three_that_somebody_entered(self):
        self.sign_fails(["PinIncorrect"], pin=WRONG)
        self.box.sign("card", pin=card.PIN)
        self.assertEqual((self.card.tries(), self.card.spent()), (card.TRIES, 1))
        for spent in (2, 3):
            self.sign_fails(["PinIncorrect"], pin=WRONG)
            self.assertEqual(self.card.spent(), spent)
        for pin in (WRONG, card.PIN):  # the card's own last one, and ours: only who says so may spend it
            self.sign_fails(["PinLastTry"], pin=pin)
        self.assertEqual((self.card.tries(), self.card.spent()), (1, 3))
        self.box.kill()
        self.box.start()
        self.box.wait_token("card", "locked")
        self.sign_fails(["PinLastTry"], pin=card.PIN)
        self.assertEqual(self.card.tries(), 1)
        self.sign_fails(["PinIncorrect", "PinBlocked"], pin=WRONG, lastTry=True)
        self.assertEqual((self.card.tries(), self.card.spent()), (0, 4))
        self.sign_fails(["PinBlocked"], pin=card.PIN, lastTry=True)
        self.assertEqual(self.box.token("card")["state"], "blocked")
        self.card.remove()
        self.card.insert()
        flow.until(lambda: self.box.token("card")["state"] != "locked", what="the card to be seen as blocked")
        self.sign_fails(["PinBlocked", "TokenAbsent", "TokenFailed"], pin=card.PIN, lastTry=True)
        self.assertEqual(self.card.spent(), 4)
        self.assertAnswers()


if __name__ == "__main__":
    flow.main()
