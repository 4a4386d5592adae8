#!/usr/bin/python3
"""
Goal: signetd serves a socket that somebody else listens on, as systemd hands
it over [sd_listen_fds(3)], and leaves it alone when it stops.
"""
import os
import socket
import subprocess
import unittest

import daemon
import flow
import ready
import varlink

# LISTEN_PID must be the daemon's own: set between fork and exec
LAUNCH = 'exec 3<&"$1"; export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=varlink; shift; exec "$@"'


class SocketActivation(unittest.TestCase):
    def setUp(self):
        self.box = flow.Sandbox()
        self.addCleanup(self.box.remove)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(self.listener.close)
        self.path = self.box.path("activated.sock")
        self.listener.bind(self.path)
        self.listener.listen(16)

    def launch(self):
        return subprocess.Popen(["bash", "-c", LAUNCH, "launch", str(self.listener.fileno()),
                                 flow.SIGNETD, "--config", self.box.config],
                                pass_fds=(self.listener.fileno(),), stderr=subprocess.PIPE, text=True,
                                env=dict(os.environ, CREDENTIALS_DIRECTORY=self.box.path("credentials")))

    def test_serves_the_socket_it_was_given_and_no_other(self):
        with varlink.Connection(self.path) as early:  # a client may come before the daemon does
            early.send("org.varlink.service.GetInfo")
            process = self.launch()
            try:
                self.assertIn("interfaces", early.reply())
                ready.wait(self.path, "sandbox")
                self.assertIn("signature", varlink.call(self.path, "org.signetd.Signer.Sign",
                                                        {"key": "ec", "digest": flow.digest()}))
                self.assertFalse(os.path.exists(self.box.socket))
            finally:
                process.terminate()
                messages = process.communicate(timeout=60)[1]
        self.assertEqual(process.returncode, 0, messages)
        self.assertTrue(os.path.exists(self.path), "the socket is its owner's to remove")
        process = self.launch()  # and it serves again
        try:
            ready.wait(self.path, "sandbox")
        finally:
            process.terminate()
            process.communicate(timeout=60)

    def test_listen_pid_of_another_process_is_not_for_us(self):
        process = subprocess.Popen([flow.SIGNETD, "--config", self.box.config],
                                   stderr=subprocess.PIPE, text=True,
                                   env=dict(os.environ, CREDENTIALS_DIRECTORY=self.box.path("credentials"),
                                            LISTEN_PID=str(os.getpid()), LISTEN_FDS="1"))
        try:
            flow.until(lambda: os.path.exists(self.box.socket), what="its own socket")
            ready.wait(self.box.socket, "sandbox")
        finally:
            process.terminate()
            process.communicate(timeout=60)
        self.assertFalse(daemon.open_daemon(self.box.path("signetd.pid")))


if __name__ == "__main__":
    flow.main()
