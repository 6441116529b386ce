/* Sentence vectors of a pool with the real encoder: what is kept is what would be made. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <icl/run.h>

#include "base/file.h"
#include "base/text.h"
#include "train/pool.h"

enum { TEXTS = 130 };

static icl_encoder *encoder;
static char texts[TEXTS][32], *text_list[TEXTS];

static int setup(void **state)
{
    static char folder[64];
    char *path = NULL;
    strcpy(folder, "test_pool_vectors-XXXXXX");
    *state = mkdtemp(folder);
    if (*state == NULL || chdir(folder) != 0) return -1;
    if (icl_encoder_default_path(&path) != ICL_OK || icl_encoder_open(&encoder, path, 1) != ICL_OK)
        fail_msg("%s", icl_error_message());
    free(path);
    for (size_t i = 0; i < TEXTS; i++) {
        snprintf(texts[i], sizeof texts[i], "song %zu of %zu", i, i % 7);
        text_list[i] = texts[i];
    }
    return 0;
}

static int teardown(void **state)
{
    char command[128];
    icl_encoder_close(encoder);
    snprintf(command, sizeof command, "rm -rf '%s'", (const char *)*state);
    return chdir("..") != 0 || system(command) != 0;
}

static icl_pool pool_of(size_t count)
{
    return (icl_pool){ .name = (char *)"songs", .count = count, .texts = text_list };
}

/* Path of the only file in the folder. */
static void only_file(icl_text *out, const char *folder)
{
    DIR *listing = opendir(folder);
    assert_non_null(listing);
    icl_text_clear(out);
    for (const struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        if (entry->d_name[0] == '.') continue;
        assert_int_equal(out->length, 0);
        icl_text_printf(out, "%s/%s", folder, entry->d_name);
    }
    closedir(listing);
    assert_true(out->length > 0);
}

typedef struct watch {
    size_t calls, last, stop_at;
} watch;

static bool look(void *user, size_t done, size_t total)
{
    watch *w = user;
    w->calls++;
    assert_true(done >= w->last && done <= total);
    w->last = done;
    return done >= w->stop_at;
}

static void test_pool_vectors__are_the_encoders(void **state)
{
    icl_pool pool = pool_of(TEXTS);
    watch w = { .stop_at = SIZE_MAX };
    assert_int_equal(icl_pool_embed(&pool, 100, encoder, NULL, look, &w), ICL_OK);
    assert_int_equal(pool.vector_size, icl_encoder_vector_size(encoder));
    assert_true(pool.vector_count == 100 && w.last == 100);
    float *expected = malloc(pool.vector_size * sizeof *expected);
    for (size_t i = 0; i < 100; i += 33) {
        icl_encoder_embed(encoder, expected, (const char *const *)text_list + i, 1);
        assert_memory_equal(pool.vectors + i * pool.vector_size, expected,
                            pool.vector_size * sizeof *expected);
    }
    free(expected);
    free(pool.vectors);
}

static void test_pool_vectors__are_read_from_the_cache(void **state)
{
    icl_pool made = pool_of(TEXTS), read = pool_of(TEXTS);
    watch first = { .stop_at = SIZE_MAX }, second = first;
    assert_int_equal(icl_pool_embed(&made, 0, encoder, "cache/a", look, &first), ICL_OK);
    assert_int_equal(icl_pool_embed(&read, 0, encoder, "cache/a", look, &second), ICL_OK);
    assert_true(first.calls > 1 && second.calls == 1);
    assert_true(read.vector_count == TEXTS);
    assert_memory_equal(made.vectors, read.vectors,
                        TEXTS * made.vector_size * sizeof *made.vectors);
    free(read.vectors);
    free(made.vectors);
}

static void test_pool_vectors__a_damaged_or_foreign_cache_is_made_anew(void **state)
{
    icl_text path = { 0 }, bytes = { 0 };
    icl_pool made = pool_of(20);
    assert_int_equal(icl_pool_embed(&made, 0, encoder, "cache/b", NULL, NULL), ICL_OK);
    only_file(&path, "cache/b");
    assert_int_equal(icl_file_read(&bytes, path.bytes, 1 << 20), ICL_OK);
    for (int damage = 0; damage < 3; damage++) {
        const size_t at = damage == 0 ? bytes.length - 1 : damage == 1 ? 3 : 20;
        bytes.bytes[at] ^= 1;
        assert_int_equal(icl_file_write_atomic(path.bytes, bytes.bytes, bytes.length), ICL_OK);
        bytes.bytes[at] ^= 1;
        icl_pool again = pool_of(20);
        watch w = { .stop_at = SIZE_MAX };
        assert_int_equal(icl_pool_embed(&again, 0, encoder, "cache/b", look, &w), ICL_OK);
        assert_int_equal(w.calls, 2);
        assert_memory_equal(made.vectors, again.vectors,
                            20 * made.vector_size * sizeof *made.vectors);
        free(again.vectors);
    }
    assert_int_equal(icl_file_write_atomic(path.bytes, bytes.bytes, 100), ICL_OK); /* cut off */
    icl_pool again = pool_of(20);
    assert_int_equal(icl_pool_embed(&again, 0, encoder, "cache/b", NULL, NULL), ICL_OK);
    free(again.vectors);
    free(made.vectors);
    icl_text_deinit(&bytes);
    icl_text_deinit(&path);
}

static void test_pool_vectors__stop_when_asked(void **state)
{
    icl_pool pool = pool_of(TEXTS);
    watch w = { .stop_at = 64 };
    assert_int_equal(icl_pool_embed(&pool, 0, encoder, NULL, look, &w), ICL_ECANCELLED);
    assert_string_equal(icl_error_message(), "stopped after 64 of 130 sentence vectors");
    assert_true(pool.vectors == NULL && pool.vector_count == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pool_vectors__are_the_encoders),
        cmocka_unit_test(test_pool_vectors__are_read_from_the_cache),
        cmocka_unit_test(test_pool_vectors__a_damaged_or_foreign_cache_is_made_anew),
        cmocka_unit_test(test_pool_vectors__stop_when_asked),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
