#!/usr/bin/python3
"""
Goal: the published log verifies with code that is not ours, Go's packages of
signed notes and Merkle trees, at every size; and what Go finds wrong in a
changed copy, and what it finds right, signetctl finds, too.
"""
import os
import shutil
import subprocess
import tempfile

import flow

SOURCE = os.path.join(flow.REPO, "tests/support/go/log-check")
ROUNDS = 40 if flow.LONG else 8


def build(place):
    """The checker, by Debian's Go and its packages alone; nothing is fetched."""
    program = os.path.join(place, "log-check")
    env = dict(os.environ, GO111MODULE="off", GOPATH="/usr/share/gocode", GOPROXY="off", GOFLAGS="",
               GOCACHE=os.path.join(flow.BUILD, "go-cache"), CGO_ENABLED="0")
    flow.run("go", "build", "-o", program, ".", cwd=SOURCE, env=env)
    return program


class Go(flow.SandboxTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.place = tempfile.mkdtemp(prefix="signet-go-")
        cls.check = build(cls.place)
        with open(cls.box.path("state", "log.vkey"), encoding="ascii") as f:
            cls.vkey = f.read().strip()

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.place)
        super().tearDownClass()

    def published(self, size):
        """A copy of the published folder, once it has so many entries."""
        source = self.box.path("published")

        def there():
            with open(os.path.join(source, "checkpoint"), encoding="utf-8") as f:
                return int(f.read().splitlines()[1]) >= size

        flow.until(there, what="the published log")
        copy = os.path.join(self.place, f"copy-{size}")
        shutil.copytree(source, copy)
        return copy

    def go(self, folder, *old):
        return flow.run(self.check, folder, self.vkey, *old, check=False, text=True)

    def ours(self, folder):
        done = flow.run(flow.CTL, "log", "verify", "--copy", folder, "--vkey", self.vkey, check=False, text=True,
                        stdin=subprocess.DEVNULL)
        return done.returncode == 0

    def test_published_log_verifies_at_every_size_and_grows(self):
        old = []
        for n in range(ROUNDS):
            code, numbers, err = self.box.load(count=(1, 37, 250, 3)[n % 4], connections=1)
            self.assertEqual(code, 0, (numbers, err))
            size = len(self.box.entries())
            folder = self.published(size)
            done = self.go(folder, *old)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertGreaterEqual(int(done.stdout), size)
            self.assertTrue(self.ours(folder))
            old.append(os.path.join(folder, "checkpoint"))
        for name in ("tile/0/000", "tile/entries/000", "checkpoint"):
            with self.subTest(name):
                path = os.path.join(folder, name)
                with open(path, "r+b") as f:
                    data = f.read()
                    f.seek(70)
                    f.write(bytes([data[70] ^ 1]))
                self.assertNotEqual(self.go(folder).returncode, 0)
                self.assertFalse(self.ours(folder))
                with open(path, "wb") as f:
                    f.write(data)
        self.assertEqual(self.go(folder).returncode, 0)
        stranger = self.vkey.replace("signet", "Signet", 1)
        self.assertNotEqual(flow.run(self.check, folder, stranger, check=False).returncode, 0)


if __name__ == "__main__":
    flow.main()
