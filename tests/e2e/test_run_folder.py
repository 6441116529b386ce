#!/usr/bin/env python3
"""Nothing breaks, nothing is lost: full disks, folders that cannot be written, second writers,
Ctrl-C. Each gives one clear sentence, corrupts nothing, and --resume ends in the same bytes."""
import contextlib
import fcntl
import os
import resource
import signal
import sqlite3
import subprocess
import time
import unittest

from program import Case, FAST

FILES = ("results.json", "samples.jsonl", "report.html")
WORK = ["run", "snips", *FAST, "--limit", "25", "--call-tokens", "32"]
QUICK = ["run", "tiny", *FAST, "--quiet"]


class Folder(Case):
    def files(self, folder):
        return [self.read(f"{folder}/{name}") for name in FILES]

    def answers(self, folder):
        """Finished answers in the journal of a run that has ended."""
        path = self.path(f"{folder}/journal.sqlite")
        with contextlib.closing(sqlite3.connect(path)) as journal:
            return journal.execute("SELECT count(*) FROM answer").fetchone()[0]

    def begin(self, *more):
        """A run that has begun to fill its journal."""
        process = self.start(*WORK, "--quiet", *more)
        folder = self.path(more[more.index("--out") + 1] if "--out" in more else "icl-out/snips")
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            wal = os.path.join(folder, "journal.sqlite-wal")
            if os.path.exists(wal) and os.path.getsize(wal) > 40000:
                return process
            time.sleep(0.005)
        self.fail(f"the run did not begin: {process.communicate()}")


class Full(Folder):
    def test_standard_output_on_a_full_disk(self):
        for arguments in ([*QUICK[:-1]], [*QUICK, "--json"], ["plan", "tiny", *FAST],
                          ["plan", "tiny", *FAST, "--requests", "-"], ["methods"], ["tasks"],
                          ["help"]):
            with open("/dev/full", "wb") as full:
                self.refused(arguments, "No space left", code=3, stdout=full)
        with open("/dev/full", "wb") as full:
            self.refused(["score"], "No space left", code=3, stdout=full,
                         input=b'{"id": 1, "prefix": "a", "continuation": " b"}\n')

    def test_requests_on_a_full_disk(self):
        self.refused(["plan", "tiny", *FAST, "--requests", "/dev/full"], "/dev/full",
                     "No space left", code=3)

    def test_a_file_that_may_not_grow(self):
        """The journal stays sound, and the run goes on once there is room."""
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (120 << 10, 120 << 10))
        self.refused([*WORK, "--out", "out"], "out/journal.sqlite", code=3, preexec_fn=limit)
        self.assertFalse(os.path.exists(self.path("out/results.json")))
        before = self.answers("out")
        self.assertGreater(before, 0)
        self.succeeds(*WORK, "--quiet", "--out", "out", "--resume")
        self.succeeds(*WORK, "--quiet", "--out", "whole")
        self.assertEqual(self.files("out"), self.files("whole"))
        self.assertIn(f'"requests_cached": {before},'.encode(), self.read("out/meter.json"))

    def test_a_disk_that_fills_up(self):
        disk = self.path("disk")
        os.mkdir(disk)
        mounted = os.geteuid() == 0 and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=96k", "icl-test", disk],
            stderr=subprocess.DEVNULL).returncode == 0
        if not mounted:
            self.skipTest("no right to mount a small disk")
        try:
            self.refused([*WORK, "--out", "disk/out"], "disk/out", code=3)
            self.assertFalse(os.path.exists(self.path("disk/out/results.json")))
            self.succeeds(*WORK, "--quiet", "--out", "whole")
            subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
            self.succeeds(*WORK, "--quiet", "--out", "disk/out", "--resume")
            self.assertEqual(self.files("disk/out"), self.files("whole"))
        finally:
            subprocess.run(["umount", disk], check=True)


class Unwritable(Folder):
    def test_a_file_stands_where_the_folder_should(self):
        self.write("out", "mine")
        self.refused([*QUICK, "--out", "out"], "out", "Not a directory")
        self.refused([*QUICK, "--out", "out/deeper"], "out", "Not a directory")
        self.assertEqual(self.read("out"), b"mine")

    def test_a_folder_that_takes_no_files(self):
        for folder in ("/proc", "/proc/new"):
            self.refused([*QUICK, "--out", folder], "/proc")

    def test_a_read_only_folder(self):
        os.mkdir(self.path("locked"), 0o555)
        if os.access(self.path("locked"), os.W_OK):
            self.skipTest("root may write anywhere")
        self.refused([*QUICK, "--out", "locked"], "locked", "Permission denied")

    def test_a_journal_that_is_none(self):
        os.mkdir(self.path("out"))
        self.write("out/journal.sqlite", "this is no database at all " * 100)
        self.refused([*QUICK, "--out", "out", "--resume"], "journal.sqlite")
        self.assertIn(b"no database", self.read("out/journal.sqlite"))

    def test_requests_into_a_missing_folder(self):
        self.refused(["plan", "tiny", *FAST, "--requests", "none/r.jsonl"], "none/r.jsonl", code=3)


