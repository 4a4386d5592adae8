#!/usr/bin/python3
"""
Goal: document software gets signatures and never sees a PIN: the person whose
token it is is asked on a terminal, by a pinentry, or through systemd, and by
nobody else; whatever goes wrong on the way, each try was a person's, and no
PIN lies about afterwards.
"""
import json
import os
import pty
import select
import shutil
import signal
import socket
import subprocess
import termios
import threading
import time

import flow
import secrecy
from varlink import SIGNER, TOKEN, Closed, VarlinkError

INBOX = "org.signetd.Inbox."
WRONG = "4083716295"
PATIENCE = 30
SUPPORT = os.path.join(flow.REPO, "tests", "support")
CALL_AS_NOBODY = """
import json
try:
    print(json.dumps(varlink.call(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))))
except varlink.VarlinkError as e:
    print(json.dumps({"error": e.short, **e.parameters}))
"""
NOBODY_RULE = "[rule nobody]\nuser = nobody\nverbs = sign unlock list\nkeys = *\nprompt = yes\n"


class Agent:
    """signetctl agent on a terminal of its own."""

    def __init__(self, box, *words, env=None):
        self.said = b""
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.environ.update(env or {}, LC_ALL="C.UTF-8", TERM="dumb")
            for name in ("DISPLAY", "WAYLAND_DISPLAY"):
                os.environ.pop(name, None)
            os.execv(flow.CTL, [flow.CTL, "agent", "--socket", box.socket, *words])
        self.until("Waiting for prompts")

    def until(self, text):
        """Until the terminal has shown it; what stood before it, and it, are forgotten."""
        deadline = time.monotonic() + PATIENCE
        while text.encode() not in self.said:
            if not select.select([self.terminal], [], [], max(0, deadline - time.monotonic()))[0]:
                raise AssertionError(f"{text!r} was not shown: {self.said.decode()!r}")
            try:
                more = os.read(self.terminal, 4096)
            except OSError:
                more = b""
            if not more:
                raise AssertionError(f"the agent has ended; {text!r} was not shown: {self.said.decode()!r}")
            self.said += more
        before, _, self.said = self.said.partition(text.encode())
        return before.decode()

    def type(self, line):
        os.write(self.terminal, line.encode() + b"\n")

    def stop(self, how=signal.SIGTERM):
        """Its exit code."""
        os.kill(self.pid, how)
        return self.ended()

    def ended(self):
        try:
            while os.read(self.terminal, 4096):
                pass
        except OSError:
            pass
        os.close(self.terminal)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class Call(threading.Thread):
    """A call that waits for a person."""

    def __init__(self, box, method=SIGNER + "Sign", **parameters):
        super().__init__()
        self.reply = self.error = None
        self.connection = box.connect()
        self.method, self.parameters = method, parameters
        self.start()

    def run(self):
        try:
            self.reply = self.connection.call(self.method, self.parameters)
        except VarlinkError as problem:
            self.error = problem
        except (OSError, Closed):
            pass

    def leave(self):
        """As if the program had ended."""
        self.connection.socket.shutdown(socket.SHUT_RDWR)
        self.result()

    def result(self):
        self.join(PATIENCE)
        assert not self.is_alive(), "no reply"
        self.connection.close()
        return self.error.short if self.error else self.reply


