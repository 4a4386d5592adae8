"""
What the flow tests stand on: a sandbox as an object, and checks with programs
that are not ours (openssl, sqlite3).

A test file says `class X(flow.SandboxTest)` and ends with `flow.main()`. One
sandbox serves the tests of a class; at its end the daemon must stop in order,
and neither it nor a worker may have printed what a sanitizer prints.
"""
import base64
import hashlib
import json
import os
import re
import secrets
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

import daemon
import ready
import varlink
from varlink import ADMIN, SIGNER, TOKEN

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.realpath(os.environ.get("SIGNET_BUILD", os.path.join(REPO, "build")))
SCRIPT = os.path.join(REPO, "tests", "sandbox")
SIGNETD = os.path.join(BUILD, "daemon/signetd/signetd")
CTL = os.path.join(BUILD, "client/signetctl/signetctl")
SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"
FAULT = os.path.join(BUILD, "tests/support/libsignet-fault.so")
LOAD = os.path.join(BUILD, "tests/flow/signet-load")
LONG = os.environ.get("SIGNET_LONG") == "1"
SANITIZED = os.environ.get("SIGNET_SANITIZED") == "1"  # set by the build: everything is several times slower
NOBODY = 65534
CRASH_REPORT = re.compile(r"(Address|Thread)Sanitizer:DEADLYSIGNAL.*?(?=\n<\d>|\Z)|\S*fault_module\.c\S* runtime error:", re.S)
SANITIZER_WORDS = re.compile(r"(Address|Thread|Leak|Memory|UndefinedBehavior)Sanitizer|runtime error:")


