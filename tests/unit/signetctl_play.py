#!/usr/bin/python3
"""
signetctl before a daemon that this test plays: PINs typed at a terminal,
answers that break off, and what no real daemon does at will.

    signetctl_play.py SIGNETCTL
"""
import base64
import json
import os
import pty
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

SIGNETCTL = None
SECONDS = 20
PIN = '12"34\\ü'
SIGNER = "org.signetd.Signer."
TOKEN = "org.signetd.Token."


class Refusal(Exception):
    def __init__(self, name, **parameters):
        super().__init__(name)
        self.name, self.parameters = name, {"message": f"The daemon says {name}.", **parameters}


class HangUp(Exception):
    pass


class Daemon:
    """One thread per connection; a method's handler yields replies, raises Refusal or hangs up."""

    def __init__(self, path):
        self.calls, self.signed, self.wrong = [], 0, 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.thread = threading.Thread(target=self.accept)
        self.thread.start()

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()

    def accept(self):
        threads = []
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                break
            threads.append(threading.Thread(target=self.serve, args=(connection,)))
            threads[-1].start()
        for thread in threads:
            thread.join()

    def serve(self, connection):
        pending = b""
        with connection:
            while data := connection.recv(65536):
                pending += data
                while b"\0" in pending:
                    frame, pending = pending.split(b"\0", 1)
                    try:
                        self.answer(connection, json.loads(frame))
                    except HangUp:
                        return

    def answer(self, connection, call):
        def say(message):
            connection.sendall(json.dumps(message).encode() + b"\0")

        interface, _, method = call["method"].rpartition(".")
        parameters = call.get("parameters", {})
        self.calls.append((method, parameters))
        try:
            replies = getattr(self, method)(parameters)
            held = None
            for reply in replies:
                if held is not None:
                    say({"parameters": held, "continues": True})
                held = reply
            say({"parameters": held})
        except Refusal as refusal:
            say({"error": f"{interface}.{refusal.name}", "parameters": refusal.parameters})

    def called(self, method):
        return [p for m, p in self.calls if m == method]

    def receipt(self):
        self.signed += 1
        return {
            "signature": base64.b64encode(b"signature").decode(),
            "receipt": {"log": "example/log", "index": self.signed, "time": "2025-03-01T08:30:00Z",
                        "entry": "{}", "leafHash": base64.b64encode(bytes(32)).decode()},
        }

    def check_pin(self, parameters):
        pass

    def ListKeys(self, parameters):
        yield {"key": {"name": "office", "token": "tok\x1b[2J", "use": "personal", "algorithm": "p-256",
                       "schemes": ["ecdsa"], "formats": ["raw"], "certificates": [], "state": "ready"}}

    def Sign(self, parameters):
        self.check_pin(parameters)
        yield {**self.receipt(), "state": "done"}

    def SignBatch(self, parameters):
        self.check_pin(parameters)
        for n in range(len(parameters["items"])):
            yield {"result": {"item": n, **self.receipt()}}

    def Collect(self, parameters):
        raise Refusal("RequestNotFound")
        yield

    def Unlock(self, parameters):
        self.check_pin(parameters)
        yield {"token": "tok", "uses": 3, "until": "2025-03-01T08:30:00Z"}


class Locked(Daemon):
    def check_pin(self, parameters):
        if "pin" not in parameters:
            raise Refusal("PinRequired", token="tok")
        if parameters["pin"] != PIN:
            self.wrong += 1
            raise Refusal("PinIncorrect", token="tok")
        if self.wrong == 1:
            self.wrong += 1
            raise Refusal("Busy", retryAfterMs=50)


class LastTry(Daemon):
    def check_pin(self, parameters):
        if not parameters.get("lastTry"):
            raise Refusal("PinLastTry", token="tok")
        if "pin" not in parameters:
            raise Refusal("PinRequired", token="tok")


class LockedByItem(Daemon):
    """As a daemon may do that looks at the PIN item by item."""

    def SignBatch(self, parameters):
        for n in range(len(parameters["items"])):
            if n == 1 and "pin" not in parameters:
                yield {"result": {"item": n, "error": "PinRequired", "message": "Locked."}}
            else:
                yield {"result": {"item": n, **self.receipt()}}


class BreaksOff(Daemon):
    """Gone after two results; it had signed the third."""

    def SignBatch(self, parameters):
        self.third = parameters["items"][2]["requestId"]
        for n in range(2):
            yield {"result": {"item": n, **self.receipt()}}
        yield {"result": {"item": 2, **self.receipt()}}
        raise HangUp

    def Collect(self, parameters):
        if parameters["requestId"] != self.third:
            raise Refusal("RequestNotFound")
        yield {**self.receipt(), "state": "done"}


class Slow(Daemon):
    state = "waiting"

    def Sign(self, parameters):
        raise Refusal("Timeout", index=None)
        yield

    def Collect(self, parameters):
        yield {"state": self.state}


