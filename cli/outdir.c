#include "outdir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <icl/sys/program.h>

#include "cli.h"

static char *join(const char *folder, const char *name, const char *suffix)
{
    const size_t room = strlen(folder) + strlen(name) + strlen(suffix) + 2;
    char *path = malloc(room);
    if (path != NULL) snprintf(path, room, "%s/%s%s", folder, name, suffix);
    return path;
}

/* A task's name may hold anything, a folder's may not. */
static char *default_path(const char *name)
{
    char *path = join("icl-out", name, "");
    for (char *at = path != NULL ? path + strlen("icl-out/") : NULL; at != NULL && *at != '\0';
         at++)
        if (*at == '/' || (unsigned char)*at < ' ') *at = '_';
    return path;
}

/* Everything a run and a comparison write. */
static const char *const file_names[] = {
    "journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm", "results.json",
    "samples.jsonl",  "meter.json",         "compare.json",       "compare.md",
    "compare.svg",    "search.json",        "leaderboard.md",     "report.html",
};
enum { FILE_COUNT = sizeof file_names / sizeof file_names[0], JOURNAL_FILES = 3 };

static const char aside[] = "~"; /* suffix of an earlier run's files while a new one prepares */

static void remove_files(const cli_outdir *self, const char *suffix, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *path = join(self->path, file_names[i], suffix);
        if (path != NULL) unlink(path);
        free(path);
    }
}

static void rename_files(const cli_outdir *self, const char *from_suffix, const char *to_suffix)
{
    for (size_t i = 0; i < FILE_COUNT; i++) {
        char *from = join(self->path, file_names[i], from_suffix);
        char *to = join(self->path, file_names[i], to_suffix);
        if (from != NULL && to != NULL) rename(from, to);
        free(from);
        free(to);
    }
}

/* The journal must be closed. */
static void set_aside(cli_outdir *self)
{
    remove_files(self, aside, FILE_COUNT);
    rename_files(self, "", aside);
    self->has_journal = false;
    self->has_aside = true;
}

icl_status outdir_open_engine(cli_outdir *self, cli_setup *setup, const setup_arguments *arguments,
                              bool resume, cli_progress *progress)
{
    icl_status status = setup_open_model(setup, arguments);
    if (status != ICL_OK) return status;
    if (self->has_journal && !resume) {
        status = setup_open(setup, arguments, self->journal, NULL);
        if (status == ICL_EBUSY) return status;
        icl_engine_close(setup->engine);
        setup->engine = NULL;
        set_aside(self);
    }
    return setup_open(setup, arguments, self->journal, progress);
}

void outdir_begin(cli_outdir *self)
{
    if (self->has_aside) remove_files(self, aside, FILE_COUNT);
    self->has_aside = false;
    self->begun = true;
}

static bool create(cli_outdir *self, const cli_verb *verb)
{
    struct stat info;
    self->made_folder = stat(self->path, &info) != 0;
    const icl_status status = icl_program_create_folder(self->path);
    if (status == ICL_OK) return true;
    cli_fail(verb, status, false);
    return false;
}

/* Some file systems know no locks; there the journal's own lock has to do. */
static bool lock(cli_outdir *self, const cli_verb *verb)
{
    self->lock = open(self->path, O_RDONLY | O_CLOEXEC);
    if (self->lock < 0 || flock(self->lock, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return true;
    close(self->lock);
    self->lock = -1;
    cli_complain(verb->name, "\"%s\" is in use by another run; wait for it or choose another --out",
                 self->path);
    return false;
}

/* Permission bits do not tell what a read-only or a full disk will say. */
static bool try_writing(const cli_outdir *self, const cli_verb *verb)
{
    char *path = join(self->path, ".probe-XXXXXX", "");
    const int descriptor = path != NULL ? mkstemp(path) : -1;
    const bool wrote = descriptor >= 0 && write(descriptor, "icl\n", 4) == 4;
    const int failure = errno;
    if (descriptor >= 0) {
        close(descriptor);
        unlink(path);
    }
    free(path);
    if (!wrote)
        cli_complain(verb->name, "cannot write in \"%s\": %s", self->path, strerror(failure));
    return wrote;
}

static bool settle_earlier_run(cli_outdir *self, const cli_verb *verb, bool given, bool resume)
{
    struct stat info;
    self->has_journal = stat(self->journal, &info) == 0;
    if (!self->has_journal || resume || !given) return true;
    cli_complain(verb->name,
                 "\"%s\" holds an earlier run; add --resume to continue it or choose another --out",
                 self->path);
    return false;
}

bool outdir_open(cli_outdir *self, const cli_verb *verb, const char *given, const char *name,
                 bool resume)
{
    *self = (cli_outdir){ .lock = -1 };
    self->path = given != NULL ? strdup(given) : default_path(name);
    self->journal = self->path != NULL ? join(self->path, file_names[0], "") : NULL;
    if (self->journal == NULL) {
        cli_complain(verb->name, "out of memory");
        return false;
    }
    return create(self, verb) && lock(self, verb) && try_writing(self, verb) &&
           settle_earlier_run(self, verb, given != NULL, resume);
}

int outdir_interrupted(const cli_outdir *self, const cli_verb *verb)
{
    if (self->begun || self->has_journal)
        cli_complain(verb->name,
                     "interrupted; finished answers are kept in \"%s\", and the same command with "
                     "--resume goes on from there",
                     self->path);
    else
        cli_complain(verb->name, "interrupted before the model was asked");
    return CLI_CANCELLED;
}

void outdir_close(cli_outdir *self)
{
    const bool ours = self->lock >= 0;
    if (ours && !self->begun && !self->has_journal) {
        remove_files(self, "", JOURNAL_FILES);
        if (self->has_aside) rename_files(self, aside, "");
        if (self->made_folder) rmdir(self->path);
    }
    if (ours) close(self->lock);
    free(self->path);
    free(self->journal);
    *self = (cli_outdir){ .lock = -1 };
}