class InboxTest(flow.SandboxTest):
    @classmethod
    def prepare(cls, box):
        box.replace_config("credential = sandbox-pin\n", "pin-from-client = no\nholder-user = 0\n")
        box.replace_config("lease = shared\n", "")
        box.replace_config("keys = *\n", "keys = *\nprompt = yes\n")
        box.append_config(NOBODY_RULE)

    def setUp(self):
        self.agents, self.place = [], self.box.path("credentials", self.id().rpartition(".")[2])
        os.mkdir(self.place)

    def tearDown(self):
        for agent in self.agents:
            agent.stop()
        if self.box.token()["pinFailures"]:  # the next test begins without one
            self.enter_pin_by_hand()
        if self.box.token()["state"] == "ready":
            self.box.call(TOKEN + "Lock", {"token": "sandbox"})

    def enter_pin_by_hand(self):
        with self.box.connect() as c, self.box.connect() as answers:
            prompts = c.more(INBOX + "Attach", {})
            self.assertIsNone(next(prompts)["prompt"])
            call = self.sign()
            prompt = next(prompts)["prompt"]
            answer = {"prompt": prompt["id"], "verdict": "accept", "pin": self.box.pin, "lastTry": True}
            flow.until(lambda: self.is_taken(answers, answer), what="an answer after the pause")
            self.assertIn("signature", call.result())

    @staticmethod
    def is_taken(connection, answer):
        try:
            connection.call(INBOX + "Answer", answer)
        except VarlinkError as problem:
            if problem.short != "Busy":
                raise
            return False
        return True

    def agent(self, *words, **options):
        agent = Agent(self.box, *words, **options)
        self.agents.append(agent)
        return agent

    def sign(self, **more):
        return Call(self.box, key="ec", digest=more.pop("digest", flow.digest()), **more)

    def secret_file(self, name, text):
        path = os.path.join(self.place, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text + "\n")
        return path

    def inbox(self, *words, code=0, pin=None):
        command, options = [flow.CTL, "inbox", "--socket", self.box.socket, *words], {}
        if pin is not None:
            ours, theirs = os.pipe()
            os.write(theirs, pin.encode() + b"\n")
            os.close(theirs)
            command += ["--pin-fd", str(ours)]
            options["pass_fds"] = (ours,)
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                              text=True, start_new_session=True, **options)
        if pin is not None:
            os.close(ours)
        self.assertEqual(done.returncode, code, (command, done.stdout, done.stderr))
        return done.stdout + done.stderr

    def entry_of(self, digest):
        return [e for e in self.box.entries() if e.get("digest") == digest][-1]