class SecondWriter(Folder):
    def test_is_refused_and_the_first_one_ends_well(self):
        first = self.begin("--out", "out")
        self.refused([*WORK, "--out", "out", "--resume"], '"out"', "another run")
        self.refused([*WORK, "--out", "out"], '"out"')
        self.assertEqual(first.wait(timeout=120), 0, first.communicate())
        first.communicate()
        self.succeeds(*WORK, "--quiet", "--out", "whole")
        self.assertEqual(self.files("out"), self.files("whole"))

    def test_is_refused_in_the_default_folder_too(self):
        first = self.begin()
        self.refused(WORK, "icl-out/snips", "another run")
        self.assertEqual(first.wait(timeout=120), 0)
        first.communicate()
        self.assertEqual(len(self.files("icl-out/snips")), len(FILES))

    def test_a_journal_held_by_another_program_is_not_removed(self):
        self.succeeds(*QUICK)
        path = self.path("icl-out/tiny/journal.sqlite")
        holder = sqlite3.connect(path)
        holder.execute("PRAGMA locking_mode=EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        self.refused(QUICK, "journal.sqlite", "in use")
        holder.rollback()
        self.assertEqual(holder.execute("SELECT count(*) FROM answer").fetchone()[0], 40)
        holder.close()

    def test_the_lock_goes_with_its_holder(self):
        os.mkdir(self.path("out"))
        held = os.open(self.path("out"), os.O_RDONLY)
        fcntl.flock(held, fcntl.LOCK_EX)
        self.refused([*QUICK, "--out", "out"], "another run")
        self.assertEqual(os.listdir(self.path("out")), [])
        os.close(held)
        self.succeeds(*QUICK, "--out", "out")


class Interrupted(Folder):
    def interrupt(self, number, *more):
        process = self.begin(*more)
        start = time.monotonic()
        process.send_signal(number)
        _, stderr = process.communicate(timeout=30)
        self.assertLess(time.monotonic() - start, 1.5)
        self.assertEqual(process.returncode, 130)
        self.one_sentence(stderr, "run", "--resume")

    def test_ctrl_c_ends_within_a_second_and_resumes_to_the_same_bytes(self):
        self.interrupt(signal.SIGINT, "--out", "out")
        self.assertFalse(os.path.exists(self.path("out/results.json")))
        before = self.answers("out")
        self.assertGreater(before, 0)
        self.succeeds(*WORK, "--quiet", "--out", "out", "--resume")
        self.succeeds(*WORK, "--quiet", "--out", "whole")
        self.assertEqual(self.files("out"), self.files("whole"))
        self.assertIn(f'"requests_cached": {before},'.encode(), self.read("out/meter.json"))

    def test_ctrl_c_while_a_method_asks_to_choose_demonstrations(self):
        asking = ["--limit", "2", "--strategy", "select=mutual-information(k=2, sets=9, inputs=20)"]
        self.interrupt(signal.SIGINT, *asking, "--out", "out")
        before = self.answers("out")
        self.assertGreater(before, 0)
        self.succeeds(*WORK, *asking, "--quiet", "--out", "out", "--resume")
        self.succeeds(*WORK, *asking, "--quiet", "--out", "whole")
        self.assertEqual(self.files("out"), self.files("whole"))
        self.assertIn(f'"requests_cached": {before},'.encode(), self.read("out/meter.json"))

    def test_termination_too(self):
        self.interrupt(signal.SIGTERM, "--out", "out")

    def test_score_can_be_stopped_while_it_waits(self):
        process = self.start("score", "--threads", "1", "--batch-lines", "1",
                             stdin=subprocess.PIPE)
        process.stdin.write(b'{"id": 1, "prefix": "a", "continuation": " b"}\n')
        process.stdin.flush()
        self.assertTrue(process.stdout.readline())
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=30), 130)
        self.assertLess(time.monotonic() - start, 1.5)
        process.communicate()


if __name__ == "__main__":
    unittest.main()
