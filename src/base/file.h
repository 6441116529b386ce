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

/* Writes a sibling temporary file, syncs it, renames it over `path` and syncs the folder:
 * readers see the old bytes or the new ones, never a part. */
icl_status icl_file_write_atomic(const char *path, const char *bytes, size_t length);

/* Creates the folder and its parents; existing is fine. ICL_EIO names the part that failed. */
icl_status icl_folder_create(const char *path);

/* Longest line the readers accept; longer ones are an error that names the line. */
enum { ICL_LINE_BYTES_MAX = 16 << 20 };

/* Next line of `stream` without its "\n" or "\r\n". Memory stays within ICL_LINE_BYTES_MAX: the
 * rest of a longer line is skipped and *out_too_long set. Returns false at the end of the stream.
 */
bool icl_line_read(icl_text *line, FILE *stream, bool *out_too_long);

#endif
