#!/usr/bin/python3
"""
Start a daemon that outlives this program, and stop exactly that one again.

    daemon.py start PIDFILE LOGFILE PROGRAM ARGUMENTS...
    daemon.py stop PIDFILE

`start` returns when the daemon has sent READY=1 [sd_notify(3)] or has ended,
whichever comes first: it waits for events, never for a span of time, and a
daemon that does neither within START_SECONDS is killed. `stop` holds a pidfd
before it compares the start time of the process, so that a process that took
over the number is never signalled.
"""
import os
import select
import signal
import socket
import subprocess
import sys

START_SECONDS = 60
STOP_SECONDS = 60


def start_time(pid):
    """Clock ticks after boot at which the process began [proc(5), stat field 22]."""
    with open(f"/proc/{pid}/stat", "rb") as f:
        return int(f.read().rpartition(b")")[2].split()[19])


def read_pidfile(path):
    with open(path, encoding="ascii") as f:
        pid, began = f.read().split()
    return int(pid), int(began)


def open_daemon(path):
    """(pid, pidfd) of the daemon that PIDFILE names, or None if it is gone."""
    try:
        pid, began = read_pidfile(path)
        fd = os.pidfd_open(pid)
    except (FileNotFoundError, ProcessLookupError):
        return None
    try:
        if start_time(pid) == began and not exited(fd, 0):
            return pid, fd
    except FileNotFoundError:
        pass
    os.close(fd)
    return None


def exited(pidfd, seconds):
    p = select.poll()
    p.register(pidfd, select.POLLIN)
    return bool(p.poll(seconds * 1000))


def wait_ready(notify, pidfd):
    """None once READY=1 came, else one sentence."""
    p = select.poll()
    p.register(notify, select.POLLIN)
    p.register(pidfd, select.POLLIN)
    while True:
        events = dict(p.poll(START_SECONDS * 1000))
        if notify.fileno() in events:
            if b"READY=1" in notify.recv(4096).split(b"\n"):
                return None
        elif pidfd in events:
            return "it ended before it was ready"
        else:
            return f"it was not ready after {START_SECONDS} s"


def start(pidfile, log, command):
    if open_daemon(pidfile):
        sys.exit(f"{pidfile}: this daemon is already running")
    notify_path = pidfile + ".notify"
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    if os.path.exists(notify_path):
        os.unlink(notify_path)
    notify.bind(notify_path)
    try:
        with open(log, "ab") as out:
            daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                      start_new_session=True, cwd="/",
                                      env=dict(os.environ, NOTIFY_SOCKET=notify_path))
        pidfd = os.pidfd_open(daemon.pid)
        began = start_time(daemon.pid)
        why = wait_ready(notify, pidfd)
        if why:
            daemon.kill()
            daemon.wait()
            with open(log, "rb") as f:
                sys.stderr.write("".join(l.decode(errors="replace") for l in f.readlines()[-20:]))
            sys.exit(f"{command[0]}: {why}; its messages: {log}")
    finally:
        os.unlink(notify_path)
    with open(pidfile, "w", encoding="ascii") as f:
        f.write(f"{daemon.pid} {began}\n")
    daemon.returncode = 0  # it outlives us on purpose
    return daemon.pid


def stop(pidfile):
    running = open_daemon(pidfile)
    if running:
        pid, fd = running
        signal.pidfd_send_signal(fd, signal.SIGTERM)
        if not exited(fd, STOP_SECONDS):
            signal.pidfd_send_signal(fd, signal.SIGKILL)
            exited(fd, STOP_SECONDS)
            sys.exit(f"process {pid} did not end within {STOP_SECONDS} s of SIGTERM and was killed")
        os.close(fd)
    if os.path.exists(pidfile):
        os.unlink(pidfile)
    return running is not None


if __name__ == "__main__":
    if len(sys.argv) >= 5 and sys.argv[1] == "start":
        start(sys.argv[2], sys.argv[3], sys.argv[4:])
    elif len(sys.argv) == 3 and sys.argv[1] == "stop":
        if not stop(sys.argv[2]):
            sys.exit("it is not running")
    else:
        sys.exit(__doc__)
