"""How the end-to-end tests call icl."""
import os
import shutil
import subprocess
import tempfile
import unittest

SOURCE, BIN = os.environ["ICL_SOURCE"], os.environ["ICL_BIN"]
MODEL = os.path.join(SOURCE, "models", "icl-base.gguf")
WINDOW = 2048 # its tokens of context
SNIPS = os.path.join(SOURCE, "tasks", "snips")
TINY = os.path.join(SOURCE, "tasks", "tiny")
# No sentence encoder, which takes longer to start than these runs take.
FAST = ["--strategy", "select=bm25(k=4) order=nearest-last score=direct calibrate=batch",
        "--no-eta", "--threads", "1"]


class Case(unittest.TestCase):
    """A test in an empty working folder, away from the user's settings."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="icl-e2e-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.environment = dict(os.environ, XDG_CONFIG_HOME=os.path.join(self.folder, "config"))

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