class Terminal(InboxTest):
    def test_person_is_asked_and_the_caller_gets_his_signature(self):
        agent, digest = self.agent(), flow.digest()
        call = self.sign(digest=digest, document={"number": "15/QĐ", "title": "Quyết định\u200b"[:10]}, capacity="KT.")
        shown = agent.until('PIN of the token "sandbox": ')
        for text in ("15/QĐ", "Quyết định", "KT.", "root", "python3"):
            self.assertIn(text, shown)
        agent.type(self.box.pin)
        self.assertIn("signature", call.result())
        entry = self.entry_of(digest)
        self.assertEqual((entry["proof"], entry["agentUid"], entry["uid"]), ("agent", 0, 0))
        self.assertNotIn(self.box.pin.encode(), agent.said)

    def test_wrong_pin_then_the_last_try(self):
        agent = self.agent()
        call = self.sign()
        agent.until('PIN of the token "sandbox": ')
        agent.type(WRONG)
        shown = agent.until("type the token's name: ")
        self.assertIn("one more wrong PIN blocks the token", shown)
        agent.type("sandbox")
        agent.until('PIN of the token "sandbox": ')
        agent.type(self.box.pin)  # waits out the pause by itself
        self.assertIn("signature", call.result())
        self.assertEqual(self.box.token()["pinFailures"], 0)

    def test_last_try_without_the_token_s_name_is_a_no(self):
        agent = self.agent()
        call = self.sign()
        agent.until('PIN of the token "sandbox": ')
        agent.type(WRONG)
        agent.until("type the token's name: ")
        agent.type("yes")
        self.assertEqual(call.result(), "Rejected")
        self.assertEqual(self.box.token()["pinFailures"], 1)

    def test_empty_line_says_no(self):
        agent = self.agent()
        call = self.sign()
        agent.until('PIN of the token "sandbox": ')
        agent.type("")
        self.assertEqual(call.result(), "Rejected")
        call = self.sign()
        agent.until('PIN of the token "sandbox": ')
        agent.type(self.box.pin)
        self.assertIn("signature", call.result())

    def test_of_two_agents_the_first_answer_counts(self):
        first, second = self.agent(), self.agent()
        call = self.sign()
        first.until('PIN of the token "sandbox": ')
        second.until('PIN of the token "sandbox": ')
        second.type(self.box.pin)
        self.assertIn("signature", call.result())
        first.until("is closed: answered")
        call = self.sign()  # and its terminal is in order again
        first.until('PIN of the token "sandbox": ')
        second.until('PIN of the token "sandbox": ')
        first.type(self.box.pin)
        self.assertIn("signature", call.result())

    def test_prompt_goes_when_the_caller_goes(self):
        agent = self.agent()
        program = subprocess.Popen([flow.CTL, "--socket", self.box.socket, "call", SIGNER + "Sign",
                                    json.dumps({"key": "ec", "digest": flow.digest()})], stdout=subprocess.DEVNULL)
        agent.until('PIN of the token "sandbox": ')
        program.kill()
        program.wait()
        agent.until("is closed: cancelled")

    def test_prompt_expires(self):
        agent = self.agent()
        call = self.sign(timeoutMs=1500)
        agent.until('PIN of the token "sandbox": ')
        self.assertEqual(call.result(), "PinRequired")
        self.assertIn("in time", call.error.parameters["message"])
        agent.until("is closed: expired")

    def test_agent_comes_back_after_a_restart(self):
        agent = self.agent()
        self.box.stop()
        agent.until("the daemon has gone")
        self.box.start_daemon()
        agent.until("The daemon is back.")
        flow.until(lambda: self.box.token()["state"] == "locked", what="a locked token")
        call = self.sign()
        agent.until('PIN of the token "sandbox": ')
        agent.type(self.box.pin)
        self.assertIn("signature", call.result())

    def test_ends_by_signal_and_leaves_the_terminal_in_order(self):
        agent = self.agent()
        call = self.sign(timeoutMs=20000)
        agent.until('PIN of the token "sandbox": ')
        flow.until(lambda: not termios.tcgetattr(agent.terminal)[3] & termios.ECHO, what="a silent terminal")
        os.kill(agent.pid, signal.SIGINT)
        flow.until(lambda: termios.tcgetattr(agent.terminal)[3] & termios.ECHO, what="a terminal that shows again")
        self.agents.remove(agent)
        self.assertEqual(agent.ended(), 0)
        self.assertIn("[", self.inbox())  # the prompt stays, for another agent
        call.leave()

    def test_batch_shows_its_documents_and_asks_once(self):
        agent = self.agent()
        items = [{"digest": flow.digest(), "document": {"number": f"{n}/NQ"}} for n in range(12)]
        results = []

        def batch():
            with self.box.connect() as c:
                results.extend(c.more(SIGNER + "SignBatch", {"key": "ec", "items": items}))
        thread = threading.Thread(target=batch)
        thread.start()
        shown = agent.until('PIN of the token "sandbox": ')
        self.assertIn("12 documents", shown)
        self.assertIn("9/NQ", shown)
        self.assertIn("and 2 more", shown)
        agent.type(self.box.pin)
        thread.join(PATIENCE)
        self.assertEqual([r["result"].get("error") for r in results], [None] * 12)

    def test_unlock_without_a_pin(self):
        agent = self.agent()
        program = subprocess.Popen([flow.CTL, "--socket", self.box.socket, "unlock", "--uses", "3"], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, text=True, start_new_session=True)
        shown = agent.until('PIN of the token "sandbox": ')
        self.assertIn("for 3 signatures", shown)
        agent.type(self.box.pin)
        out, _ = program.communicate(timeout=PATIENCE)
        self.assertIn("unlocked for 3 signatures", out)
        digest = flow.digest()
        self.box.sign(digest=digest)  # asks nobody
        self.assertEqual(self.entry_of(digest)["proof"], "agent")

    def test_nothing_of_a_peer_steers_the_terminal(self):
        program = self.box.path("a\x1b[31mb")
        shutil.copy("/usr/bin/python3", program)
        agent = self.agent()
        child = subprocess.Popen([program, "-c", "import sys\nsys.path.insert(0, sys.argv[1])\nimport varlink\n"
                                  "varlink.call(sys.argv[2], 'org.signetd.Signer.Sign', {'key': 'ec', 'digest': sys.argv[3]})",
                                  SUPPORT, self.box.socket, flow.digest()], stderr=subprocess.DEVNULL)
        shown = agent.until('PIN of the token "sandbox": ')
        self.assertIn("a?[31mb", shown)
        self.assertNotIn("\x1b", shown)
        agent.type(self.box.pin)
        self.assertEqual(child.wait(PATIENCE), 0)

    def test_nobody_is_there(self):
        found = self.assertFails("PinRequired", SIGNER + "Sign", {"key": "ec", "digest": flow.digest()})
        self.assertIn("signetctl agent", found["message"])
        self.assertFails("NotPermitted", SIGNER + "Sign", {"key": "ec", "digest": flow.digest(), "pin": self.box.pin})

    def test_second_user_neither_sees_nor_answers(self):
        agent = self.agent()
        call = self.sign()
        agent.until('PIN of the token "sandbox": ')
        with self.box.connect() as c:
            prompt = c.call(INBOX + "List")["prompt"]
        answer = {"prompt": prompt["id"], "verdict": "accept", "pin": self.box.pin}
        for method, parameters, wanted in (("List", {}, None), ("Answer", answer, "PromptNotFound")):
            found = json.loads(flow.as_nobody(CALL_AS_NOBODY, self.box.socket, INBOX + method, json.dumps(parameters)))
            self.assertEqual(found.get("error"), wanted)
            self.assertIsNone(found.get("prompt") if wanted is None else None)
        agent.type(self.box.pin)
        self.assertIn("signature", call.result())


