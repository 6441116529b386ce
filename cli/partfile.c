#include "partfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

static bool complain(const cli_partfile *self, const cli_verb *verb, const char *what)
{
    cli_complain(verb->name, "cannot %s \"%s\": %s", what, self->path, strerror(errno));
    return false;
}

bool partfile_name(cli_partfile *self, const cli_verb *verb, const char *final_path,
                   bool *out_exists)
{
    struct stat info;
    const size_t room = strlen(final_path) + sizeof ".part";
    *self = (cli_partfile){ .path = malloc(room) };
    if (self->path == NULL) {
        cli_complain(verb->name, "out of memory for the name of \"%s\"", final_path);
        return false;
    }
    snprintf(self->path, room, "%s.part", final_path);
    *out_exists = stat(self->path, &info) == 0;
    return true;
}

/* Reads the first line; whether it holds these settings. */
static bool has_settings(FILE *file, const char *settings)
{
    char line[128];
    if (fgets(line, sizeof line, file) == NULL) return false;
    return strcspn(line, "\n") == strlen(settings) &&
           strncmp(line, settings, strlen(settings)) == 0 && strchr(line, '\n') != NULL;
}

/* Counts the lines from here on; the place behind the last one's end. */
static long count_lines(FILE *file, size_t *out_count)
{
    long at = ftell(file), end = at;
    *out_count = 0;
    for (int byte = getc(file); byte != EOF; byte = getc(file)) {
        at++;
        if (byte != '\n') continue;
        end = at;
        ++*out_count;
    }
    return end;
}

/* self->done stands behind its first line. */
static bool go_on(cli_partfile *self, const cli_verb *verb)
{
    const long begin = ftell(self->done), end = count_lines(self->done, &self->done_count);
    if (ferror(self->done) || fseek(self->done, begin, SEEK_SET) != 0)
        return complain(self, verb, "read");
    self->out = fopen(self->path, "a");
    if (self->out == NULL || ftruncate(fileno(self->out), end) != 0)
        return complain(self, verb, "write");
    return true;
}

static bool begin(cli_partfile *self, const cli_verb *verb, const char *settings)
{
    if (self->done != NULL) fclose(self->done);
    self->done = NULL;
    self->out = fopen(self->path, "w");
    if (self->out == NULL || fprintf(self->out, "%s\n", settings) < 0 || fflush(self->out) != 0)
        return complain(self, verb, "write");
    return true;
}

bool partfile_open(cli_partfile *self, const cli_verb *verb, const char *settings, bool *out_anew)
{
    *out_anew = false;
    self->done = fopen(self->path, "r");
    if (self->done != NULL && has_settings(self->done, settings)) return go_on(self, verb);
    *out_anew = self->done != NULL;
    return begin(self, verb, settings);
}

bool partfile_copy(cli_partfile *self, const cli_verb *verb, FILE *to)
{
    char bytes[1 << 16];
    size_t count;
    FILE *from = fopen(self->path, "r");
    if (from == NULL) return complain(self, verb, "read");
    for (int byte = getc(from); byte != '\n' && byte != EOF;) byte = getc(from);
    while ((count = fread(bytes, 1, sizeof bytes, from)) > 0)
        if (fwrite(bytes, 1, count, to) != count) break;
    const bool read_all = !ferror(from);
    fclose(from);
    if (!read_all) return complain(self, verb, "read");
    if (!ferror(to)) return true;
    cli_complain(verb->name, "cannot write labels: %s", strerror(errno));
    return false;
}

void partfile_close(cli_partfile *self, bool keep)
{
    if (self->out != NULL) fclose(self->out);
    if (self->done != NULL) fclose(self->done);
    if (self->out != NULL && !keep) unlink(self->path);
    free(self->path);
    *self = (cli_partfile){ .path = NULL };
}
