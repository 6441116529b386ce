/* Vectors come back with the bytes that were put, or not at all: from files that are new, shared,
 * full, damaged or cannot be written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/file.h"
#include "base/rng.h"
#include "pipeline/vector_cache.h"

enum { SIZE = 96, TEXTS = 200, AT_ONCE = 20, TEXT_BYTES = 32, LARGE = 64 << 20 };

typedef struct scratch_folder {
    char path[64], inner[80], cache[128], aside[160];
} scratch_folder;

static int make_folder(void **state)
{
    scratch_folder *folder = calloc(1, sizeof *folder);
    if (folder == NULL) return -1;
    snprintf(folder->path, sizeof folder->path, "/tmp/icl-vectors-XXXXXX");
    if (mkdtemp(folder->path) == NULL) return -1;
    snprintf(folder->inner, sizeof folder->inner, "%s/made", folder->path);
    snprintf(folder->cache, sizeof folder->cache, "%s/vectors.sqlite", folder->inner);
    snprintf(folder->aside, sizeof folder->aside, "%s.damaged", folder->cache);
    *state = folder;
    return 0;
}

static int remove_folder(void **state)
{
    scratch_folder *folder = *state;
    char journal[160];
    snprintf(journal, sizeof journal, "%s-journal", folder->cache);
    unlink(journal);
    unlink(folder->aside);
    unlink(folder->cache);
    rmdir(folder->inner);
    const int result = rmdir(folder->path);
    free(folder);
    return result;
}

/* ---- texts, their vectors, and what a cache knows of them ---- */

static const icl_hash128 encoder = { .low = 1, .high = 2 };

static icl_vector_cache_options options_of(const scratch_folder *folder)
{
    return (icl_vector_cache_options){
        .path = folder->cache, .encoder = encoder, .vector_size = SIZE, .bytes_max = LARGE
    };
}

static icl_vector_cache *open_as(const icl_vector_cache_options *options)
{
    icl_vector_cache *cache = NULL;
    if (icl_vector_cache_open(&cache, options) != ICL_OK) fail_msg("%s", icl_error_message());
    return cache;
}

static icl_vector_cache *open_cache(const scratch_folder *folder)
{
    const icl_vector_cache_options options = options_of(folder);
    return open_as(&options);
}

static void name_text(char out[TEXT_BYTES], size_t number)
{
    snprintf(out, TEXT_BYTES, "text %zu", number);
}

static void vector_of(float *out, size_t number)
{
    icl_rng rng = icl_rng_new(number, NULL, NULL, NULL);
    for (size_t i = 0; i < SIZE; i++) out[i] = (float)icl_rng_unit(&rng);
}

static void put(icl_vector_cache *cache, size_t first, size_t count)
{
    float vectors[AT_ONCE * SIZE];
    char texts[AT_ONCE][TEXT_BYTES];
    const char *pointers[AT_ONCE];
    for (size_t i = 0; i < count; i++) {
        name_text(texts[i], first + i);
        pointers[i] = texts[i];
        vector_of(vectors + i * SIZE, first + i);
    }
    icl_vector_cache_put(cache, vectors, pointers, count);
}

static void put_all(icl_vector_cache *cache)
{
    for (size_t first = 0; first < TEXTS; first += AT_ONCE) put(cache, first, AT_ONCE);
}

/* How many of the texts are found; SIZE_MAX when one is with other bytes than were put. */
static size_t count_found(icl_vector_cache *cache, size_t first, size_t count)
{
    size_t total = 0;
    for (size_t i = first; i < first + count; i++) {
        float found_vector[SIZE], expected[SIZE];
        char text[TEXT_BYTES];
        const char *pointer = text;
        bool found = true;
        name_text(text, i);
        vector_of(expected, i);
        icl_vector_cache_get(cache, found_vector, &found, &pointer, 1);
        if (found && memcmp(found_vector, expected, sizeof expected) != 0) return SIZE_MAX;
        total += found;
    }
    return total;
}

static void fill(const scratch_folder *folder)
{
    icl_vector_cache *cache = open_cache(folder);
    put_all(cache);
    assert_int_equal(count_found(cache, 0, TEXTS), TEXTS);
    icl_vector_cache_close(cache);
}

