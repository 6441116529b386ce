/* engine/journal.h - finished answers on disk, by content.
 *
 * One SQLite file in WAL mode, one table: key = 128-bit hash of everything that determines an
 * answer (model file, build and precision, prefix tokens, question), value = the answer's bytes.
 * The opener holds the file exclusively; a second one is refused.
 */
#ifndef ICL_ENGINE_JOURNAL_H
#define ICL_ENGINE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

#include <icl/status.h>

#include "base/hash.h"

typedef struct icl_journal icl_journal;

/* ICL_EBUSY: another process holds it; ICL_EIO: unreadable, not a journal, or not writable. */
icl_status icl_journal_open(icl_journal **out, const char *path);
void icl_journal_close(icl_journal *journal);

/* *out_found, and when found the value in `bytes`, whose size must match exactly. */
icl_status icl_journal_get(icl_journal *journal, icl_hash128 key, void *bytes, size_t size,
                           bool *out_found);

/* Values put between begin and commit outlive the process together from the commit on. */
icl_status icl_journal_begin(icl_journal *journal);
icl_status icl_journal_put(icl_journal *journal, icl_hash128 key, const void *bytes, size_t size);
icl_status icl_journal_commit(icl_journal *journal);

/* Waits until all commits are on the disk itself. */
icl_status icl_journal_sync(icl_journal *journal);

#endif
