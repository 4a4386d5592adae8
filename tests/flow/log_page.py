#!/usr/bin/python3
"""
Goal: the report is a page that a browser shows as it is meant: for an empty
time, for a day of work with failures and Vietnamese names, in Vietnamese, on
the screen and on paper. With SIGNET_LONG=1 a headless Chromium draws it; the
pictures stay in <build>/report/ for who wants to look at them.
"""
import html.parser
import os
import shutil
import subprocess
import unittest

import flow

PLACE = os.path.join(flow.BUILD, "report")


class Balance(html.parser.HTMLParser):
    """Every element that is opened is closed, in order."""
    VOID = {"meta", "br", "rect", "line"}

    def __init__(self):
        super().__init__()
        self.open, self.wrong = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


class Page(flow.SandboxTest):
    @classmethod
    def prepare(cls, box):
        box.replace_config("[key ec]\n", "[key ec]\nholder = Nguyễn Thị Bích Hằng\norganisation = UBND xã <Đại Lộc> & Co\n")
        box.append_config("[rule nobody]\nuser = nobody\nverbs = list\nkeys = ec\n")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        os.makedirs(PLACE, exist_ok=True)
        for n in range(12):
            cls.box.sign(document={"title": f"Quyết định số {n}"}, requestId=f"page-{n}")
        cls.box.sign("rsa")
        flow.as_nobody("""
with varlink.Connection(sys.argv[1], 20) as c:
    for _ in range(3):
        try:
            c.call("org.signetd.Signer.Sign", {"key": "ec", "digest": "sha256:" + 64 * "0"})
        except varlink.VarlinkError as e:
            assert e.short == "NotPermitted", e
""", cls.box.socket)
        size = len(cls.box.entries())
        flow.until(lambda: cls.box.call("org.signetd.Log.Head")["size"] >= size, what="a checkpoint of all entries")

    def page(self, name, *words, language="C.UTF-8"):
        path = os.path.join(PLACE, name + ".html")
        env = dict(os.environ, LC_ALL="C.UTF-8", LANGUAGE=language)
        done = subprocess.run([flow.CTL, "--socket", self.box.socket, "log", "report", "--force", "--out", path, *words],
                              env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(path, encoding="utf-8") as f:
            return path, f.read()

    def test_page_is_whole_for_an_empty_time_and_for_a_day_of_work(self):
        for name, words in (("day", ()), ("empty", ("--from", "2001-01-01", "--until", "2001-01-02"))):
            with self.subTest(name):
                _, text = self.page(name, *words)
                balance = Balance()
                balance.feed(text)
                self.assertEqual((balance.open, balance.wrong), ([], []))
                self.assertIn("Verified", text)
        _, text = self.page("day")
        self.assertIn("UBND xã &lt;Đại Lộc&gt; &amp; Co", text)
        self.assertIn("nobody", text)  # who was refused
        self.assertIn("NotPermitted", text)
        self.assertNotIn("Quyết định", text)  # texts behind hashes are not for this page

    @unittest.skipUnless(flow.LONG, "draws only in long runs")
    def test_browser_draws_it(self):
        browser = shutil.which("chromium")
        self.assertIsNotNone(browser, "chromium is not installed")
        for name, words in (("day", ()), ("empty", ("--from", "2001-01-01", "--until", "2001-01-02"))):
            path, _ = self.page(name, *words)
            picture, paper = os.path.join(PLACE, name + ".png"), os.path.join(PLACE, name + ".pdf")
            profile = self.box.path("chromium")
            common = [browser, "--headless", "--disable-gpu", "--hide-scrollbars", "--no-first-run", f"--user-data-dir={profile}"]
            if os.geteuid() == 0:
                common.append("--no-sandbox")  # Chromium refuses to confine itself as root; the page has no script
            flow.run(*common, "--window-size=1100,2300", f"--screenshot={picture}", "file://" + path, timeout=120)
            flow.run(*common, f"--print-to-pdf={paper}", "--no-pdf-header-footer", "file://" + path, timeout=120)
            with open(picture, "rb") as f:
                self.assertEqual(f.read(8), b"\x89PNG\r\n\x1a\n")
            with open(paper, "rb") as f:
                self.assertEqual(f.read(5), b"%PDF-")
            print(f"drawn: {picture}, {paper}")


if __name__ == "__main__":
    flow.main()
