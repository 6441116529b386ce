/* data/jsonl.h - JSON lines, one at a time, from a stream; a bad line does not end the reading.
 *
 *   icl_jsonl reader = { .stream = stdin, .name = "stdin" };
 *   json_t *row = NULL;
 *   icl_status status;
 *   while ((status = icl_jsonl_next(&reader, &row)) != ICL_EIO && (status != ICL_OK || row !=
 * NULL)) { if (status != ICL_OK) report(reader.line, icl_error_message()); else use(row);
 *       json_decref(row);
 *   }
 *   icl_jsonl_deinit(&reader);
 */
#ifndef ICL_DATA_JSONL_H
#define ICL_DATA_JSONL_H

#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

#include <icl/status.h>

#include "base/text.h"

/* Set `stream` and `name`, zero the rest. */
typedef struct icl_jsonl {
    FILE *stream;     /* borrowed */
    const char *name; /* borrowed; how messages call the file */
    size_t line;      /* number of the line last read, from 1 */
    icl_text bytes;   /* that line; at most ICL_LINE_BYTES_MAX long */
} icl_jsonl;

/* The object on the next line that is not blank, yours to json_decref; NULL at the end of the
 * stream. ICL_EPARSE: the line is too long, not UTF-8, holds NUL, is not JSON or not an object; the
 * next call goes on with the next line. ICL_EIO: the stream cannot be read. *out_row is NULL on
 * failure. */
icl_status icl_jsonl_next(icl_jsonl *reader, json_t **out_row);
void icl_jsonl_deinit(icl_jsonl *reader);

#endif
