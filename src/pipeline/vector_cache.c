#include "pipeline/vector_cache.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

enum {
    WAIT_MS_MAX = 1000, /* for another process; it holds the file for milliseconds */
    PAGE_BYTES = 4096,  /* SQLite's own choice */
};

struct icl_vector_cache {
    sqlite3 *database; /* NULL: given up */
    sqlite3_stmt *get, *put, *used_pages, *drop_oldest;
    char *path;
    icl_hash128 encoder;
    size_t vector_size, pages_max;
    bool read_only;
};

/* ---- opening and giving up ---- */

static void close_database(icl_vector_cache *cache)
{
    sqlite3_finalize(cache->get);
    sqlite3_finalize(cache->put);
    sqlite3_finalize(cache->used_pages);
    sqlite3_finalize(cache->drop_oldest);
    sqlite3_close(cache->database);
    cache->get = cache->put = cache->used_pages = cache->drop_oldest = NULL;
    cache->database = NULL;
}

static bool is_damage(int code)
{
    return (code & 0xFF) == SQLITE_CORRUPT || (code & 0xFF) == SQLITE_NOTADB;
}

/* A damaged file is moved and not removed: the path may have been that of something else. */
static void give_up(icl_vector_cache *cache, int code)
{
    icl_text aside = { 0 };
    close_database(cache);
    if (!is_damage(code)) return;
    icl_text_printf(&aside, "%s.damaged", cache->path);
    if (!aside.failed) rename(cache->path, aside.bytes);
    icl_text_deinit(&aside);
}

static int execute(icl_vector_cache *cache, const char *sql)
{
    return sqlite3_exec(cache->database, sql, NULL, NULL, NULL);
}

static int create_table(icl_vector_cache *cache)
{
    /* Commits survive the death of the process, which is all that a cache has to: what a crash of
     * the machine tears apart does not have the sum of its row. The rollback journal, unlike WAL,
     * also works on network folders and where nothing can be written. */
    int code = execute(cache, "PRAGMA synchronous=OFF");
    if (code == SQLITE_OK)
        code = execute(cache, "CREATE TABLE IF NOT EXISTS vector(number INTEGER PRIMARY KEY,"
                              "key BLOB UNIQUE NOT NULL, value BLOB NOT NULL, sum BLOB NOT NULL)");
    return code;
}

static int prepare_statements(icl_vector_cache *cache)
{
    const struct {
        sqlite3_stmt **statement;
        const char *sql;
    } wanted[] = {
        { &cache->get, "SELECT value, sum FROM vector WHERE key=?1" },
        { &cache->put, "INSERT OR REPLACE INTO vector(key, value, sum) VALUES(?1,?2,?3)" },
        { &cache->used_pages, "SELECT page_count - freelist_count FROM pragma_page_count(),"
                              "pragma_freelist_count()" },
        /* Numbers rise, so the smallest are the oldest; few at a time, as others are waiting. */
        { &cache->drop_oldest,
          "DELETE FROM vector WHERE number <= (SELECT min(number) FROM vector) + "
          "((SELECT max(number) FROM vector) - (SELECT min(number) FROM vector)) / 256" },
    };
    int code = SQLITE_OK;
    for (size_t i = 0; code == SQLITE_OK && i < sizeof wanted / sizeof *wanted; i++)
        code = sqlite3_prepare_v2(cache->database, wanted[i].sql, -1, wanted[i].statement, NULL);
    return code;
}

/* On failure the database is closed. */
static icl_status open_database(icl_vector_cache *cache, int *out_code)
{
    int code = sqlite3_open(cache->path, &cache->database);
    if (code == SQLITE_OK) code = sqlite3_busy_timeout(cache->database, WAIT_MS_MAX);
    if (code == SQLITE_OK) code = create_table(cache);
    if (code == SQLITE_OK) code = prepare_statements(cache);
    *out_code = code;
    if (code == SQLITE_OK) {
        cache->read_only = sqlite3_db_readonly(cache->database, "main") == 1;
        return ICL_OK;
    }
    const icl_status status = icl_error_set(ICL_EIO, "cache of sentence vectors \"%s\": %s",
                                            cache->path, sqlite3_errmsg(cache->database));
    give_up(cache, code);
    return status;
}

