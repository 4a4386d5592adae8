#!/usr/bin/python3
"""
Goal: whatever a program does with the bridge's functions, forks, threads and
processes, it gets a right signature or a code of the standard; also while the
daemon restarts, and on the program's way out.
"""
import os
import re
import subprocess

import bridge
import flow

CHECK = os.path.join(flow.BUILD, "tests/flow/signet-bridge-check")
ROUNDS = 1000 if flow.LONG else 200


class Life(bridge.BridgeTest):
    def check(self, *words, timeout=200):
        return self.run_with(CHECK, bridge.MODULE, *map(str, words), timeout=timeout).stdout

    def start(self, *words):
        return subprocess.Popen([CHECK, bridge.MODULE, *map(str, words)], env=self.env, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def finish(self, process, timeout=240):
        try:
            out, err = process.communicate(timeout=timeout)
        finally:
            process.kill()
        self.assertEqual(process.returncode, 0, err)
        return out

    def test_every_function_refuses_what_it_must(self):
        before = len(self.box.signed())
        self.check("conform", self.box.pin)
        # of all its calls two had room for a signature
        self.assertEqual(len(self.box.signed()) - before, 2)

    def test_initialised_in_every_way_and_by_threads_at_once(self):
        self.check("initialize")

    def test_forks_in_the_middle_of_signatures(self):
        self.check("fork", "ec")

    def test_signs_from_an_exit_handler(self):
        before = len(self.box.signed())
        self.assertEqual(self.check("exit", "rsa"), "signed late\n")
        self.assertEqual(len(self.box.signed()) - before, 2)

    def test_finalize_wakes_who_waits_for_events(self):
        self.check("finalize-wakes")

    def test_two_threads(self):
        before = len(self.box.signed())
        self.check("load", "ec", 1, 2, ROUNDS)
        self.assertEqual(len(self.box.signed()) - before, 2 * ROUNDS)

    def test_twenty_processes(self):
        count = ROUNDS // 5
        before = len(self.box.signed())
        self.check("load", "ec", 20, 1, count)
        self.assertEqual(len(self.box.signed()) - before, 20 * count)

    def test_the_daemon_restarts_meanwhile(self):
        load = self.start("load", "ec", 10, 2, 3 * ROUNDS)
        for _ in range(5):
            signed = len(self.box.signed())
            flow.until(lambda: len(self.box.signed()) > signed + 20 or load.poll() is not None, 60, "more signatures")
            self.assertIsNone(load.poll(), "it ended before the daemon was restarted five times")
            self.box.stop()
            self.box.start()
        numbers = [list(map(int, re.findall(r"\d+", line))) for line in self.finish(load).splitlines()]
        self.assertEqual([good for good, away in numbers], [6 * ROUNDS] * 10)
        self.assertGreater(sum(away for good, away in numbers), 0)

    def test_a_killed_daemon_and_no_daemon(self):
        self.box.kill()
        done = self.tool("--list-slots", check=False)
        self.assertIn("No slots", done.stdout + done.stderr)
        self.box.start()
        self.assertIn("sandbox", self.tool("--list-slots").stdout)

    def test_events(self):
        waiting = self.start("event")
        self.assertEqual(waiting.stdout.readline(), "waiting\n")
        self.box.stop()
        self.assertEqual(waiting.stdout.readline(), "gone\n")
        self.box.start()
        self.assertEqual(waiting.stdout.readline(), "present\n")
        waiting.kill()
        waiting.communicate()

    def test_refuses_to_live_in_the_daemon(self):
        for name in ("signetd", "signet-token"):
            path = self.path(name)
            if not os.path.exists(path):
                os.symlink("/usr/bin/pkcs11-tool", path)
            done = self.run_with(path, "--module", bridge.MODULE, "--list-slots", check=False)
            self.assertIn("CKR_FUNCTION_FAILED", done.stderr)


if __name__ == "__main__":
    flow.main()
