#!/usr/bin/python3
"""
Goal: whatever a peer sends, it gets its own clear error or a closed
connection, nothing is lost, nobody else notices, and the daemon goes on.
"""
import json
import time

import flow
from varlink import SERVICE, SIGNER, Closed, VarlinkError

MESSAGE_MAX = 1 << 20  # bytes without the final NUL
DEPTH_MAX = 16


def padded_call(size):
    """A legal call of exactly `size` bytes without its NUL."""
    head, tail = b'{"method":"org.varlink.service.GetInfo","com.example.pad":{"x":"', b'"}}'
    return head + b"x" * (size - len(head) - len(tail)) + tail


def nested_call(depth):
    """A legal call whose arrays and objects nest `depth` deep."""
    inner = depth - 2  # the message and the extension are two
    return b'{"method":"org.varlink.service.GetInfo","com.example.deep":{"x":' + b"[" * inner + b"]" * inner + b"}}"


class BadInput(flow.SandboxTest):
    def tearDown(self):
        super().tearDown()
        self.assertAnswers()

    def assertRefused(self, message):
        """An error that names a fault, or the end of the connection; never an answer."""
        with self.box.connect() as c:
            c.send_raw(message)
            try:
                reply = c.message()
            except Closed:
                return None
            self.assertIn("error", reply, message[:200])
            return reply

    def sign_fails(self, error, **parameters):
        found = self.assertFails(error, SIGNER + "Sign", {"key": "ec", "digest": flow.digest(), **parameters})
        return found.get("message", "")

    # digests

    def test_bad_digests_are_named(self):
        good = "00" * 32
        for text in ("", "sha256", "sha256:", good, "sha256:" + good[:-2], "sha256:" + good + "00", "sha256:" + good[:-1],
                     "sha256:" + "AB" * 32, "SHA256:" + good, "sha256:" + "0g" * 32, "sha384:" + good,
                     "sha512:" + good, "sha256: " + good, "sha256:" + good + "\n", "sha256:sha256:" + good):
            with self.subTest(text):
                self.assertTrue(self.sign_fails("BadDigest", digest=text))

    def test_weak_digests_are_refused_as_weak(self):
        for name, size in (("sha1", 20), ("md5", 16), ("sha224", 28), ("ripemd160", 20)):
            with self.subTest(name):
                self.assertIn("weak", self.sign_fails("BadDigest", digest=f"{name}:{'00' * size}"))

    def test_missing_digest(self):
        self.assertEqual(self.assertFails("InvalidParameter", SIGNER + "Sign", {"key": "ec"})["parameter"], "digest")

    # keys and options

    def test_unknown_keys(self):
        for key in ("", "EC", "ec ", "no-such-key", "../ec", "k" * 5000, "pkcs11:token=sandbox;object=ec"):
            with self.subTest(key[:40]):
                self.sign_fails("KeyNotFound", key=key)

    def test_seal_key_does_not_sign(self):
        self.sign_fails("SealKey", key="seal")

    def test_schemes_of_another_algorithm(self):
        for key, scheme in (("ec", "pkcs1"), ("ec", "pss"), ("ec", "eddsa"), ("rsa", "ecdsa"), ("rsa", "eddsa"),
                            ("ed", "ecdsa"), ("ed", "pkcs1")):
            with self.subTest(f"{key} {scheme}"):
                self.sign_fails("Unsupported", key=key, scheme=scheme)

    def test_formats_that_are_not_offered(self):
        for more in ({"key": "ed", "format": "cades"}, {"key": "ed", "format": "pades"}, {"level": "t"}):
            with self.subTest(more):
                self.sign_fails("Unsupported", **more)

    def test_time_limits_out_of_range(self):
        for ms in (0, -1, 600001, 1 << 62):
            with self.subTest(ms):
                self.sign_fails("InvalidParameter", timeoutMs=ms)

    def test_request_ids_out_of_shape(self):
        for text in ("", "x" * 129, "a b", "a/b", "é", "a\n"):
            with self.subTest(text):
                self.sign_fails("InvalidParameter", requestId=text)
        self.assertIn("signature", self.box.sign(requestId="x" * 128))

    # text for people

    def test_titles_with_hidden_characters(self):
        for text in ("a\u0000b", "a\u0007b", "a\nb", "a\u202eb", "a\u2066b", "\u200fa", "a\u0378b", "\ue000", "e\u0301",
                     "x" * 513, "", "   "):
            with self.subTest(repr(text)):
                self.sign_fails("InvalidParameter", document={"title": text})
        self.assertIn("signature", self.box.sign(document={"title": "x" * 512}))
        self.assertIn("signature", self.box.sign(document={"title": "Quyết định số 15 \u2014 \u00e9"}))

    # JSON

    def test_what_is_not_json(self):
        for message in (b"", b"x", b"{", b"[]", b"1", b'"x"', b"null", b"{}", b'{"method":1}', b'{"parameters":{}}',
                        b'{"method":"org.varlink.service.GetInfo"} x', b'{"method":"org.varlink.service.GetInfo",}',
                        b"{'method':'org.varlink.service.GetInfo'}",
                        b'{"method":"org.varlink.service.GetInfo","more":"yes"}',
                        b'{"method":"org.varlink.service.GetInfo","parameters":[]}',
                        b'{"method":"org.varlink.service.GetInfo","unknown":1}'):
            with self.subTest(message):
                self.assertRefused(message + b"\0")

    def test_duplicate_keys(self):
        good = flow.digest()
        self.assertRefused(b'{"method":"org.varlink.service.GetInfo","method":"org.varlink.service.GetInfo"}\0')
        self.assertRefused(b'{"method":"org.signetd.Signer.Sign","parameters":{"key":"ec","digest":"%s","digest":"%s"}}\0'
                           % (good.encode(), flow.digest().encode()))
        self.assertNotIn(good, [e.get("digest") for e in self.box.entries()])

    def test_broken_utf8(self):
        for bad in (b"\xff", b"\xc0\x80", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x28\xa1"):
            with self.subTest(bad):
                self.assertRefused(b'{"method":"org.signetd.Signer.Sign","parameters":{"key":"' + bad + b'"}}\0')
        for bad in (b"\\ud800", b"\\udc00\\ud800", b"\\u0000"):
            with self.subTest(bad):
                self.assertRefused(b'{"method":"org.signetd.Signer.Sign","parameters":{"key":"' + bad + b'"}}\0')

    def test_numbers_beyond_int64(self):
        for number in (b"9223372036854775808", b"-9223372036854775809", b"1e400", b"1" * 400):
            with self.subTest(number[:30]):
                self.assertRefused(b'{"method":"org.signetd.Signer.Sign","parameters":{"key":"ec","digest":"%s","timeoutMs":%s}}\0'
                                   % (flow.digest().encode(), number))

    def test_message_one_below_at_and_above_the_limit(self):
        for size in (MESSAGE_MAX - 1, MESSAGE_MAX):
            with self.box.connect() as c:
                c.send_raw(padded_call(size) + b"\0")
                self.assertIn("interfaces", c.reply(), size)
        with self.box.connect() as c:
            try:
                c.send_raw(padded_call(MESSAGE_MAX + 1) + b"\0")
            except (BrokenPipeError, ConnectionResetError):
                pass  # closed while we were still writing: as good an answer as any
            self.assertNotIn(b'"interfaces"', c.expect_close())

    def test_endless_message_is_cut_off(self):
        with self.box.connect() as c:
            try:
                for _ in range(64):
                    c.send_raw(b"x" * (1 << 20))
                self.fail("64 MiB without an end were taken")
            except (BrokenPipeError, ConnectionResetError):
                pass

    def test_nesting_one_below_at_and_above_the_limit(self):
        for depth in (DEPTH_MAX - 1, DEPTH_MAX):
            with self.box.connect() as c:
                c.send_raw(nested_call(depth) + b"\0")
                self.assertIn("interfaces", c.reply(), depth)
        for depth in (DEPTH_MAX + 1, 1000, 400000):
            self.assertRefused(nested_call(depth) + b"\0")

    # batches

    def test_batches_out_of_range(self):
        for count in (0, 1001):
            items = [{"digest": flow.digest()} for _ in range(count)]
            with self.subTest(count):
                with self.box.connect() as c, self.assertRaises(VarlinkError) as caught:
                    list(c.more(SIGNER + "SignBatch", {"key": "ec", "items": items}))
                self.assertEqual(caught.exception.short, "InvalidParameter")

    def test_one_bad_item_does_not_end_a_batch(self):
        items = [{"digest": flow.digest()}, {"digest": "sha1:" + "00" * 20}, {"digest": flow.digest(), "requestId": "a b"},
                 {"digest": flow.digest()}]
        with self.box.connect() as c:
            results = {r["result"]["item"]: r["result"] for r in c.more(SIGNER + "SignBatch", {"key": "ec", "items": items})}
        self.assertEqual(sorted(results), [0, 1, 2, 3])
        self.assertEqual([results[n].get("error") for n in range(4)], [None, "BadDigest", "InvalidParameter", None])

    # connections

    def test_half_a_message_and_silence_hold_up_nobody(self):
        quiet = [self.box.connect() for _ in range(20)]
        for c in quiet:
            c.send_raw(b'{"method":"org.varlink.service.GetI')
        began = time.monotonic()
        self.assertAnswers()
        self.assertLess(time.monotonic() - began, 5)
        for c in quiet:
            c.send_raw(b'nfo"}\0')
            self.assertIn("interfaces", c.reply())
            c.close()

    def test_socket_closed_before_the_reply(self):
        lost = [flow.digest() for _ in range(20)]
        for text in lost:
            with self.box.connect() as c:
                c.send(SIGNER + "Sign", {"key": "rsa", "digest": text})
        self.assertAnswers()
        flow.until(lambda: not self.box.token()["waiting"], what="an empty queue")
        outcomes = {e["digest"]: e["outcome"] for e in self.box.entries() if e["kind"] == "sign"}
        for text in lost:  # signed and recorded, or never claimed: nothing in between
            self.assertIn(outcomes.get(text), (None, "ok", "cancelled"))

    def test_socket_closed_in_the_middle_of_a_reply(self):
        for _ in range(20):
            c = self.box.connect()
            c.send(SERVICE + "GetInterfaceDescription", {"interface": "org.signetd.Signer"})
            c.socket.recv(10)
            c.close()
        self.assertAnswers()

    def test_every_error_of_ours_says_what_to_do(self):
        for error, more in (("BadDigest", {"digest": "x"}), ("KeyNotFound", {"key": "x"}), ("SealKey", {"key": "seal"}),
                            ("Unsupported", {"scheme": "pss"})):
            text = self.sign_fails(error, **more)
            self.assertGreater(len(text), 10, error)
            self.assertTrue(json.dumps(text).isascii(), text)


if __name__ == "__main__":
    flow.main()
