#!/usr/bin/python3
"""
Goal: a requestId makes a signature happen at most once: the same request gets
the first reply again, another one under the same id is refused, and Collect
tells its owner, and nobody else, what became of it. It outlives the daemon.
"""
import json
import threading

import flow
from varlink import SIGNER


class RequestId(flow.SandboxTest):
    @classmethod
    def prepare(cls, box):
        box.append_config("[rule nobody]\nuser = nobody\nverbs = sign list\nkeys = ec\n")

    def test_same_request_gets_the_first_reply_again(self):
        request = {"key": "ec", "digest": flow.digest(), "requestId": "same", "document": {"title": "T"}}
        first = self.box.call(SIGNER + "Sign", request)
        size = len(self.box.entries())
        again = self.box.call(SIGNER + "Sign", request)
        self.assertEqual(first["signature"], again["signature"])  # ECDSA: a second one would differ
        self.assertEqual(first["receipt"], again["receipt"])
        self.assertEqual(len(self.box.entries()), size)

    def test_waiting_time_is_no_part_of_the_request(self):
        request = {"key": "ec", "digest": flow.digest(), "requestId": "time"}
        first = self.box.call(SIGNER + "Sign", dict(request, timeoutMs=5000))
        self.assertEqual(self.box.call(SIGNER + "Sign", request)["signature"], first["signature"])

    def test_other_request_under_the_same_id_is_refused(self):
        request = {"key": "ec", "digest": flow.digest(), "requestId": "other"}
        index = self.box.call(SIGNER + "Sign", request)["receipt"]["index"]
        for change in ({"digest": flow.digest()}, {"key": "rsa"}, {"document": {"title": "T"}}, {"capacity": "C"}):
            with self.subTest(change):
                found = self.assertFails("RequestIdReused", SIGNER + "Sign", dict(request, **change))
                self.assertEqual(found["index"], index)

    def test_many_at_once_sign_once(self):
        request = {"key": "rsa", "digest": flow.digest(), "requestId": "at-once"}
        replies, lock = [], threading.Lock()

        def ask():
            reply = self.box.call(SIGNER + "Sign", request)
            with lock:
                replies.append(reply)

        threads = [threading.Thread(target=ask) for _ in range(16)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(len(replies), 16)
        self.assertEqual(len({json.dumps(r, sort_keys=True) for r in replies}), 1)
        self.assertEqual(len([e for e in self.box.signed() if e["digest"] == request["digest"]]), 1)

    def test_refused_before_the_token_is_tried_anew(self):
        wanted = flow.digest()
        self.assertFails("SealKey", SIGNER + "Sign", {"key": "seal", "digest": wanted, "requestId": "anew"})
        self.assertIn("signature", self.box.call(SIGNER + "Sign", {"key": "ec", "digest": wanted, "requestId": "anew"}))

    def test_items_of_a_batch_have_ids_of_their_own(self):
        items = [{"digest": flow.digest(), "requestId": f"item-{n}"} for n in range(20)]
        with self.box.connect() as c:
            first = {r["result"]["item"]: r["result"] for r in c.more(SIGNER + "SignBatch", {"key": "ec", "items": items})}
            size = len(self.box.entries())
            again = {r["result"]["item"]: r["result"] for r in c.more(SIGNER + "SignBatch", {"key": "ec", "items": items})}
        self.assertEqual({n: r["signature"] for n, r in first.items()}, {n: r["signature"] for n, r in again.items()})
        self.assertEqual(len(self.box.entries()), size)

    def test_one_id_twice_in_a_batch_signs_once(self):
        item = {"digest": flow.digest(), "requestId": "twice"}
        with self.box.connect() as c:
            results = [r["result"] for r in c.more(SIGNER + "SignBatch", {"key": "ec", "items": [item, item]})]
        self.assertEqual(len({r.get("signature") for r in results}), 1)
        self.assertEqual(len([e for e in self.box.signed() if e["digest"] == item["digest"]]), 1)

    def test_collect_by_request_id_and_by_index(self):
        reply = self.box.sign(requestId="collect")
        for which in ({"requestId": "collect"}, {"index": reply["receipt"]["index"]}):
            found = self.box.call(SIGNER + "Collect", which)
            self.assertEqual(found["state"], "done")
            self.assertEqual(found["receipt"], reply["receipt"])
        self.assertEqual(self.box.call(SIGNER + "Collect", {"requestId": "collect"})["signature"], reply["signature"])

    def test_collect_of_nothing_and_of_two_things(self):
        self.assertFails("RequestNotFound", SIGNER + "Collect", {"requestId": "never-used"})
        self.assertFails("RequestNotFound", SIGNER + "Collect", {"index": 1 << 40})
        self.assertFails("InvalidParameter", SIGNER + "Collect", {})
        self.assertFails("InvalidParameter", SIGNER + "Collect", {"requestId": "a", "index": 1})
        self.assertFails("InvalidParameter", SIGNER + "Collect", {"index": -1})

    def test_ids_of_two_users_are_two_ids(self):
        mine = self.box.sign(requestId="shared-name")
        script = """
import json
def ask(method, parameters):
    try:
        return varlink.call(sys.argv[1], "org.signetd.Signer." + method, parameters)
    except varlink.VarlinkError as e:
        return {"error": e.short}
print(json.dumps([ask("Collect", {"requestId": "shared-name"}), ask("Collect", {"index": int(sys.argv[2])}),
    ask("Sign", {"key": "ec", "digest": sys.argv[3], "requestId": "shared-name"})]))
"""
        out = json.loads(flow.as_nobody(script, self.box.socket, str(mine["receipt"]["index"]), flow.digest()))
        self.assertEqual(out[0].get("error"), "RequestNotFound")
        self.assertEqual(out[1].get("error"), "RequestNotFound")
        self.assertIn("signature", out[2])
        self.assertNotEqual(out[2]["receipt"]["index"], mine["receipt"]["index"])

    def test_outlives_the_daemon(self):
        request = {"key": "ec", "digest": flow.digest(), "requestId": "outlives"}
        first = self.box.call(SIGNER + "Sign", request)
        self.box.stop()
        self.box.start()
        self.assertEqual(self.box.call(SIGNER + "Sign", request), first)
        self.box.kill()
        self.box.start()
        self.assertEqual(self.box.call(SIGNER + "Sign", request), first)
        self.assertEqual(self.box.call(SIGNER + "Collect", {"requestId": "outlives"})["signature"], first["signature"])


if __name__ == "__main__":
    flow.main()
