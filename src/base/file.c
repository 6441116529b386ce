#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

static icl_status too_large(const char *path, size_t bytes_max)
{
    return icl_error_set(ICL_EPARSE, "\"%s\" is larger than %zu bytes", path, bytes_max);
}

icl_status icl_file_read(icl_text *out, const char *path, size_t bytes_max)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return icl_error_set(ICL_EIO, "cannot open \"%s\": %s", path, strerror(errno));
    char chunk[1 << 14];
    size_t got, total = 0;
    while ((got = fread(chunk, 1, sizeof chunk, file)) > 0 && total <= bytes_max) {
        icl_text_append(out, chunk, got);
        total += got;
    }
    const int read_error = ferror(file) ? errno : 0;
    fclose(file);
    if (read_error != 0)
        return icl_error_set(ICL_EIO, "cannot read \"%s\": %s", path, strerror(read_error));
    if (total > bytes_max) return too_large(path, bytes_max);
    return icl_text_status(out);
}

icl_status icl_file_read_regular(icl_text *out, const char *path, size_t bytes_max)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return icl_error_set(ICL_EIO, "cannot open \"%s\": %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return icl_error_set(ICL_EPARSE, "\"%s\" is not a regular file", path);
    if ((uintmax_t)info.st_size > bytes_max) return too_large(path, bytes_max);
    return icl_file_read(out, path, bytes_max);
}

char *icl_file_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL) return icl_string_copy(".", 1);
    return icl_string_copy(path, slash == path ? 1 : (size_t)(slash - path));
}

static int write_all(int descriptor, const char *bytes, size_t length)
{
    while (length > 0) {
        const ssize_t wrote = write(descriptor, bytes, length);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) return errno;
        bytes += wrote;
        length -= (size_t)wrote;
    }
    return 0;
}

static void sync_folder_of(const char *path)
{
    char *folder = icl_file_folder(path);
    const int directory = folder == NULL ? -1 : open(folder, O_RDONLY);
    if (directory >= 0) {
        fsync(directory); /* some file systems refuse to sync folders; the rename stands */
        close(directory);
    }
    free(folder);
}

static icl_status cannot_write(const char *path, int failure)
{
    return icl_error_set(ICL_EIO, "cannot write \"%s\": %s", path, strerror(failure));
}

static void forget(icl_file_draft *draft)
{
    free(draft->path);
    free(draft->temporary);
    *draft = (icl_file_draft){ 0 };
}

icl_status icl_file_draft_open(icl_file_draft *out, const char *path)
{
    icl_file_draft draft = { .path = icl_string_copy(path, strlen(path)) };
    icl_text temporary = { 0 };
    icl_text_printf(&temporary, "%s.tmp-XXXXXX", path);
    draft.temporary = icl_text_take(&temporary, NULL);
    icl_status status = ICL_OK;
    if (draft.path == NULL || draft.temporary == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory while writing \"%s\"", path);
    else if ((draft.descriptor = mkstemp(draft.temporary)) < 0)
        status = cannot_write(path, errno);
    if (status == ICL_OK)
        *out = draft;
    else
        forget(&draft);
    return status;
}

void icl_file_draft_write(icl_file_draft *draft, const void *bytes, size_t length)
{
    if (draft->failure == 0) draft->failure = write_all(draft->descriptor, bytes, length);
}

icl_status icl_file_commit(icl_file_draft *draft)
{
    int failure = draft->failure;
    if (failure == 0 && fchmod(draft->descriptor, 0644) != 0) failure = errno;
    if (failure == 0 && fsync(draft->descriptor) != 0) failure = errno;
    if (close(draft->descriptor) != 0 && failure == 0) failure = errno;
    if (failure == 0 && rename(draft->temporary, draft->path) != 0) failure = errno;
    icl_status status = ICL_OK;
    if (failure == 0) {
        sync_folder_of(draft->path);
    } else {
        unlink(draft->temporary);
        status = cannot_write(draft->path, failure);
    }
    forget(draft);
    return status;
}

void icl_file_abandon(icl_file_draft *draft)
{
    if (draft->path == NULL) return;
    close(draft->descriptor);
    unlink(draft->temporary);
    forget(draft);
}

icl_status icl_file_write_atomic(const char *path, const char *bytes, size_t length)
{
    icl_file_draft draft = { 0 };
    ICL_TRY(icl_file_draft_open(&draft, path));
    icl_file_draft_write(&draft, bytes, length);
    return icl_file_commit(&draft);
}

icl_status icl_folder_create(const char *path)
{
    char *part = icl_string_copy(path, strlen(path));
    if (part == NULL) return icl_error_set(ICL_ENOMEM, "out of memory");
    icl_status status = ICL_OK;
    for (char *at = part + (part[0] == '/');; at++) {
        if (*at != '/' && *at != '\0') continue;
        const char kept = *at;
        *at = '\0';
        struct stat info;
        if (part[0] != '\0' && mkdir(part, 0777) != 0 &&
            !(errno == EEXIST && stat(part, &info) == 0 && S_ISDIR(info.st_mode))) {
            status = icl_error_set(ICL_EIO, "cannot create folder \"%s\": %s", part,
                                   strerror(errno == EEXIST ? ENOTDIR : errno));
            break;
        }
        *at = kept;
        if (kept == '\0') break;
    }
    free(part);
    return status;
}

bool icl_line_read(icl_text *line, FILE *stream, bool *out_too_long)
{
    icl_text_clear(line);
    *out_too_long = false;
    bool any = false;
    char chunk[4096];
    int byte;
    size_t used = 0;
    while ((byte = getc_unlocked(stream)) != EOF) {
        any = true;
        if (byte == '\n') break;
        if (line->length + used >= ICL_LINE_BYTES_MAX) {
            *out_too_long = true;
            continue;
        }
        chunk[used++] = (char)byte;
        if (used == sizeof chunk) {
            icl_text_append(line, chunk, used);
            used = 0;
        }
    }
    icl_text_append(line, chunk, used);
    if (line->length > 0 && line->bytes[line->length - 1] == '\r')
        line->bytes[--line->length] = '\0';
    return any;
}