static void check_found(const icl_vector_cache_options *options, size_t expected)
{
    icl_vector_cache *cache = open_as(options);
    assert_int_equal(count_found(cache, 0, TEXTS), expected);
    icl_vector_cache_close(cache);
}

static void wait_for(pid_t child)
{
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result) && WEXITSTATUS(result) == 0);
}

/* ---- hits ---- */

static void test_vector_cache__gives_back_the_bytes_that_were_put(void **state)
{
    const scratch_folder *folder = *state;
    const icl_vector_cache_options options = options_of(folder);
    check_found(&options, 0);
    fill(folder);
    check_found(&options, TEXTS);
}

static void test_vector_cache__fills_only_what_is_found(void **state)
{
    const char *const texts[] = { "unknown", "text 0", "" };
    float out[3 * SIZE] = { 7 }, expected[SIZE];
    bool found[3] = { true, false, true };
    icl_vector_cache *cache = open_cache(*state);
    put(cache, 0, 1);
    icl_vector_cache_get(cache, out, found, texts, 3);
    assert_true(!found[0] && found[1] && !found[2]);
    vector_of(expected, 0);
    assert_memory_equal(out + SIZE, expected, sizeof expected);
    assert_true(out[0] == 7);
    icl_vector_cache_close(cache);
}

static void test_vector_cache__another_encoder_finds_nothing(void **state)
{
    const scratch_folder *folder = *state;
    icl_vector_cache_options options = options_of(folder);
    fill(folder);
    options.encoder.low++;
    check_found(&options, 0);
    options = options_of(folder);
    options.vector_size = SIZE - 1;
    check_found(&options, 0);
}

static void test_vector_cache__none_at_all_finds_nothing(void **state)
{
    put(NULL, 0, AT_ONCE);
    assert_int_equal(count_found(NULL, 0, TEXTS), 0);
}

/* ---- its size ---- */

static void test_vector_cache__the_oldest_make_room(void **state)
{
    enum { BYTES_MAX = 256 << 10, MANY = 2000 };
    const scratch_folder *folder = *state;
    icl_vector_cache_options options = options_of(folder);
    struct stat info;
    options.bytes_max = BYTES_MAX;
    icl_vector_cache *cache = open_as(&options);
    for (size_t first = 0; first < MANY; first += AT_ONCE) put(cache, first, AT_ONCE);
    assert_int_equal(count_found(cache, MANY - AT_ONCE, AT_ONCE), AT_ONCE);
    const size_t kept = count_found(cache, 0, MANY);
    assert_true(kept >= BYTES_MAX / (SIZE * sizeof(float)) / 2 && kept < MANY);
    assert_int_equal(count_found(cache, MANY - kept, kept), kept); /* the newest, without a gap */
    icl_vector_cache_close(cache);
    assert_int_equal(stat(folder->cache, &info), 0);
    assert_true(info.st_size <= BYTES_MAX + AT_ONCE * 4096);
}

/* ---- damage ---- */

