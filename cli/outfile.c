#include "outfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

static bool complain(const cli_verb *verb, const char *path, int failure)
{
    cli_complain(verb->name, "cannot write \"%s\": %s", path, strerror(failure));
    return false;
}

/* A device or a pipe is written to directly: renaming would replace it. */
static bool is_replaceable(const char *path)
{
    struct stat info;
    return stat(path, &info) != 0 || S_ISREG(info.st_mode);
}

bool outfile_open(cli_outfile *self, const cli_verb *verb, const char *path)
{
    *self = (cli_outfile){ .stream = stdout, .path = path };
    if (strcmp(path, "-") == 0) return true;
    if (!is_replaceable(path)) {
        self->stream = fopen(path, "w");
        return self->stream != NULL || complain(verb, path, errno);
    }
    const size_t room = strlen(path) + sizeof ".tmp-XXXXXX";
    self->temporary = malloc(room);
    if (self->temporary == NULL) return complain(verb, path, ENOMEM);
    snprintf(self->temporary, room, "%s.tmp-XXXXXX", path);
    const int descriptor = mkstemp(self->temporary);
    self->stream = descriptor >= 0 ? fdopen(descriptor, "w") : NULL;
    if (self->stream != NULL) return fchmod(descriptor, 0644) == 0 || complain(verb, path, errno);
    const int failure = errno;
    free(self->temporary);
    self->temporary = NULL;
    return complain(verb, path, failure);
}

bool outfile_close(cli_outfile *self, const cli_verb *verb, bool complete)
{
    if (self->stream == NULL) return true;
    bool done = complete && fflush(self->stream) == 0;
    int failure = errno;
    if (done && self->temporary != NULL && fsync(fileno(self->stream)) != 0) {
        failure = errno;
        done = false;
    }
    if (self->stream != stdout) fclose(self->stream);
    self->stream = NULL;
    if (self->temporary != NULL) {
        if (done && rename(self->temporary, self->path) != 0) {
            failure = errno;
            done = false;
        }
        if (!done) unlink(self->temporary);
    }
    free(self->temporary);
    self->temporary = NULL;
    return done || !complete || complain(verb, self->path, failure);
}

bool outfile_check(const cli_verb *verb, const char *path)
{
    struct stat info;
    cli_outfile probe = { .stream = NULL };
    if (strcmp(path, "-") == 0) return true;
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) return complain(verb, path, EISDIR);
    if (!is_replaceable(path)) return true;
    return outfile_open(&probe, verb, path) && outfile_close(&probe, verb, false);
}
