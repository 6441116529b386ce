#include "engine/journal.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

struct icl_journal {
    sqlite3 *database;
    sqlite3_stmt *get, *put;
    char *path;
};

static icl_status failure(const icl_journal *journal, int code)
{
    if ((code & 0xFF) == SQLITE_BUSY || (code & 0xFF) == SQLITE_LOCKED)
        return icl_error_set(ICL_EBUSY, "journal \"%s\" is in use by another run", journal->path);
    return icl_error_set(ICL_EIO, "journal \"%s\": %s", journal->path,
                         sqlite3_errmsg(journal->database));
}

static icl_status execute(icl_journal *journal, const char *sql)
{
    const int code = sqlite3_exec(journal->database, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? ICL_OK : failure(journal, code);
}

static icl_status prepare(icl_journal *journal, sqlite3_stmt **out, const char *sql)
{
    const int code = sqlite3_prepare_v2(journal->database, sql, -1, out, NULL);
    return code == SQLITE_OK ? ICL_OK : failure(journal, code);
}

static icl_status set_up(icl_journal *journal)
{
    /* Exclusive mode takes the lock at the first write and keeps it until the journal is closed. */
    ICL_TRY(execute(journal, "PRAGMA locking_mode=EXCLUSIVE"));
    ICL_TRY(execute(journal, "PRAGMA journal_mode=WAL"));
    /* Commits survive the death of the process at once, and of the machine from icl_journal_sync
     * on. */
    ICL_TRY(execute(journal, "PRAGMA synchronous=NORMAL"));
    ICL_TRY(execute(journal, "BEGIN IMMEDIATE"));
    ICL_TRY(execute(journal, "CREATE TABLE IF NOT EXISTS answer("
                             "key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"));
    ICL_TRY(execute(journal, "COMMIT"));
    ICL_TRY(prepare(journal, &journal->get, "SELECT value FROM answer WHERE key=?1"));
    return prepare(journal, &journal->put, "INSERT OR REPLACE INTO answer VALUES(?1,?2)");
}

icl_status icl_journal_open(icl_journal **out, const char *path)
{
    icl_journal *journal = calloc(1, sizeof *journal);
    if (journal == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a journal");
    journal->path = strdup(path);
    if (journal->path == NULL) {
        free(journal);
        return icl_error_set(ICL_ENOMEM, "out of memory for a journal");
    }
    const int code = sqlite3_open(path, &journal->database);
    const icl_status status = code == SQLITE_OK ? set_up(journal) : failure(journal, code);
    if (status != ICL_OK) {
        icl_journal_close(journal);
        return status;
    }
    *out = journal;
    return ICL_OK;
}

void icl_journal_close(icl_journal *journal)
{
    if (journal == NULL) return;
    sqlite3_finalize(journal->get);
    sqlite3_finalize(journal->put);
    sqlite3_close(journal->database);
    free(journal->path);
    free(journal);
}

/* 16 bytes in a fixed order, so that a journal can move between machines. */
static void key_bytes(unsigned char out[16], icl_hash128 key)
{
    for (int i = 0; i < 8; i++) {
        out[i] = (unsigned char)(key.high >> (56 - 8 * i));
        out[8 + i] = (unsigned char)(key.low >> (56 - 8 * i));
    }
}

icl_status icl_journal_get(icl_journal *journal, icl_hash128 key, void *bytes, size_t size,
                           bool *out_found)
{
    unsigned char name[16];
    key_bytes(name, key);
    sqlite3_reset(journal->get);
    sqlite3_bind_blob(journal->get, 1, name, sizeof name, SQLITE_TRANSIENT);
    const int code = sqlite3_step(journal->get);
    *out_found = code == SQLITE_ROW && (size_t)sqlite3_column_bytes(journal->get, 0) == size;
    if (*out_found) memcpy(bytes, sqlite3_column_blob(journal->get, 0), size);
    sqlite3_reset(journal->get);
    return code == SQLITE_ROW || code == SQLITE_DONE ? ICL_OK : failure(journal, code);
}

icl_status icl_journal_begin(icl_journal *journal)
{
    return execute(journal, "BEGIN IMMEDIATE");
}

icl_status icl_journal_put(icl_journal *journal, icl_hash128 key, const void *bytes, size_t size)
{
    unsigned char name[16];
    key_bytes(name, key);
    sqlite3_reset(journal->put);
    sqlite3_bind_blob(journal->put, 1, name, sizeof name, SQLITE_TRANSIENT);
    sqlite3_bind_blob64(journal->put, 2, bytes, size, SQLITE_TRANSIENT);
    const int code = sqlite3_step(journal->put);
    return code == SQLITE_DONE ? ICL_OK : failure(journal, code);
}

icl_status icl_journal_commit(icl_journal *journal)
{
    const icl_status status = execute(journal, "COMMIT");
    /* A commit that found no room must not leave a transaction open. */
    if (status != ICL_OK) sqlite3_exec(journal->database, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

icl_status icl_journal_sync(icl_journal *journal)
{
    return execute(journal, "PRAGMA wal_checkpoint(FULL)");
}