static void run_sql(const scratch_folder *folder, const char *sql)
{
    sqlite3 *database = NULL;
    assert_int_equal(sqlite3_open(folder->cache, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(database);
}

static void test_vector_cache__a_row_with_other_bytes_is_not_found(void **state)
{
    const scratch_folder *folder = *state;
    const icl_vector_cache_options options = options_of(folder);
    fill(folder);
    run_sql(folder, "UPDATE vector SET value=zeroblob(length(value)) WHERE number=1;"
                    "UPDATE vector SET value=zeroblob(3) WHERE number=2;"
                    "UPDATE vector SET value=(SELECT value FROM vector WHERE number=4),"
                    "sum=(SELECT sum FROM vector WHERE number=4) WHERE number=3");
    check_found(&options, TEXTS - 3);
    fill(folder); /* puts them anew */
    check_found(&options, TEXTS);
}

/* Another kind of file keeps its bytes: it is only set aside. */
static void test_vector_cache__another_kind_of_file_is_set_aside(void **state)
{
    const scratch_folder *folder = *state;
    const icl_vector_cache_options options = options_of(folder);
    const char *text = "{\"id\": 1, \"text\": \"no database, but longer than its header\"}\n"
                       "{\"id\": 2, \"text\": \"a hundred bytes and more\"}\n";
    assert_int_equal(icl_folder_create(folder->inner), ICL_OK);
    assert_int_equal(icl_file_write_atomic(folder->cache, text, strlen(text)), ICL_OK);
    fill(folder);
    check_found(&options, TEXTS);
    icl_text after = { 0 };
    assert_int_equal(icl_file_read(&after, folder->aside, 4096), ICL_OK);
    assert_string_equal(icl_text_string(&after), text);
    icl_text_deinit(&after);
}

/* Bytes from `from` on, all the same. */
static void overwrite(const scratch_folder *folder, long from)
{
    struct stat info;
    FILE *file = fopen(folder->cache, "r+b");
    assert_non_null(file);
    assert_int_equal(stat(folder->cache, &info), 0);
    assert_int_equal(fseek(file, from, SEEK_SET), 0);
    for (long i = from; i < info.st_size; i++) fputc(0xA5, file);
    assert_int_equal(fclose(file), 0);
}

static void test_vector_cache__a_damaged_file_is_replaced(void **state)
{
    const scratch_folder *folder = *state;
    const icl_vector_cache_options options = options_of(folder);
    const long places[] = { 0, 50, 4096 };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        fill(folder);
        overwrite(folder, places[i]);
        icl_vector_cache *cache = open_cache(folder);
        assert_int_equal(count_found(cache, 0, TEXTS), 0);
        put_all(cache);
        icl_vector_cache_close(cache);
        assert_int_equal(access(folder->aside, F_OK), 0);
        fill(folder);
        check_found(&options, TEXTS);
        unlink(folder->aside);
    }
}

/* ---- other processes ---- */

static void test_vector_cache__is_shared_by_processes(void **state)
{
    enum { PROCESSES = 4 };
    const scratch_folder *folder = *state;
    const icl_vector_cache_options options = options_of(folder);
    pid_t children[PROCESSES];
    int start[2];
    assert_int_equal(pipe(start), 0);
    for (size_t p = 0; p < PROCESSES; p++) {
        children[p] = fork();
        assert_true(children[p] >= 0);
        if (children[p] > 0) continue;
        char byte;
        icl_vector_cache *cache = NULL;
        close(start[1]);
        const ssize_t end = read(start[0], &byte, 1); /* all at once: the file is new as well */
        bool right = end == 0 && icl_vector_cache_open(&cache, &options) == ICL_OK;
        for (size_t first = 0; right && first < TEXTS; first += AT_ONCE) {
            put(cache, first, AT_ONCE);
            right = count_found(cache, 0, first + AT_ONCE) == first + AT_ONCE;
        }
        icl_vector_cache_close(cache);
        _exit(right ? 0 : 1);
    }
    close(start[1]);
    for (size_t p = 0; p < PROCESSES; p++) wait_for(children[p]);
    close(start[0]);
    check_found(&options, TEXTS);
}

/* Killed wherever it happens to be, it leaves whole vectors only. */
static void test_vector_cache__survives_killed_writers(void **state)
{
    enum { KILLS = 8 };
    const scratch_folder *folder = *state;
    icl_vector_cache_options options = options_of(folder);
    options.bytes_max = 64 << 10; /* so that rows also go */
    for (useconds_t k = 1; k <= KILLS; k++) {
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            icl_vector_cache *cache = NULL;
            if (icl_vector_cache_open(&cache, &options) != ICL_OK) _exit(1);
            for (;;) put_all(cache);
        }
        usleep(k * 7000);
        int result;
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &result, 0), child);
        assert_true(WIFSIGNALED(result));
        icl_vector_cache *cache = open_as(&options);
        assert_true(count_found(cache, 0, TEXTS) <= TEXTS);
        put(cache, 0, AT_ONCE);
        assert_int_equal(count_found(cache, 0, AT_ONCE), AT_ONCE);
        icl_vector_cache_close(cache);
        assert_int_not_equal(access(folder->aside, F_OK), 0);
    }
}

