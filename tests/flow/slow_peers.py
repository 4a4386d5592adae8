#!/usr/bin/python3
"""
Goal: a peer that does not read, does not finish its sentence or opens too much
costs itself something and nobody else: its memory is bounded, it is no longer
read, its quota is charged, and others are served as before.
"""
import socket
import time

import flow
from varlink import SERVICE, SIGNER, Closed, VarlinkError

CONNECTIONS = 40
JOBS = 50
BYTES = 1 << 20
DESCRIBE = b'{"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"org.signetd.Signer"}}\0'


def resident(pid):
    """Private memory of a process in bytes."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        return sum(int(line.split()[1]) * 1024 for line in f if line.startswith("Private_"))


class SlowPeers(flow.SandboxTest):
    @classmethod
    def prepare(cls, box):
        box.append_config(f"[limits]\nconnections-per-uid = {CONNECTIONS}\njobs-per-uid = {JOBS}\nbytes-per-uid = {BYTES}\n")

    def setUp(self):
        """The connections of the test before are gone."""
        flow.until(self.is_alone, what="the end of the other connections")

    def is_alone(self):
        try:
            return self.box.status()["connections"] == 1
        except (VarlinkError, Closed, ConnectionResetError, BrokenPipeError):
            return False

    def stuff(self, connection, message, limit):
        """Send until the daemon stops reading; bytes that were taken."""
        connection.socket.settimeout(2)
        sent = 0
        try:
            while sent < limit:
                sent += connection.socket.send(message[sent % len(message):])
        except (TimeoutError, BrokenPipeError, ConnectionResetError):
            pass
        return sent

    def test_peer_that_never_reads_is_no_longer_read(self):
        before = resident(self.box.pid)
        with self.box.connect() as c:
            sent = self.stuff(c, DESCRIBE * 100, 64 << 20)
            self.assertLess(sent, 64 << 20, "64 MiB of calls were taken without one reply being read")
            # replies are 60 times as long as calls: they must not have been made in advance
            if not flow.SANITIZED:
                self.assertLess(resident(self.box.pid) - before, 4 * BYTES)
            self.assertAnswers()

    def test_it_gets_everything_when_it_reads_again(self):
        calls = 2000
        with self.box.connect() as c:
            c.socket.setblocking(False)
            sent, data, replies = 0, DESCRIBE * calls, 0
            deadline = time.monotonic() + 30
            while sent < len(data):
                try:
                    sent += c.socket.send(data[sent:])
                except BlockingIOError:
                    break
            c.socket.settimeout(30)
            while replies < calls and time.monotonic() < deadline:
                if sent < len(data):
                    try:
                        sent += c.socket.send(data[sent:sent + 65536], socket.MSG_DONTWAIT)
                    except BlockingIOError:
                        pass
                self.assertIn("description", c.reply())
                replies += 1
            self.assertEqual(replies, calls)

    def test_many_that_never_read_do_not_stop_the_others(self):
        stuck = [self.box.connect() for _ in range(CONNECTIONS // 2)]
        for c in stuck:
            c.socket.setblocking(False)
            try:
                while True:
                    c.socket.send(DESCRIBE * 100)
            except (BlockingIOError, BrokenPipeError, ConnectionResetError):
                pass
        try:
            began = time.monotonic()
            with self.box.connect() as c:  # the uid's byte quota may be used up: then it says so
                try:
                    c.call(SIGNER + "Sign", {"key": "ec", "digest": flow.digest()})
                except VarlinkError as problem:
                    self.assertEqual(problem.short, "Busy")
            self.assertLess(time.monotonic() - began, 10)
        finally:
            for c in stuck:
                c.close()
        flow.until(self.signs, what="service as before")

    def signs(self):
        try:
            return "signature" in self.box.sign()
        except (VarlinkError, Closed, ConnectionResetError, BrokenPipeError):
            return False

    def test_connections_one_below_at_and_above_the_quota(self):
        open_ones = [self.box.connect() for _ in range(CONNECTIONS)]
        try:
            for c in open_ones:
                self.assertIn("interfaces", c.call(SERVICE + "GetInfo"))
            with self.box.connect() as extra:
                with self.assertRaises((VarlinkError, Closed, ConnectionResetError, BrokenPipeError)):
                    extra.call(SERVICE + "GetInfo")
            self.assertIn("interfaces", open_ones[0].call(SERVICE + "GetInfo"))
            open_ones.pop().close()
            flow.until(self.gets_in, what="a place for another connection")
        finally:
            for c in open_ones:
                c.close()

    def gets_in(self):
        try:
            return "interfaces" in self.box.call(SERVICE + "GetInfo")
        except (VarlinkError, Closed, ConnectionResetError, BrokenPipeError):
            return False

    def test_jobs_above_the_quota_are_busy_and_the_others_are_signed(self):
        """One connection's pipeline and a batch are both charged per signature."""
        items = [{"digest": flow.digest()} for _ in range(JOBS * 4)]
        with self.box.connect() as c:
            results = [r["result"] for r in c.more(SIGNER + "SignBatch", {"key": "rsa", "items": items})]
        self.assertEqual(len(results), len(items))
        errors = {r.get("error") for r in results}
        self.assertLessEqual(errors, {None, "Busy"})
        self.assertGreaterEqual(len([r for r in results if "signature" in r]), JOBS)
        self.assertAnswers()

    def test_silence_costs_no_processor_time(self):
        quiet = [self.box.connect() for _ in range(CONNECTIONS // 2)]
        for c in quiet:
            c.send_raw(b'{"method"')
        self.assertAnswers()

        def used():
            with open(f"/proc/{self.box.pid}/stat", "rb") as f:
                words = f.read().rpartition(b")")[2].split()
            return int(words[11]) + int(words[12])

        before = used()
        time.sleep(0.5)  # what is measured is that nothing happens
        self.assertLessEqual(used() - before, 5)
        for c in quiet:
            c.close()


if __name__ == "__main__":
    flow.main()
