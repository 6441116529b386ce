/* Vectors of a pool and its queries are those of the encoder, text by text, and only what is needed
 * is made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include <icl/model.h>
#include <icl/run.h>

#include "pipeline/text_vectors.h"

static const char *const pool[] = { "play some jazz", "", "what is the weather in Rome" };
static const char *const queries[] = { "jazz", "book a table for two" };

static icl_text_vectors_source source_of(void)
{
    return (icl_text_vectors_source){ .thread_count = 1,
                                      .pool_texts = pool,
                                      .query_texts = queries,
                                      .pool_count = 3,
                                      .query_count = 2 };
}

static icl_encoder *open_encoder(void)
{
    icl_encoder *encoder = NULL;
    char *path = NULL;
    if (icl_encoder_default_path(&path) != ICL_OK || icl_encoder_open(&encoder, path, 1) != ICL_OK)
        fail_msg("%s", icl_error_message());
    free(path);
    return encoder;
}

static void assert_tokens(icl_encoder *encoder, const icl_token_vectors *tokens, size_t text,
                          const char *words)
{
    enum { TOKENS_MAX = 32, SIZE_MAX_HERE = 1024 };
    static float vectors[TOKENS_MAX * SIZE_MAX_HERE];
    int32_t ids[TOKENS_MAX];
    size_t count = 0;
    const size_t size = icl_encoder_vector_size(encoder), first = tokens->first[text];
    assert_int_equal(icl_encoder_count_tokens(encoder, &count, &words, 1), ICL_OK);
    assert_true(count <= TOKENS_MAX && size <= SIZE_MAX_HERE);
    assert_int_equal(tokens->first[text + 1] - first, count);
    assert_int_equal(icl_encoder_embed_tokens(encoder, ids, vectors, &words, 1), ICL_OK);
    assert_memory_equal(&tokens->ids[first], ids, count * sizeof *ids);
    assert_memory_equal(&tokens->vectors[first * size], vectors, count * size * sizeof *vectors);
}

static void test_text_vectors__are_those_of_the_encoder(void **state)
{
    (void)state;
    const icl_text_vectors_source source = source_of();
    icl_text_vectors vectors = { 0 };
    icl_select_input input = { 0 };
    icl_encoder *encoder = open_encoder();
    const size_t size = icl_encoder_vector_size(encoder);
    if (icl_text_vectors_make(&vectors, &source, ICL_NEEDS_EMBEDDINGS | ICL_NEEDS_TOKEN_VECTORS) !=
        ICL_OK)
        fail_msg("%s", icl_error_message());
    icl_text_vectors_serve(&input, &vectors);
    assert_int_equal(input.vector_size, size);
    float *sentence = malloc(size * sizeof *sentence);
    assert_non_null(sentence);
    for (size_t i = 0; i < 5; i++) {
        const char *text = i < 3 ? pool[i] : queries[i - 3];
        const float *found =
            i < 3 ? &input.pool_vectors[i * size] : &input.query_vectors[(i - 3) * size];
        assert_int_equal(icl_encoder_embed(encoder, sentence, &text, 1), ICL_OK);
        assert_memory_equal(found, sentence, size * sizeof *sentence);
        assert_tokens(encoder, i < 3 ? &input.pool_tokens : &input.query_tokens, i < 3 ? i : i - 3,
                      text);
    }
    free(sentence);
    icl_encoder_close(encoder);
    icl_text_vectors_deinit(&vectors);
}

static int count_rows(const char *path)
{
    sqlite3 *database = NULL;
    sqlite3_stmt *count = NULL;
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(database, "SELECT count(*) FROM vector", -1, &count, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(count), SQLITE_ROW);
    const int rows = sqlite3_column_int(count, 0);
    sqlite3_finalize(count);
    sqlite3_close(database);
    return rows;
}

/* Pool and queries, with what `cache_path` holds, are the vectors `fresh`. */
static void check_equal(const icl_text_vectors *fresh, const char *cache_path)
{
    icl_text_vectors_source source = source_of();
    icl_text_vectors vectors = { 0 };
    source.cache_path = cache_path;
    if (icl_text_vectors_make(&vectors, &source, ICL_NEEDS_EMBEDDINGS) != ICL_OK)
        fail_msg("%s", icl_error_message());
    assert_memory_equal(vectors.pool, fresh->pool, 3 * fresh->size * sizeof *fresh->pool);
    assert_memory_equal(vectors.queries, fresh->queries, 2 * fresh->size * sizeof *fresh->queries);
    icl_text_vectors_deinit(&vectors);
}

/* Nothing of it is in the cache, then a text in the middle, then all. */
static void test_text_vectors__are_the_same_from_a_cache(void **state)
{
    (void)state;
    char folder[] = "/tmp/icl-vectors-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/vectors.sqlite", folder);
    icl_text_vectors fresh = { 0 }, some = { 0 };
    icl_text_vectors_source source = source_of();
    assert_int_equal(icl_text_vectors_make(&fresh, &source, ICL_NEEDS_EMBEDDINGS), ICL_OK);

    source.cache_path = path;
    source.pool_texts = &pool[1];
    source.pool_count = 1;
    source.query_count = 0;
    assert_int_equal(icl_text_vectors_make(&some, &source, ICL_NEEDS_EMBEDDINGS), ICL_OK);
    icl_text_vectors_deinit(&some);
    assert_int_equal(count_rows(path), 1);
    for (size_t i = 0; i < 2; i++) {
        check_equal(&fresh, path);
        assert_int_equal(count_rows(path), 5);
    }
    check_equal(&fresh, "/dev/null/vectors.sqlite"); /* there is none to be had */
    icl_text_vectors_deinit(&fresh);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void test_text_vectors__what_is_not_needed_is_not_made(void **state)
{
    (void)state;
    icl_text_vectors_source source = source_of();
    icl_text_vectors vectors = { 0 };
    assert_int_equal(icl_text_vectors_make(&vectors, &source, ICL_NEEDS_TOKEN_VECTORS), ICL_OK);
    assert_true(vectors.pool == NULL && vectors.queries == NULL);
    assert_non_null(vectors.pool_tokens.vectors);
    icl_text_vectors_deinit(&vectors);

    source.encoder_path = "no-such-encoder.gguf";
    assert_int_equal(icl_text_vectors_make(&vectors, &source, ICL_NEEDS_LABELS), ICL_OK);
    assert_true(vectors.size == 0 && vectors.pool == NULL && vectors.pool_tokens.first == NULL);
    assert_int_equal(icl_text_vectors_make(&vectors, &source, ICL_NEEDS_EMBEDDINGS), ICL_EIO);
    assert_non_null(strstr(icl_error_message(), "no-such-encoder.gguf"));
}

static void test_text_vectors__stops_when_asked(void **state)
{
    (void)state;
    const atomic_bool cancelled = true;
    icl_text_vectors_source source = source_of();
    source.cancelled = &cancelled;
    icl_text_vectors vectors = { .size = 77 };
    const unsigned needs[] = { ICL_NEEDS_EMBEDDINGS, ICL_NEEDS_TOKEN_VECTORS };
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(icl_text_vectors_make(&vectors, &source, needs[i]), ICL_ECANCELLED);
    assert_true(vectors.size == 77 && vectors.pool == NULL); /* untouched */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_vectors__are_those_of_the_encoder),
        cmocka_unit_test(test_text_vectors__are_the_same_from_a_cache),
        cmocka_unit_test(test_text_vectors__what_is_not_needed_is_not_made),
        cmocka_unit_test(test_text_vectors__stops_when_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