def run(*command, check=True, **options):
    """A program to its end; its output is in the failure if it fails."""
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.PIPE)
    done = subprocess.run(command, check=False, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{shlex.join(map(str, command))}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def digest(text=None, algorithm="sha256"):
    """A digest as the wire writes it; of random bytes unless `text` says otherwise."""
    data = secrets.token_bytes(16) if text is None else text
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def sha256_text(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def until(condition, seconds=20, what="the condition"):
    """For what has no event to wait for: ask again, for a bounded time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {seconds} s")
        time.sleep(0.01)


def wait_gone(pid, seconds=20):
    """Until that process has ended."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if not daemon.exited(fd, seconds):
            raise AssertionError(f"process {pid} is still there after {seconds} s")
    finally:
        os.close(fd)


class Sandbox:
    """A private daemon in a directory of its own under /tmp."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="signet-")
        os.chmod(self.dir, 0o755)  # a second user must reach the socket
        self.env = {}
        self.loads = []
        self.before_removal = lambda: None  # what a test put into the directory and must take out again
        self.crashes_wanted = False  # a test makes workers crash: reports of that are not held against them
        try:
            run(SCRIPT, "make", self.dir)
        except BaseException:
            shutil.rmtree(self.dir)
            raise

    # places

    def path(self, *names):
        return os.path.join(self.dir, *names)

    @property
    def socket(self):
        return self.path("signet.sock")

    @property
    def config(self):
        return self.path("signetd.conf")

    @property
    def pin(self):
        return self.read("credentials", "sandbox-pin")

    def read(self, *names):
        with open(self.path(*names), encoding="utf-8", errors="replace") as f:
            return f.read()

    def certificate(self, label):
        return self.path("ca", label + ".pem")

    # configuration, while it is stopped or before a reload

    def set_config(self, text):
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(text)

    def append_config(self, text):
        self.set_config(self.read("signetd.conf") + "\n" + text)

    def replace_config(self, old, new):
        text = self.read("signetd.conf")
        assert old in text, old
        self.set_config(text.replace(old, new))

    def set_credential(self, name, text):
        """As systemd would hand it over: nobody else may read it."""
        path = self.path("credentials", name)
        with open(path, "w", encoding="ascii", opener=lambda file, flags: os.open(file, flags, 0o600)) as f:
            f.write(text)

    def add_key(self, key_id, label, kind):
        run(SCRIPT, "key", self.dir, key_id, label, kind)

    def pkcs11_tool(self, *words, place="softhsm2.conf", label="sandbox"):
        """pkcs11-tool, logged in to the sandbox's token; its output."""
        env = dict(os.environ, SANDBOX_PIN=self.pin, SOFTHSM2_CONF=self.path("tokens", place))
        return run("pkcs11-tool", "--module", SOFTHSM, "--token-label", label, "--login", "--pin", "env:SANDBOX_PIN", *words,
                   env=env, text=True).stdout

    def add_token(self, name, key):
        """A second SoftHSM token, in a store of its own; its P-256 key gets the name `key`."""
        run(SCRIPT, "make", self.path(name))
        tokens = self.path(name, "tokens")
        listed = run("pkcs11-tool", "--module", SOFTHSM, "--list-token-slots", text=True,
                     env=dict(os.environ, SOFTHSM2_CONF=f"{tokens}/softhsm2.conf")).stdout
        serial = re.search(r"serial num *: *(\S+)", listed).group(1)
        shutil.copy(self.path(name, "credentials", "sandbox-pin"), self.path("credentials", name + "-pin"))
        self.append_config(f"[token {name}]\nmodule = {SOFTHSM}\nserial = {serial}\nlanes = 2\ncredential = {name}-pin\n"
                           f"lease = shared\nenvironment = SOFTHSM2_CONF={tokens}/softhsm2.conf\npaths = {tokens}\n\n"
                           f"[key {key}]\ntoken = {name}\nuri = pkcs11:serial={serial};id=%02\n")

    def use_faults(self, more=""):
        """Put the faulty module in front of the sandbox's token; `more` goes into its section."""
        self.replace_config(f"module = {SOFTHSM}\nlabel = sandbox\n", f"module = {FAULT}\nlabel = sandbox\n{more}")
        self.replace_config(f"environment = SOFTHSM2_CONF={self.path('tokens/softhsm2.conf')}\n",
                            f"environment = SOFTHSM2_CONF={self.path('tokens/softhsm2.conf')}\n"
                            f" SIGNET_FAULT_SCRIPT={self.path('tokens/faults')}\n"
                            f" SIGNET_FAULT_COUNT={self.path('tokens/logins')}\n")
        self.fault()

    def fault(self, *lines):
        """What the faulty module does from now on; nothing: it works."""
        with open(self.path("tokens/faults.new"), "w", encoding="ascii") as f:
            f.write("".join(line + "\n" for line in lines))
        os.rename(self.path("tokens/faults.new"), self.path("tokens/faults"))

    def logins(self):
        """How many C_Login calls the faulty module saw."""
        path = self.path("tokens/logins")
        if not os.path.exists(path):
            return 0
        with open(path, encoding="ascii") as f:
            return len(f.readlines())

    # life

    def start(self):
        done = run(SCRIPT, "start", self.dir, env=dict(os.environ, **self.env), text=True)
        self.assignments = dict(shlex.split(line)[0].split("=", 1) for line in done.stdout.splitlines())
        self.pid = int(self.assignments["SIGNET_PID"])
        return self

    def start_daemon(self):
        """The daemon alone, as tests/sandbox does it, for one whose token cannot become ready."""
        run(os.path.join(REPO, "tests/support/daemon.py"), "start", self.path("signetd.pid"), self.path("signetd.log"),
            SIGNETD, "--config", self.config, env=dict(os.environ, CREDENTIALS_DIRECTORY=self.path("credentials")), text=True)
        self.pid = daemon.read_pidfile(self.path("signetd.pid"))[0]

    def stop(self):
        run(SCRIPT, "stop", self.dir)

    def kill(self, how=signal.SIGKILL):
        """End the daemon as a crash would, and wait until it is gone."""
        os.kill(self.pid, how)
        wait_gone(self.pid)

    def remove(self):
        """End everything and check that it ended well."""
        for load in self.loads:
            if load.poll() is None:
                load.kill()
                load.wait()
        if daemon.open_daemon(self.path("signetd.pid")):
            self.stop()
        text = self.read("signetd.log") if os.path.exists(self.path("signetd.log")) else ""
        self.before_removal()
        shutil.rmtree(self.dir)
        if self.crashes_wanted:
            text = CRASH_REPORT.sub("", text)
        if SANITIZER_WORDS.search(text):
            raise AssertionError("a sanitizer spoke:\n" + text)

    def log_tail(self, lines=30):
        return "".join(self.read("signetd.log").splitlines(keepends=True)[-lines:])

    # processes

    def children(self):
        """Process ids of the daemon's children, with their words."""
        with open(f"/proc/{self.pid}/task/{self.pid}/children", encoding="ascii") as f:
            pids = [int(pid) for pid in f.read().split()]
        words = {}
        for pid in pids:
            try:
                with open(f"/proc/{pid}/cmdline", encoding="utf-8") as f:
                    words[pid] = f.read().split("\0")[:-1]
            except (FileNotFoundError, ProcessLookupError):
                pass  # it has ended meanwhile
        return words

    def workers(self):
        """Process ids of those that own a token."""
        return [pid for pid, words in self.children().items() if words[1:2] not in (["--watch"], ["--poll"])]

    def watchers(self):
        """Process ids of those that see what is inserted."""
        return [pid for pid, words in self.children().items() if words[1:2] in (["--watch"], ["--poll"])]

    # calls

    def connect(self, timeout=60):
        return varlink.Connection(self.socket, timeout)

    def call(self, method, parameters=None):
        with self.connect() as connection:
            return connection.call(method, parameters)

    def sign(self, key="ec", **more):
        return self.call(SIGNER + "Sign", {"key": key, "digest": digest(), **more})

    def rule_of_a_signature(self):
        """Name of the rule that permits one made now, as the log has it."""
        return json.loads(self.sign()["receipt"]["entry"])["rule"]

    def status(self):
        return self.call(ADMIN + "Status")

    def token(self, name="sandbox"):
        return self.call(TOKEN + "List", {"token": name})["token"]

    def wait_token(self, name="sandbox", state="ready"):
        return ready.wait(self.socket, name, state)

    def start_load(self, key="ec", connections=8, count=1000, window=1, out=None, **options):
        command = [LOAD, "--socket", self.socket, "--key", key, "--connections", str(connections),
                   "--count", str(count), "--window", str(window)]
        if out:
            command += ["--out", out]
        for name, value in options.items():
            command += ["--" + name.replace("_", "-"), str(value)]
        load = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.loads.append(load)
        return load

    @staticmethod
    def end_load(load, timeout=300):
        """(exit code, the numbers it printed, its messages)"""
        out, err = load.communicate(timeout=timeout)
        return load.returncode, json.loads(out), err

    def load(self, **options):
        return self.end_load(self.start_load(**options))

    # the log, read as an auditor would: from the file

    def entries(self):
        """Every entry, parsed; the bytes as logged are in `bytes`."""
        return [self.parse_entry(*row) for row in self.rows_live("SELECT idx, bytes, leaf FROM entry ORDER BY idx")]

    def rows_live(self, query):
        connection = sqlite3.connect(f"file:{self.path('state', 'log.db')}?mode=ro", uri=True)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    @staticmethod
    def parse_entry(index, data, leaf):
        entry = json.loads(data)
        assert entry["index"] == index, entry
        assert hashlib.sha256(b"\0" + bytes(data)).digest() == bytes(leaf), f"leaf hash of entry {index}"
        return dict(entry, bytes=bytes(data))

    def signed(self):
        """Entries of signatures that were made."""
        return [e for e in self.entries() if e["kind"] == "sign" and e.get("outcome") == "ok"]

    def rows(self, query):
        """Of a copy of the log's files, for a daemon that is not running: the original stays as it was left."""
        with tempfile.TemporaryDirectory() as copy:
            for name in os.listdir(self.path("state")):
                if name.startswith("log.db"):
                    shutil.copy(self.path("state", name), copy)
            connection = sqlite3.connect(os.path.join(copy, "log.db"))
            try:
                return connection.execute(query).fetchall()
            finally:
                connection.close()


def received(path):
    """What signet-load wrote: {digest: (index, signature hash)} of what it holds, and [(error, digest)]."""
    good, errors = {}, []
    with open(path, encoding="ascii") as f:
        for line in f:
            words = line.split()
            if words[0] == "ok":
                good[words[2]] = (int(words[1]), words[3])
            elif words[0] == "error":
                errors.append((words[1], words[2]))
            else:
                raise AssertionError(line)
    return good, errors


def openssl_verifies(certificate, digest_text, signature, scheme):
    """Does openssl(1) accept this signature over this digest by the key of that certificate?"""
    algorithm, _, value = digest_text.partition(":")
    with tempfile.TemporaryDirectory() as place:
        files = {"key": run("openssl", "x509", "-in", certificate, "-noout", "-pubkey").stdout,
                 "digest": bytes.fromhex(value), "signature": signature}
        for name, content in files.items():
            with open(os.path.join(place, name), "wb") as f:
                f.write(content)
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", f"{place}/key",
                   "-sigfile", f"{place}/signature", "-in", f"{place}/digest"]
        if scheme == "eddsa":
            command += ["-rawin"]  # pure Ed25519: the digest's bytes are the message
        else:
            command += ["-pkeyopt", f"digest:{algorithm}"]
        if scheme == "pss":
            command += ["-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:digest"]
        return run(*command, check=False).returncode == 0


def signature_of(reply):
    return base64.b64decode(reply["signature"], validate=True)


def as_nobody(script, *arguments):
    """Run a Python script as another user; it can import varlink. Needs root or sudo, as such a test must."""
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    with open(os.path.join(REPO, "tests/support/varlink.py"), encoding="utf-8") as f:
        library = f.read()
    program = ("import sys, types\nvarlink = types.ModuleType('varlink')\nsys.modules['varlink'] = varlink\n"
               f"exec({library!r}, varlink.__dict__)\n{script}")
    command = prefix + ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
                        "/usr/bin/python3", "-", *arguments]
    return run(*command, input=program, text=True).stdout