class ByHand(InboxTest):
    """signetctl inbox, while an agent is attached that does not answer."""

    def setUp(self):
        super().setUp()
        self.quiet = self.agent("--frontend", "terminal")
        self.quiet_call = None

    def waiting(self, **more):
        call = self.sign(**more)
        self.quiet.until('PIN of the token "sandbox": ')
        return call, json.loads(self.inbox("--json"))[0]

    def test_lists_and_answers(self):
        self.assertIn("nothing waits", self.inbox())
        call, prompt = self.waiting(document={"title": "Biên bản"})
        self.assertIn("Biên bản", self.inbox())
        self.inbox("answer", str(prompt["number"]), pin=self.box.pin)
        self.assertIn("signature", call.result())
        self.inbox("answer", str(prompt["number"]), pin=self.box.pin, code=4)
        self.quiet.until("is closed: answered")

    def test_rejects_with_a_reason(self):
        call, prompt = self.waiting()
        self.inbox("reject", str(prompt["number"]), "--reason", "không phải của tôi")
        self.assertEqual(call.result(), "Rejected")
        self.assertEqual(call.error.parameters["reason"], "không phải của tôi")

    def test_needs_a_pin_and_a_number(self):
        call, prompt = self.waiting()
        self.inbox("answer", str(prompt["number"]), code=5)
        self.inbox("answer", "99999", pin=self.box.pin, code=4)
        self.inbox("answer", code=2)
        self.inbox("answer", str(prompt["number"]), pin=self.box.pin)
        self.assertIn("signature", call.result())

    def test_last_try_only_when_it_is_said(self):
        call, prompt = self.waiting()
        self.inbox("answer", str(prompt["number"]), pin=WRONG)
        self.quiet.until("type the token's name: ")
        prompt = json.loads(self.inbox("--json"))[0]
        self.assertEqual(prompt["kind"], "lastTry")
        self.inbox("answer", str(prompt["number"]), pin=self.box.pin, code=5)
        self.inbox("answer", str(prompt["number"]), "--last-try", pin=self.box.pin)
        self.assertIn("signature", call.result())