static icl_status open_in_folder(icl_vector_cache *cache)
{
    int code = SQLITE_OK;
    char *folder = icl_file_folder(cache->path);
    if (folder == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for sentence vectors");
    icl_status status = icl_folder_create(folder);
    free(folder);
    if (status == ICL_OK) status = open_database(cache, &code);
    if (status != ICL_OK && is_damage(code)) status = open_database(cache, &code);
    return status;
}

icl_status icl_vector_cache_open(icl_vector_cache **out, const icl_vector_cache_options *options)
{
    icl_vector_cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for sentence vectors");
    cache->encoder = options->encoder;
    cache->vector_size = options->vector_size;
    cache->pages_max = options->bytes_max / PAGE_BYTES;
    cache->path = icl_string_copy(options->path, strlen(options->path));
    const icl_status status =
        cache->path != NULL ? open_in_folder(cache)
                            : icl_error_set(ICL_ENOMEM, "out of memory for sentence vectors");
    if (status != ICL_OK) {
        icl_vector_cache_close(cache);
        return status;
    }
    *out = cache;
    return ICL_OK;
}

void icl_vector_cache_close(icl_vector_cache *cache)
{
    if (cache == NULL) return;
    close_database(cache);
    free(cache->path);
    free(cache);
}

/* ---- rows ---- */

static icl_hash128 key_of(const icl_vector_cache *cache, const char *text)
{
    icl_hash_state state;
    icl_hash_begin(&state);
    icl_hash_add(&state, &cache->encoder, sizeof cache->encoder);
    icl_hash_add(&state, text, strlen(text));
    return icl_hash_end(&state);
}

/* With the key, so that an index that leads to another text's row is noticed as well. */
static icl_hash128 sum_of(icl_hash128 key, const void *vector, size_t bytes)
{
    icl_hash_state state;
    icl_hash_begin(&state);
    icl_hash_add(&state, &key, sizeof key);
    icl_hash_add(&state, vector, bytes);
    return icl_hash_end(&state);
}

static bool column_equals(sqlite3_stmt *row, int column, const void *bytes, size_t length)
{
    return (size_t)sqlite3_column_bytes(row, column) == length &&
           memcmp(sqlite3_column_blob(row, column), bytes, length) == 0;
}

static int get_row(icl_vector_cache *cache, float *out, bool *found, const char *text)
{
    const size_t bytes = cache->vector_size * sizeof *out;
    const icl_hash128 key = key_of(cache, text);
    sqlite3_stmt *row = cache->get;
    sqlite3_bind_blob(row, 1, &key, sizeof key, SQLITE_TRANSIENT);
    const int code = sqlite3_step(row);
    if (code == SQLITE_ROW && (size_t)sqlite3_column_bytes(row, 0) == bytes) {
        const void *vector = sqlite3_column_blob(row, 0);
        const icl_hash128 sum = sum_of(key, vector, bytes);
        *found = column_equals(row, 1, &sum, sizeof sum);
        if (*found) memcpy(out, vector, bytes);
    }
    sqlite3_reset(row);
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

static int put_row(icl_vector_cache *cache, const float *vector, const char *text)
{
    const size_t bytes = cache->vector_size * sizeof *vector;
    const icl_hash128 key = key_of(cache, text), sum = sum_of(key, vector, bytes);
    sqlite3_bind_blob(cache->put, 1, &key, sizeof key, SQLITE_TRANSIENT);
    sqlite3_bind_blob64(cache->put, 2, vector, bytes, SQLITE_TRANSIENT);
    sqlite3_bind_blob(cache->put, 3, &sum, sizeof sum, SQLITE_TRANSIENT);
    sqlite3_step(cache->put);
    return sqlite3_reset(cache->put);
}

static bool is_too_large(icl_vector_cache *cache)
{
    const bool told = sqlite3_step(cache->used_pages) == SQLITE_ROW;
    const sqlite3_int64 pages = told ? sqlite3_column_int64(cache->used_pages, 0) : 0;
    sqlite3_reset(cache->used_pages);
    return (size_t)pages > cache->pages_max;
}

static int make_room(icl_vector_cache *cache)
{
    int code = SQLITE_OK, dropped = 1;
    while (code == SQLITE_OK && dropped > 0 && is_too_large(cache)) {
        sqlite3_step(cache->drop_oldest);
        code = sqlite3_reset(cache->drop_oldest);
        dropped = sqlite3_changes(cache->database);
    }
    return code;
}

/* ---- many at once ---- */

void icl_vector_cache_get(icl_vector_cache *cache, float *out, bool *found,
                          const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) found[i] = false;
    if (cache == NULL || cache->database == NULL) return;
    int code = execute(cache, "BEGIN");
    for (size_t i = 0; code == SQLITE_OK && i < count; i++)
        code = get_row(cache, out + i * cache->vector_size, &found[i], texts[i]);
    if (code == SQLITE_OK) code = execute(cache, "COMMIT");
    if (code != SQLITE_OK) give_up(cache, code);
}

void icl_vector_cache_put(icl_vector_cache *cache, const float *vectors, const char *const *texts,
                          size_t count)
{
    if (cache == NULL || cache->database == NULL || cache->read_only) return;
    int code = execute(cache, "BEGIN IMMEDIATE");
    for (size_t i = 0; code == SQLITE_OK && i < count; i++)
        code = put_row(cache, vectors + i * cache->vector_size, texts[i]);
    if (code == SQLITE_OK) code = make_room(cache);
    if (code == SQLITE_OK) code = execute(cache, "COMMIT");
    if (code == SQLITE_OK) return;
    execute(cache, "ROLLBACK");
    cache->read_only = true; /* a full disk still can be read */
    if (is_damage(code)) give_up(cache, code);
}
