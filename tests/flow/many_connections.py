#!/usr/bin/python3
"""
Goal: 64 connections sign at once; no signature is wrong, and every one is in
the log exactly once, under the index that its client was told.
"""
import flow

CONNECTIONS = 64
COUNT = 2000 if flow.LONG else 200


class ManyConnections(flow.SandboxTest):
    def sign_all(self, key, count, window):
        out = self.box.path(f"out-{key}-{window}")
        size = len(self.box.entries())
        code, numbers, messages = self.box.load(key=key, connections=CONNECTIONS, count=count, window=window, out=out,
                                                )
        self.assertEqual((code, numbers["wrong"], numbers["errors"]), (0, 0, 0), messages)
        good, _ = flow.received(out)
        self.assertEqual(len(good), CONNECTIONS * count)
        new = [e for e in self.box.entries()[size:] if e["kind"] == "sign"]
        self.assertEqual({e["digest"]: (e["index"], e["signatureHash"]) for e in new}, good)
        self.assertEqual(len(new), len(good))
        self.assertEqual({e["outcome"] for e in new}, {"ok"})

    def test_p256(self):
        self.sign_all("ec", COUNT, 1)

    def test_rsa_pipelined(self):
        self.sign_all("rsa", COUNT // 10, 8)

    def test_ed25519(self):
        self.sign_all("ed", COUNT // 10, 1)


if __name__ == "__main__":
    flow.main()
