#!/usr/bin/python3
"""
Goal: on a full disk nothing is signed and callers get LogUnavailable; what was
claimed before is still recorded from the reserve; the daemon stays up, and
signs again by itself once there is room.
"""
import os

import flow
from varlink import SIGNER, SERVICE, VarlinkError

TMPFS_BYTES = 64 << 20  # more than the traffic of this test needs


class FullDisk(flow.SandboxTest):
    @classmethod
    def prepare(cls, box):
        sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
        flow.run(*sudo, "mount", "-t", "tmpfs", "-o", f"size={TMPFS_BYTES},mode=700,uid={os.getuid()}", "signet-full",
                 box.path("state"))
        box.before_removal = lambda: flow.run(*sudo, "umount", box.path("state"))
        box.replace_config("[log]\n", "[log]\nreserve = 1M\n")

    def fill(self):
        """Take every byte that is left."""
        with open(self.box.path("state", "ballast"), "wb", buffering=0) as f:
            for size in (1 << 20, 1 << 12):
                try:
                    while True:
                        f.write(b"x" * size)
                except OSError:
                    pass

    def free(self):
        os.unlink(self.box.path("state", "ballast"))

    def refused(self):
        """The next signature is refused because of the log."""
        try:
            self.box.sign()
        except VarlinkError as problem:
            self.assertEqual(problem.short, "LogUnavailable")
            self.assertTrue(problem.parameters["reason"])
            return True
        return False

    def signs(self):
        try:
            return "signature" in self.box.sign()
        except VarlinkError as problem:
            self.assertEqual(problem.short, "LogUnavailable")
            return False

    def test_full_disk_refuses_and_recovers(self):
        for n in range(2):
            with self.subTest(n):
                out = self.box.path(f"out-{n}")
                load = self.box.start_load("ec", connections=8, count=1000, out=out)
                flow.until(lambda: os.path.exists(out) and os.path.getsize(out) > 20000, what="traffic")
                self.fill()
                flow.until(self.refused, what="LogUnavailable")
                self.assertIn("interfaces", self.box.call(SERVICE + "GetInfo"))  # the rest still works
                self.assertEqual(self.box.call(SIGNER + "ListKeys", {"key": "ec"})["key"]["name"], "ec")
                status = self.box.status()["log"]
                self.assertFalse(status["available"])
                self.assertTrue(status["reason"])
                self.free()
                flow.until(self.signs, seconds=60, what="a signature after there was room again")
                _, numbers, messages = self.box.end_load(load)
                self.assertEqual((numbers["wrong"], numbers["lost"]), (0, 0), messages)
                good, errors = flow.received(out)
                self.assertLessEqual({name for name, _ in errors}, {"LogUnavailable"})
                logged = {e["digest"]: (e["index"], e["signatureHash"]) for e in self.box.signed()}
                for digest, place in good.items():
                    self.assertEqual(logged.get(digest), place)
                self.assertEqual(self.box.rows_live("SELECT count(*) FROM claim"), [(0,)])
                self.assertTrue(self.box.status()["log"]["available"])

    def test_start_on_a_full_disk_signs_nothing_and_says_why(self):
        self.box.stop()
        self.fill()
        try:
            self.box.start_daemon()
            self.assertTrue(self.refused())
            self.assertIn("full", self.box.status()["log"]["reason"])
        finally:
            self.free()
        self.box.wait_token()  # the stored PIN goes out once the log takes its note
        self.assertTrue(self.signs())
        self.assertLess(len(self.box.read("signetd.log")), 10000, "it said the same again and again")


if __name__ == "__main__":
    flow.main()