/* Who holds the file for long costs one wait. */
static void test_vector_cache__does_not_wait_again(void **state)
{
    const scratch_folder *folder = *state;
    fill(folder);
    icl_vector_cache *cache = open_cache(folder);
    sqlite3 *holder = NULL;
    assert_int_equal(sqlite3_open(folder->cache, &holder), SQLITE_OK);
    assert_int_equal(sqlite3_exec(holder, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    alarm(20);
    assert_int_equal(count_found(cache, 0, TEXTS), 0);
    put_all(cache);
    alarm(0);
    sqlite3_close(holder);
    icl_vector_cache_close(cache);
    const icl_vector_cache_options options = options_of(folder);
    check_found(&options, TEXTS);
}

/* ---- places that cannot be written ---- */

static void test_vector_cache__no_folder_is_an_error_that_names_it(void **state)
{
    icl_vector_cache_options options = options_of(*state);
    icl_vector_cache *cache = NULL;
    options.path = "/dev/null/icl/vectors.sqlite";
    assert_int_equal(icl_vector_cache_open(&cache, &options), ICL_EIO);
    assert_null(cache);
    assert_non_null(strstr(icl_error_message(), "/dev/null"));
}

/* Root may write everywhere, so the child is somebody else. */
static void test_vector_cache__a_read_only_folder_is_read(void **state)
{
    const scratch_folder *folder = *state;
    const icl_vector_cache_options options = options_of(folder);
    fill(folder);
    chmod(folder->path, 0755);
    chmod(folder->cache, 0444);
    chmod(folder->inner, 0555);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        icl_vector_cache *cache = NULL;
        if (geteuid() == 0 && setuid(65534) != 0) _exit(1);
        if (icl_vector_cache_open(&cache, &options) != ICL_OK) _exit(2);
        put(cache, TEXTS, AT_ONCE);
        const bool right = count_found(cache, 0, TEXTS + AT_ONCE) == TEXTS;
        icl_vector_cache_close(cache);
        _exit(right ? 0 : 3);
    }
    wait_for(child);
    chmod(folder->inner, 0755);
    chmod(folder->cache, 0644);
}

/* A limit on the size of files stands for the full disk. */
static void test_vector_cache__a_full_disk_keeps_what_is_there(void **state)
{
    const scratch_folder *folder = *state;
    const icl_vector_cache_options options = options_of(folder);
    struct stat info;
    fill(folder);
    assert_int_equal(stat(folder->cache, &info), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const rlim_t bytes = (rlim_t)info.st_size + (16 << 10);
        const struct rlimit limit = { .rlim_cur = bytes, .rlim_max = bytes };
        icl_vector_cache *cache = NULL;
        signal(SIGXFSZ, SIG_IGN);
        if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(1);
        if (icl_vector_cache_open(&cache, &options) != ICL_OK) _exit(2);
        for (size_t first = TEXTS; first < 2 * TEXTS; first += AT_ONCE) put(cache, first, AT_ONCE);
        const bool right = count_found(cache, 0, TEXTS) == TEXTS &&
                           count_found(cache, TEXTS, TEXTS) < TEXTS;
        icl_vector_cache_close(cache);
        _exit(right ? 0 : 3);
    }
    wait_for(child);
    check_found(&options, TEXTS);
}

#define with_folder(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_folder(test_vector_cache__gives_back_the_bytes_that_were_put),
        with_folder(test_vector_cache__fills_only_what_is_found),
        with_folder(test_vector_cache__another_encoder_finds_nothing),
        cmocka_unit_test(test_vector_cache__none_at_all_finds_nothing),
        with_folder(test_vector_cache__the_oldest_make_room),
        with_folder(test_vector_cache__a_row_with_other_bytes_is_not_found),
        with_folder(test_vector_cache__another_kind_of_file_is_set_aside),
        with_folder(test_vector_cache__a_damaged_file_is_replaced),
        with_folder(test_vector_cache__is_shared_by_processes),
        with_folder(test_vector_cache__survives_killed_writers),
        with_folder(test_vector_cache__does_not_wait_again),
        with_folder(test_vector_cache__no_folder_is_an_error_that_names_it),
        with_folder(test_vector_cache__a_read_only_folder_is_read),
        with_folder(test_vector_cache__a_full_disk_keeps_what_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
