/* The sentence encoder against the Python package it was converted from:
 * golden/encoder_cosines.jsonl and golden/encoder_tokens.jsonl. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include <icl/model.h>
#include <icl/run.h>

#include "near.h"

enum { TEXTS_MAX = 256 };

typedef struct golden {
    char *texts[TEXTS_MAX];
    json_t *cosines[TEXTS_MAX]; /* with the earlier texts */
    size_t count;
} golden_set;

static golden_set golden;
static icl_encoder *encoder;

static int load(void **state)
{
    FILE *file = fopen(ICL_SOURCE_DIR "/tests/golden/encoder_cosines.jsonl", "r");
    assert_non_null(file);
    json_t *line;
    while (golden.count < TEXTS_MAX &&
           (line = json_loadf(file, JSON_DISABLE_EOF_CHECK, NULL)) != NULL) {
        golden.texts[golden.count] = strdup(json_string_value(json_object_get(line, "text")));
        golden.cosines[golden.count++] = json_incref(json_object_get(line, "cosines"));
        json_decref(line);
    }
    fclose(file);
    char *path = NULL;
    if (icl_encoder_default_path(&path) != ICL_OK || icl_encoder_open(&encoder, path, 1) != ICL_OK)
        fail_msg("%s", icl_error_message());
    free(path);
    return 0;
}

static int unload(void **state)
{
    for (size_t i = 0; i < golden.count; i++) {
        free(golden.texts[i]);
        json_decref(golden.cosines[i]);
    }
    icl_encoder_close(encoder);
    return 0;
}

static float *embed(const char *const *texts, size_t count)
{
    float *vectors = malloc(count * icl_encoder_vector_size(encoder) * sizeof *vectors);
    assert_non_null(vectors);
    if (icl_encoder_embed(encoder, vectors, texts, count) != ICL_OK)
        fail_msg("%s", icl_error_message());
    return vectors;
}

static double dot(const float *a, const float *b, size_t size)
{
    double sum = 0;
    for (size_t d = 0; d < size; d++) sum += (double)a[d] * b[d];
    return sum;
}

static void test_encoder__cosines_equal_the_python_package(void **state)
{
    const size_t size = icl_encoder_vector_size(encoder);
    float *vectors = embed((const char *const *)golden.texts, golden.count);
    double largest = 0;
    assert_true(golden.count >= 200);
    for (size_t i = 0; i < golden.count; i++)
        for (size_t j = 0; j < i; j++) {
            const double expected = json_number_value(json_array_get(golden.cosines[i], j));
            const double error = fabs(dot(vectors + i * size, vectors + j * size, size) - expected);
            if (error > largest) largest = error;
        }
    printf("largest difference of a cosine: %g\n", largest);
    assert_true(largest <= 1e-3);
    free(vectors);
}

static void test_encoder__vectors_do_not_depend_on_their_neighbours(void **state)
{
    const size_t size = icl_encoder_vector_size(encoder);
    float *together = embed((const char *const *)golden.texts, golden.count);
    for (size_t i = 0; i < golden.count; i += 17) {
        float *alone = embed((const char *const *)&golden.texts[i], 1);
        assert_memory_equal(alone, together + i * size, size * sizeof *alone);
        assert_near(dot(alone, alone, size), 1.0, 1e-6);
        free(alone);
    }
    free(together);
}

static void test_encoder__empty_and_overlong_texts_have_vectors(void **state)
{
    const size_t size = icl_encoder_vector_size(encoder);
    char *endless = malloc(20001);
    assert_non_null(endless);
    for (size_t i = 0; i < 20000; i++) endless[i] = i % 5 == 4 ? ' ' : 'a';
    endless[20000] = '\0';
    const char *const texts[] = { "", endless, "play some music" };
    float *vectors = embed(texts, 3);
    for (size_t i = 0; i < 3; i++)
        assert_near(dot(vectors + i * size, vectors + i * size, size), 1.0, 1e-6);
    free(vectors);
    free(endless);
}

/* Token vectors of a line of golden/encoder_tokens.jsonl. */
typedef struct token_line {
    json_t *golden;
    size_t count;
    int32_t *ids;
    float *vectors;
} token_line;

enum { LINES_MAX = 8 };

