/* The sentence encoder against the Python package it was converted from. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encoder__cosines_equal_the_python_package),
        cmocka_unit_test(test_encoder__vectors_do_not_depend_on_their_neighbours),
        cmocka_unit_test(test_encoder__empty_and_overlong_texts_have_vectors),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
