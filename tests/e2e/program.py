"""How the end-to-end tests call icl."""
import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
import unittest

SOURCE, BIN = os.environ["ICL_SOURCE"], os.environ["ICL_BIN"]
MODEL = os.path.join(SOURCE, "models", "icl-base.gguf")
WINDOW = 2048 # its tokens of context
CACHE = os.environ.get("ICL_CACHE") or os.path.expanduser("~/.cache/icl")
ENCODER = os.environ.get("ICL_ENCODER") or os.path.join(CACHE, "all-MiniLM-L6-v2.gguf")
SNIPS = os.path.join(SOURCE, "tasks", "snips")
TINY = os.path.join(SOURCE, "tasks", "tiny")
# No sentence encoder, which takes longer to start than these runs take.
FAST = ["--strategy", "select=bm25(k=4) order=nearest-last score=direct calibrate=batch",
        "--no-eta", "--threads", "1"]


class Case(unittest.TestCase):
    """A test in an empty working folder, away from the user's settings and cache."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="icl-e2e-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.environment = dict(os.environ, XDG_CONFIG_HOME=self.path("config"),
                                ICL_CACHE=self.path("cache"), ICL_ENCODER=ENCODER)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, content):
        with open(self.path(name), "wb") as f:
            f.write(content if isinstance(content, bytes) else content.encode())
        return self.path(name)

    def read(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def icl(self, *arguments, **options):
        options.setdefault("stdout", subprocess.PIPE)
        return subprocess.run([BIN, *map(str, arguments)], stderr=subprocess.PIPE, cwd=self.folder,
                              env=self.environment, timeout=200, **options)

    def start(self, *arguments, **options):
        return subprocess.Popen([BIN, *map(str, arguments)], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, cwd=self.folder, env=self.environment,
                                **options)

    def start_and_await(self, journal, *arguments):
        """The process of a command, once its journal grows."""
        process = self.start(*arguments)
        wal, deadline = self.path(journal + "-wal"), time.monotonic() + 60
        while not (os.path.exists(wal) and os.path.getsize(wal) > 40000):
            self.assertIsNone(process.poll(), "the command has ended already")
            self.assertLess(time.monotonic(), deadline, "the command did not begin")
            time.sleep(0.005)
        return process

    def interrupt_at_work(self, journal, *arguments):
        """Standard error of a command that gets Ctrl-C once its journal grows. It answers within
        1.5 s and keeps what was answered."""
        process = self.start_and_await(journal, *arguments)
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=30)
        self.assertLess(time.monotonic() - begun, 1.5)
        self.assertEqual((process.returncode, stdout), (130, b""))
        with contextlib.closing(sqlite3.connect(self.path(journal))) as kept:
            self.assertGreater(kept.execute("SELECT count(*) FROM answer").fetchone()[0], 0)
        return stderr

    def succeeds(self, *arguments, **options):
        done = self.icl(*arguments, **options)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        self.assertEqual(done.stderr, b"")
        return done.stdout

    def one_sentence(self, stderr, verb, *parts):
        """Standard error is one line that begins with the command and holds every part."""
        text = stderr.decode()
        self.assertEqual(text.count("\n"), 1, text)
        self.assertTrue(text.startswith(f"icl {verb}: "), text)
        self.assertGreater(len(text), len(f"icl {verb}: ") + 10, text)
        for part in parts:
            self.assertIn(part, text)

    def refused(self, arguments, *parts, code=2, **options):
        """The command ends with `code`, prints nothing and says why in one sentence."""
        done = self.icl(*arguments, **options)
        self.assertEqual(done.returncode, code, done.stderr.decode())
        self.assertIn(done.stdout, (None, b""))
        self.one_sentence(done.stderr, arguments[0], *parts)