class Pinentry(InboxTest):
    def pinentry(self, *answers):
        with open(os.path.join(self.place, "answers"), "w", encoding="utf-8") as f:
            f.write("".join(line + "\n" for line in answers))
        return self.agent("--frontend", "pinentry", "--pinentry", os.path.join(SUPPORT, "fake_pinentry.py"),
                          env={"FAKE_PINENTRY": self.place})

    def said(self):
        with open(os.path.join(self.place, "said"), encoding="utf-8") as f:
            return [json.loads(line) for line in f]

    def test_asks_and_escapes(self):
        self.pinentry("pin " + self.secret_file("right", self.box.pin))
        call = self.sign(document={"number": "100% <b>", "title": "x" * 500}, timeoutMs=50000)
        self.assertIn("signature", call.result())
        said = self.said()
        described = next(line for line in said if line.startswith("SETDESC "))
        self.assertIn("%0A", described)
        self.assertIn('100%25 "b"', described)
        self.assertTrue(all(len(line.encode()) <= 1000 for line in said))
        self.assertIn("SETTITLE Signet", said)
        timeout = next(line for line in said if line.startswith("SETTIMEOUT "))
        self.assertTrue(40 <= int(timeout.split()[1]) <= 50, timeout)
        self.assertEqual([line for line in said if line.startswith("GETPIN")], ["GETPIN"])

    def test_wrong_then_confirmed_last_try(self):
        self.pinentry("pin " + self.secret_file("wrong", WRONG), "ok", "pin " + self.secret_file("right", self.box.pin))
        self.assertIn("signature", self.sign().result())
        said = self.said()
        self.assertIn("CONFIRM", said)
        self.assertTrue(any("ATTENTION" in line for line in said if line.startswith("SETDESC")))

    def test_cancel_says_no(self):
        self.pinentry("cancel")
        self.assertEqual(self.sign().result(), "Rejected")

    def test_time_over_is_no_answer(self):
        self.pinentry("timeout")
        call = self.sign(timeoutMs=2000)
        self.assertEqual(call.result(), "PinRequired")

    def test_window_goes_with_the_prompt(self):
        self.pinentry("hang")
        call = self.sign(timeoutMs=3000)
        path = os.path.join(self.place, "hangs")
        flow.until(lambda: os.path.exists(path), what="a window")
        with open(path, encoding="ascii") as f:
            window = int(f.read())
        self.assertEqual(call.result(), "PinRequired")
        flow.wait_gone(window)

    def test_no_program(self):
        done = flow.run(flow.CTL, "--socket", self.box.socket, "agent", "--pinentry", "/nowhere", check=False, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("/nowhere", done.stderr)


class Systemd(InboxTest):
    def systemd(self, *answers):
        program = os.path.join(self.place, "systemd-ask-password")
        os.symlink(os.path.join(SUPPORT, "fake_ask_password.py"), program)
        with open(os.path.join(self.place, "answers"), "w", encoding="utf-8") as f:
            f.write("".join(line + "\n" for line in answers))
        return self.agent("--frontend", "systemd", env={"FAKE_ASK": self.place, "PATH": self.place + ":" + os.environ["PATH"]})

    def said(self):
        with open(os.path.join(self.place, "said"), encoding="utf-8") as f:
            return [json.loads(line) for line in f]

    def test_asks_without_the_document_s_title(self):
        self.systemd("pin " + self.secret_file("right", self.box.pin))
        self.assertIn("signature", self.sign(document={"title": "Hồ sơ mật"}).result())
        (words,) = self.said()
        self.assertIn("--no-tty", words)
        self.assertIn("sandbox", words[-1])
        self.assertNotIn("mật", " ".join(words))
        self.assertNotIn(self.box.pin, " ".join(words))

    def test_last_try_needs_the_token_s_name(self):
        self.systemd("pin " + self.secret_file("wrong", WRONG), "text sandbox", "pin " + self.secret_file("right", self.box.pin))
        self.assertIn("signature", self.sign().result())
        self.assertEqual(["--echo=yes" in words for words in self.said()], [False, True, False])

    def test_time_over_is_no_answer(self):
        self.systemd()
        self.assertEqual(self.sign(timeoutMs=2000).result(), "PinRequired")


class Absent(InboxTest):
    """The token is inserted while a person looks for it."""

    @classmethod
    def prepare(cls, box):
        super().prepare(box)
        box.use_faults()

    def setUp(self):
        super().setUp()
        self.box.fault("slots absent", "tokeninfo rv 0xe0")
        flow.until(lambda: self.box.token()["state"] == "absent", what="an absent token")

    def tearDown(self):
        self.insert()
        flow.until(lambda: self.box.token()["state"] != "absent", what="a token")
        super().tearDown()

    def insert(self):
        self.box.fault()

    def test_insertion_answers_and_the_pin_follows(self):
        agent = self.agent()
        call = self.sign(timeoutMs=60000)
        shown = agent.until("(an empty line says no)")
        self.assertIn('Insert the token "sandbox"', shown)
        self.insert()
        agent.until("is closed: inserted")
        agent.until('PIN of the token "sandbox": ')
        agent.type(self.box.pin)
        self.assertIn("signature", call.result())

    def test_person_may_say_no(self):
        agent = self.agent()
        call = self.sign(timeoutMs=60000)
        agent.until("(an empty line says no)")
        agent.type("")
        self.assertEqual(call.result(), "Rejected")


class Secrecy(InboxTest):
    def test_pin_is_nowhere(self):
        agent = self.agent()
        for pin in (WRONG, None):
            call = self.sign() if pin else call
            if pin is None:
                agent.until("type the token's name: ")
                agent.type("sandbox")
            agent.until('PIN of the token "sandbox": ')
            agent.type(pin or self.box.pin)
        self.assertIn("signature", call.result())
        pins = [self.box.pin.encode(), WRONG.encode()]
        flow.until(lambda: not self.children(agent.pid), what="the end of the process that asked")
        for pid in (agent.pid, self.box.pid):
            for name in ("cmdline", "environ"):
                with open(f"/proc/{pid}/{name}", "rb") as f:
                    self.assertClean(f.read(), pins, f"{name} of {pid}")
            self.assertClean(secrecy.Secrecy.memory(pid), pins, f"memory of {pid}")
        for folder, _, names in os.walk(self.box.dir):
            for name in names:
                path = os.path.join(folder, name)
                if "credentials" not in path and os.path.isfile(path):
                    with open(path, "rb") as f:
                        self.assertClean(f.read(), pins, path)
        for entry in self.box.entries():
            self.assertClean(entry["bytes"], pins, entry["index"])
        self.assertClean(agent.said, pins, "the terminal")

    def assertClean(self, data, pins, where):
        for pin in pins:
            self.assertNotIn(pin, data, where)

    @staticmethod
    def children(pid):
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            return f.read().split()


if __name__ == "__main__":
    flow.main()