static token_line embed_tokens(json_t *golden_taken)
{
    token_line line = { .golden = golden_taken };
    const char *text = json_string_value(json_object_get(golden_taken, "text"));
    assert_int_equal(icl_encoder_count_tokens(encoder, &line.count, &text, 1), ICL_OK);
    line.ids = malloc((line.count + 1) * sizeof *line.ids);
    line.vectors =
        malloc((line.count * icl_encoder_vector_size(encoder) + 1) * sizeof *line.vectors);
    assert_true(line.ids != NULL && line.vectors != NULL);
    assert_int_equal(icl_encoder_embed_tokens(encoder, line.ids, line.vectors, &text, 1), ICL_OK);
    return line;
}

static size_t load_token_lines(token_line lines[LINES_MAX])
{
    FILE *file = fopen(ICL_SOURCE_DIR "/tests/golden/encoder_tokens.jsonl", "r");
    assert_non_null(file);
    size_t count = 0;
    for (json_t *line; (line = json_loadf(file, JSON_DISABLE_EOF_CHECK, NULL)) != NULL; count++) {
        assert_true(count < LINES_MAX);
        lines[count] = embed_tokens(line);
    }
    fclose(file);
    return count;
}

static void free_token_lines(token_line *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        json_decref(lines[i].golden);
        free(lines[i].ids);
        free(lines[i].vectors);
    }
}

/* Largest difference of a cosine between tokens of two texts from the reference. */
static double token_error(const token_line *rows, const token_line *columns, const json_t *expected)
{
    const size_t size = icl_encoder_vector_size(encoder);
    double largest = 0;
    for (size_t i = 0; i < rows->count; i++)
        for (size_t j = 0; j < columns->count; j++) {
            const double cosine = dot(rows->vectors + i * size, columns->vectors + j * size, size);
            const json_t *number = json_array_get(json_array_get(expected, i), j);
            largest = fmax(largest, fabs(cosine - json_number_value(number)));
        }
    return largest;
}

static void test_encoder__token_vectors_equal_the_python_package(void **state)
{
    token_line lines[LINES_MAX];
    const size_t count = load_token_lines(lines);
    double largest = 0;
    assert_int_equal(count, 7);
    for (size_t i = 0; i < count; i++) {
        const json_t *ids = json_object_get(lines[i].golden, "ids");
        assert_int_equal(lines[i].count, json_array_size(ids));
        for (size_t t = 0; t < lines[i].count; t++)
            assert_int_equal(lines[i].ids[t], json_integer_value(json_array_get(ids, t)));
        const json_t *cosines = json_object_get(lines[i].golden, "cosines");
        for (size_t j = 0; j < json_array_size(cosines); j++)
            largest = fmax(largest, token_error(&lines[i], &lines[j], json_array_get(cosines, j)));
    }
    printf("largest difference of a token's cosine: %g\n", largest);
    assert_true(largest <= 1e-3);
    free_token_lines(lines, count);
}

static void test_encoder__token_vectors_do_not_depend_on_their_neighbours(void **state)
{
    const size_t size = icl_encoder_vector_size(encoder), count = golden.count;
    const char *const *texts = (const char *const *)golden.texts;
    size_t *counts = malloc(count * sizeof *counts), total = 0;
    assert_non_null(counts);
    assert_int_equal(icl_encoder_count_tokens(encoder, counts, texts, count), ICL_OK);
    for (size_t i = 0; i < count; i++) total += counts[i];
    int32_t *ids = malloc(2 * total * sizeof *ids);
    float *together = malloc(2 * total * size * sizeof *together);
    assert_true(ids != NULL && together != NULL);
    assert_int_equal(icl_encoder_embed_tokens(encoder, ids, together, texts, count), ICL_OK);
    float *alone = together + total * size;
    for (size_t i = 0, first = 0; i < count; first += counts[i++]) {
        if (i % 17 != 0) continue;
        assert_int_equal(icl_encoder_embed_tokens(encoder, ids + total, alone, texts + i, 1),
                         ICL_OK);
        assert_memory_equal(ids + total, ids + first, counts[i] * sizeof *ids);
        assert_memory_equal(alone, together + first * size, counts[i] * size * sizeof *alone);
        assert_near(dot(alone, alone, size), 1.0, 1e-6);
    }
    free(together);
    free(ids);
    free(counts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encoder__cosines_equal_the_python_package),
        cmocka_unit_test(test_encoder__vectors_do_not_depend_on_their_neighbours),
        cmocka_unit_test(test_encoder__empty_and_overlong_texts_have_vectors),
        cmocka_unit_test(test_encoder__token_vectors_equal_the_python_package),
        cmocka_unit_test(test_encoder__token_vectors_do_not_depend_on_their_neighbours),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
