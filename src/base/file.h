/* base/file.h - reading whole files and lines with bounds, and writing files atomically. */
#ifndef ICL_BASE_FILE_H
#define ICL_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <icl/status.h>

#include "base/text.h"

/* The whole file into `out` (appended). ICL_EIO names the path; longer than `bytes_max`:
 * ICL_EPARSE. */
icl_status icl_file_read(icl_text *out, const char *path, size_t bytes_max);

/* The same of a file of a format of ours, whose limit is large: refuses devices, pipes and what is
 * too large before any byte is read. ICL_EPARSE. */
icl_status icl_file_read_regular(icl_text *out, const char *path, size_t bytes_max);

/* A file that takes shape beside its place: readers of `path` see the old bytes or the new ones,
 * never a part. After a successful open, either icl_file_commit or icl_file_abandon. */
typedef struct icl_file_draft {
    char *path, *temporary; /* NULL when not open */
    int descriptor;
    int failure; /* errno of the first write that failed; later ones do nothing */
} icl_file_draft;
icl_status icl_file_draft_open(icl_file_draft *out, const char *path);
void icl_file_draft_write(icl_file_draft *draft, const void *bytes, size_t length);
/* Syncs the draft, renames it over its path and syncs the folder. ICL_EIO, also for what a write
 * met: the draft is gone and `path` as it was. */
icl_status icl_file_commit(icl_file_draft *draft);
void icl_file_abandon(icl_file_draft *draft); /* nothing happens to one that is not open */

/* A draft of these bytes, committed. */
icl_status icl_file_write_atomic(const char *path, const char *bytes, size_t length);

/* The folder part of `path`, "." when it has none; malloc'd, yours; NULL: memory. */
char *icl_file_folder(const char *path);

/* Creates the folder and its parents; existing is fine. ICL_EIO names the part that failed. */
icl_status icl_folder_create(const char *path);

/* Longest line the readers accept; longer ones are an error that names the line. */
enum { ICL_LINE_BYTES_MAX = 16 << 20 };

/* Next line of `stream` without its "\n" or "\r\n". Memory stays within ICL_LINE_BYTES_MAX: the
 * rest of a longer line is skipped and *out_too_long set. Returns false at the end of the stream.
 */
bool icl_line_read(icl_text *line, FILE *stream, bool *out_too_long);

#endif
