/* base/inflate.h - reading whole files that may be compressed. */
#ifndef ICL_BASE_INFLATE_H
#define ICL_BASE_INFLATE_H

#include <stddef.h>

#include <icl/status.h>

#include "base/text.h"

/* As icl_file_read; gzip and zstd are recognised by their first bytes and opened, also when several
 * were written one after the other. `bytes_max` bounds the opened text. ICL_EPARSE: the compressed
 * data is cut off or damaged. */
icl_status icl_file_read_inflated(icl_text *out, const char *path, size_t bytes_max);

#endif