class SandboxTest(unittest.TestCase):
    """Tests that share one sandbox."""

    @classmethod
    def prepare(cls, box):
        """Overridden by what must happen between making and starting."""

    @classmethod
    def setUpClass(cls):
        cls.box = Sandbox()
        try:
            cls.prepare(cls.box)
            cls.box.start()
        except BaseException:
            cls.box.remove()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.box.remove()

    def run(self, result=None):
        """One test; if it fails, what the daemon said last is shown with it."""
        before = len(result.failures) + len(result.errors)
        done = super().run(result)
        box = getattr(self, "box", None)
        if len(result.failures) + len(result.errors) > before and box and os.path.exists(box.path("signetd.log")):
            sys.stderr.write("---- last messages of the daemon\n" + self.box.log_tail() + "----\n")
        return done

    def assertFails(self, name, method, parameters=None, connection=None):
        """The call ends in that error; its parameters are returned."""
        ask = connection.call if connection else self.box.call
        with self.assertRaises(varlink.VarlinkError) as caught:
            ask(method, parameters)
        self.assertEqual(caught.exception.short, name, caught.exception)
        return caught.exception.parameters

    def assertAnswers(self):
        """The daemon is alive and signs."""
        self.assertIn("signature", self.box.sign())

    def assertVerifies(self, key, digest_text, reply, scheme):
        self.assertTrue(openssl_verifies(self.box.certificate(key), digest_text, signature_of(reply), scheme),
                        f"{key} {scheme} {digest_text}")


def main():
    """Run the file's tests. A test that hangs is ended from within, so that its daemon is stopped."""
    def too_long(*_):
        raise AssertionError("the test took too long")

    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(int(os.environ.get("SIGNET_FLOW_SECONDS", "280")))
    unittest.main(verbosity=2)