class OneAbsent(Daemon):
    def SignBatch(self, parameters):
        yield {"result": {"item": 1, "error": "TokenAbsent", "message": "Gone."}}
        yield {"result": {"item": 0, **self.receipt()}}


class Play(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="signetctl_play.")
        self.addCleanup(shutil.rmtree, self.folder)
        self.environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "SIGNET_SOCKET": self.path("s")}
        for name in "abcd":
            with open(self.path(name), "w", encoding="ascii") as f:
                f.write(name)

    def path(self, name):
        return os.path.join(self.folder, name)

    def play(self, daemon):
        self.daemon = daemon(self.path("s"))
        self.addCleanup(self.daemon.stop)

    def ctl(self, *words, code=0, pin=None):
        """(stdout, stderr) without a terminal."""
        read, write = os.pipe()
        os.write(write, b"" if pin is None else pin.encode() + b"\n")
        os.close(write)
        pin_words = [] if pin is None else ["--pin-fd", str(read)]
        done = subprocess.run([SIGNETCTL, *words, *pin_words], cwd=self.folder, env=self.environment, timeout=SECONDS,
                              stdin=subprocess.DEVNULL, capture_output=True, start_new_session=True, pass_fds=[read])
        os.close(read)
        self.assertEqual(done.returncode, code, done)
        return done.stdout.decode(), done.stderr.decode()

    def at_terminal(self, answers, *words, code=0):
        """All that is shown, while a person gives the answers: (end of the question, what is typed)."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.folder)
            os.execve(SIGNETCTL, [SIGNETCTL, *words], self.environment)
        shown, start = b"", 0
        answers = list(answers)
        while select.select([terminal], [], [], SECONDS)[0]:
            try:
                data = os.read(terminal, 4096)
            except OSError:
                break
            shown += data
            if answers and shown[start:].endswith(answers[0][0].encode()):
                start = len(shown)
                os.write(terminal, answers.pop(0)[1].encode() + b"\n")
        os.close(terminal)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        self.assertEqual((status, answers), (code, []), shown)
        return shown.decode()

    def signed(self):
        return sorted(n for n in os.listdir(self.folder) if n.endswith(".sig"))

    # ---- PINs ----

    def test_asks_again_after_a_wrong_pin_and_waits_where_it_must(self):
        self.play(Locked)
        shown = self.at_terminal([('"tok": ', "mistyped"), ('"tok": ', PIN)], "sign", "--format", "raw", "a")
        self.assertNotIn("mistyped", shown)
        self.assertNotIn("34", shown)
        self.assertEqual(self.signed(), ["a.sig"])
        self.assertEqual([p.get("pin") for p in self.daemon.called("Sign")], [None, "mistyped", PIN, PIN])

    def test_one_pin_serves_a_batch(self):
        self.play(Locked)
        self.at_terminal([('"tok": ', PIN)], "sign", "--format", "raw", "a", "b", "c")
        self.assertEqual(self.signed(), ["a.sig", "b.sig", "c.sig"])

    def test_pin_asked_for_by_an_item_signs_what_was_left(self):
        self.play(LockedByItem)
        shown = self.at_terminal([('[2J": '.replace("[", "?["), PIN)], "sign", "--format", "raw", "a", "b", "c")
        self.assertNotIn("\x1b[2J", shown)
        self.assertEqual(self.signed(), ["a.sig", "b.sig", "c.sig"])
        first, second = self.daemon.called("SignBatch")
        self.assertEqual(second["items"], [first["items"][1]])

    def test_without_a_terminal_nothing_is_asked(self):
        self.play(Locked)
        _, why = self.ctl("sign", "--format", "raw", "a", code=5)
        self.assertIn("--pin-fd", why)
        self.assertEqual(self.signed(), [])

    def test_no_ask_asks_nothing_on_a_terminal_either(self):
        self.play(Locked)
        self.at_terminal([], "sign", "--format", "raw", "--no-ask", "a", code=5)

    def test_pin_from_a_descriptor_is_tried_once(self):
        self.play(Locked)
        self.ctl("sign", "--format", "raw", "a", pin="mistyped", code=5)
        self.assertEqual([p.get("pin") for p in self.daemon.called("Sign")], ["mistyped"])
        self.ctl("unlock", "tok", pin="mistyped", code=5)

    def test_no_pin_at_all_ends_it(self):
        self.play(Locked)
        self.at_terminal([('"tok": ', "")], "sign", "--format", "raw", "a", code=5)
        self.assertEqual(len(self.daemon.called("Sign")), 1)
        self.ctl("sign", "--format", "raw", "a", pin="", code=5)

    def test_last_try_needs_the_name_of_the_token(self):
        self.play(LastTry)
        self.at_terminal([("name: ", "yes")], "sign", "--format", "raw", "a", code=5)
        self.assertNotIn("lastTry", self.daemon.called("Sign")[-1])
        self.at_terminal([("name: ", "tok"), ('"tok": ', PIN)], "sign", "--format", "raw", "a")
        self.assertEqual(self.daemon.called("Sign")[-1]["pin"], PIN)
        self.assertTrue(self.daemon.called("Sign")[-1]["lastTry"])

    def test_last_try_without_a_terminal_needs_its_option(self):
        self.play(LastTry)
        _, why = self.ctl("unlock", "tok", pin=PIN, code=5)
        self.assertIn("--last-try", why)
        out, _ = self.ctl("unlock", "tok", "--last-try", "--uses", "3", pin=PIN)
        self.assertIn("unlocked for 3 signatures", out)

    # ---- answers that do not come ----

    def test_broken_batch_is_asked_for_file_by_file(self):
        self.play(BreaksOff)
        _, why = self.ctl("sign", "--format", "raw", "a", "b", "c", "d", code=7)
        self.assertEqual(self.signed(), ["a.sig", "b.sig", "c.sig"])
        self.assertIn("d: not signed", why)
        self.assertIn("3 of 4 files are signed", why)
        self.assertIn("--resume", why)

    def test_request_that_may_go_on_is_named(self):
        self.play(Slow)
        _, why = self.ctl("sign", "--format", "raw", "--request-id", "r:7", "a", code=9)
        self.assertIn("collect --request-id r:7", why)
        self.assertEqual(self.signed(), [])

    def test_each_failure_is_named_with_its_reason(self):
        self.play(OneAbsent)
        out, why = self.ctl("sign", "--format", "raw", "a", "b", code=7)
        self.assertIn("b: Gone.", why)
        self.assertIn("insert the token", why)
        self.assertIn("a.sig", out)
        found = json.loads(self.ctl("sign", "--format", "raw", "--json", "-f", "a", "b", code=7)[0])
        self.assertEqual([f.get("error") for f in found], [None, "TokenAbsent"])
        self.assertEqual(found[0]["receipt"]["entry"], "{}")

    def test_no_daemon_is_said_so(self):
        _, why = self.ctl("keys", code=3)
        self.assertIn(self.path("s"), why)
        self.assertIn("systemctl start signetd", why)

    # ---- files ----

    def test_nothing_is_signed_where_one_signature_would_be_replaced(self):
        self.play(Daemon)
        with open(self.path("b.sig"), "w", encoding="ascii") as f:
            f.write("old")
        _, why = self.ctl("sign", "--format", "raw", "a", "b", code=1)
        self.assertIn("b.sig exists", why)
        self.assertEqual(self.daemon.calls, [])
        self.ctl("sign", "--format", "raw", "a", "b", "--force")
        with open(self.path("b.sig"), encoding="ascii") as f:
            self.assertEqual(f.read(), "signature")

    def test_two_files_of_one_name_do_not_go_to_one_folder(self):
        self.play(Daemon)
        os.mkdir(self.path("x"))
        shutil.copy(self.path("a"), self.path("x/a"))
        self.ctl("sign", "--format", "raw", "a", "x/a", "--out", ".", code=2)
        self.assertEqual(self.daemon.calls, [])

    def test_signature_goes_to_standard_output_alone(self):
        self.play(Daemon)
        out, _ = self.ctl("sign", "--format", "raw", "a", "--stdout")
        self.assertEqual(out, "signature")
        self.assertEqual(self.signed(), [])

    def test_more_than_a_batch_goes_in_several(self):
        self.play(Daemon)
        names = [f"n{i}" for i in range(1001)]
        for name in names:
            os.link(self.path("a"), self.path(name))
        self.ctl("sign", "--format", "raw", *names)
        self.assertEqual([len(p["items"]) for p in self.daemon.called("SignBatch")], [1000, 1])
        self.assertEqual(len(self.signed()), 1001)

    def test_command_lines_that_are_wrong_reach_no_daemon(self):
        for words in (["sign"], ["sign", "a", "--nonsense"], ["sign", "a", "--hash", "sha1"], ["signs", "a"], [],
                      ["sign", "a", "--key"], ["keys", "--pin-fd", "0"], ["keys", "a", "b"], ["token"],
                      ["unlock", "--uses", "0", "tok"], ["unlock", "--uses", "1x", "tok"], ["sign", "a", "-k", "x", "-k", "y"],
                      ["collect"], ["collect", "--index", "1", "--request-id", "r"], ["sign", "a", "b", "--title", "t"],
                      ["sign", "a", "--force", "--resume"], ["sign", "a", "--stdout", "--json"], ["sign", "a", "-o", "a"]):
            with self.subTest(words=words):
                self.ctl(*words, code=2)


if __name__ == "__main__":
    SIGNETCTL = os.path.abspath(sys.argv.pop(1))
    unittest.main()
