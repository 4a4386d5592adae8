#!/usr/bin/python3
"""
Goal: a user to whom no rule applies sees no key and no token and can spend
nothing: not a signature, not a PIN try, not a log entry beyond the refusals
that are folded into one.
"""
import json

import flow

SCRIPT = """
import json
answers = {}
def ask(name, method, parameters=None, more=False):
    try:
        with varlink.Connection(sys.argv[1]) as c:
            answers[name] = list(c.more(method, parameters)) if more else c.call(method, parameters)
    except varlink.VarlinkError as e:
        answers[name] = {"error": e.short, **e.parameters}
S, T, A = "org.signetd.Signer.", "org.signetd.Token.", "org.signetd.Admin."
digest, pin = sys.argv[2], sys.argv[3]
ask("info", "org.varlink.service.GetInfo")
ask("keys", S + "ListKeys", None, True)
ask("key", S + "ListKeys", {"key": "ec"})
ask("no key", S + "ListKeys", {"key": "no-such-key"})
ask("tokens", T + "List", None, True)
ask("token", T + "List", {"token": "sandbox"})
for n in range(200):
    ask("sign", S + "Sign", {"key": "ec", "digest": digest})
    ask("sign with a PIN", S + "Sign", {"key": "ec", "digest": digest, "pin": pin, "requestId": "s%d" % n})
    ask("sign with a wrong PIN", S + "Sign", {"key": "ec", "digest": digest, "pin": "000000"})
    ask("batch", S + "SignBatch", {"key": "ec", "items": [{"digest": digest}]})
    answers["batch"] = answers["batch"].get("result", answers["batch"])
    ask("unlock", T + "Unlock", {"token": "sandbox", "pin": "000000"})
    ask("lock", T + "Lock", {"token": "sandbox"})
    ask("status", A + "Status")
    ask("reload", A + "Reload")
    ask("collect", S + "Collect", {"index": 0})
    ask("collect id", S + "Collect", {"requestId": "s%d" % n})
ask("sign no key", S + "Sign", {"key": "no-such-key", "digest": digest})
print(json.dumps(answers))
"""


class Stranger(flow.SandboxTest):
    @classmethod
    def prepare(cls, box):
        box.use_faults()  # faultless: it counts the logins

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        try:
            cls.logins = cls.box.logins()
            cls.digest = flow.digest()
            cls.box.sign()
            cls.before = cls.box.entries()
            cls.answers = json.loads(flow.as_nobody(SCRIPT, cls.box.socket, cls.digest, cls.box.pin))
        except BaseException:
            cls.box.remove()
            raise

    def test_may_ask_what_this_is(self):
        self.assertIn("interfaces", self.answers["info"])

    def test_sees_no_key_and_no_token(self):
        self.assertEqual(self.answers["key"]["error"], "KeyNotFound")
        self.assertEqual(self.answers["token"]["error"], "TokenNotFound")
        for name in ("keys", "tokens"):  # several replies, none of them a key
            self.assertNotIn("sandbox", json.dumps(self.answers[name]))

    def test_a_hidden_key_looks_like_one_that_is_not_there(self):
        for hidden, absent in (("key", "no key"), ("sign", "sign no key")):
            a, b = dict(self.answers[hidden]), dict(self.answers[absent])
            text = a.pop("message").replace("ec", ""), b.pop("message").replace("no-such-key", "")
            self.assertEqual(text[0], text[1])
            a.pop("key"), b.pop("key")
            self.assertEqual(a, b)

    def test_every_call_is_refused(self):
        expected = {"sign": "KeyNotFound", "sign with a PIN": "KeyNotFound", "sign with a wrong PIN": "KeyNotFound",
                    "batch": "KeyNotFound", "unlock": "TokenNotFound", "lock": "TokenNotFound",
                    "status": "NotPermitted", "reload": "NotPermitted", "collect": "RequestNotFound",
                    "collect id": "RequestNotFound"}
        self.assertEqual({name: self.answers[name].get("error") for name in expected}, expected)

    def test_spends_no_signature_and_no_pin_try(self):
        self.assertNotIn(self.digest, [e.get("digest") for e in self.box.entries() if e["kind"] != "refusal"])
        self.assertEqual(self.box.logins(), self.logins, "a login was sent to the token")
        self.assertEqual(self.box.token()["pinFailures"], 0)
        self.assertEqual([r for r in self.box.rows_live("SELECT failures FROM tried WHERE failures > 0")], [])
        self.assertEqual(self.box.token()["state"], "ready")

    def test_spends_a_handful_of_entries(self):
        """2,000 refused calls of ten sorts: one entry for each sort, repeats counted later."""
        new = self.box.entries()[len(self.before):]
        self.assertEqual({e["kind"] for e in new}, {"refusal"})
        self.assertLessEqual(len(new), 20)
        for entry in new:
            self.assertEqual(entry["uid"], flow.NOBODY)
            self.assertEqual(entry["outcome"], "refused")

    def test_the_owner_notices_nothing(self):
        self.assertAnswers()


if __name__ == "__main__":
    flow.main()
