#!/usr/bin/python3
"""
Goal: what README.md shows works as it stands there: the Python example signs a
file that openssl verifies, the shell lines run, the configuration is accepted,
and every file that is named exists.
"""
import os
import re
import subprocess

import flow


class Readme(flow.SandboxTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with open(os.path.join(flow.REPO, "README.md"), encoding="utf-8") as f:
            cls.text = f.read()

    def block(self, language):
        (found,) = re.findall(rf"^```{language}\n(.*?)^```$", self.text, re.M | re.S)
        return found

    def test_python_example_signs(self):
        program, path = self.box.path("example.py"), self.box.path("document")
        with open(program, "w", encoding="utf-8") as f:
            f.write(self.block("python"))
        with open(path, "wb") as f:
            f.write(b"a document\n")
        env = dict(os.environ, SIGNET_SOCKET=self.box.socket)
        out = flow.run("/usr/bin/python3", "-I", program, "rsa", path, env=env, text=True).stdout
        self.assertRegex(out, r"^log entry \d+ \S+Z\n$")
        with open(path + ".pem", "wb") as f:
            f.write(flow.run("openssl", "x509", "-in", self.box.certificate("rsa"), "-noout", "-pubkey").stdout)
        flow.run("openssl", "dgst", "-sha256", "-verify", path + ".pem", "-signature", path + ".sig", path)
        done = flow.run("/usr/bin/python3", "-I", program, "no-such-key", path, env=env, check=False, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("KeyNotFound", done.stderr)

    def test_shell_lines_run(self):
        (lines,) = re.findall(r"To play on:\n\n((?:    .*\n)+)", self.text)
        place = self.box.path("play")
        lines = lines.replace("/tmp/signet-play", place)
        copy = self.box.path("README.md")
        with open(copy, "w", encoding="utf-8") as f:
            f.write(self.text)
        script = lines.replace("tests/sandbox", flow.SCRIPT)
        done = subprocess.run(["bash", "-eu", "-c", script], cwd=self.box.dir, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("Good signature", done.stdout)

    def test_configuration_is_accepted(self):
        """With a module and names of this machine in the place of the example's."""
        text = self.block("ini").replace("/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so", flow.SOFTHSM)
        before = self.box.read("signetd.conf")
        daemon_section = before[:before.index("[token")]
        self.box.set_config(daemon_section + text)
        try:
            self.box.stop()
            with open(self.box.path("second.log"), "w", encoding="utf-8") as log:
                process = subprocess.Popen([flow.SIGNETD, "--config", self.box.config],
                                           stderr=log)
                try:
                    flow.until(lambda: os.path.exists(self.box.socket) or process.poll() is not None, what="its start")
                    self.assertIsNone(process.poll(), self.box.read("second.log"))
                finally:
                    process.terminate()
                    process.wait(timeout=60)
        finally:
            self.box.set_config(before)
            self.box.start()

    def test_named_files_exist(self):
        for name in re.findall(r"\]\(([^)#:]+)\)", self.text) + ["tests/quickstart", "tests/run", "tests/bench/run"]:
            self.assertTrue(os.path.exists(os.path.join(flow.REPO, name)), name)

    def test_is_short(self):
        self.assertLessEqual(len(self.text.splitlines()), 150)


if __name__ == "__main__":
    flow.main()
