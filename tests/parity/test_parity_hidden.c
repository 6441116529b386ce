/* Last hidden states of the shipped model against those of transformers
 * (golden/parity_hidden.jsonl), all prompts in one batch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <jansson.h>

#include <icl/engine.h>

#include "base/file.h"
#include "base/text.h"
#include "near.h"
#include "shipped_model.h"

enum { PROMPTS = 12, PREFIX_MAX = 2048 };

static void read_rows(json_t *rows[PROMPTS])
{
    FILE *file = fopen(ICL_SOURCE_DIR "/tests/golden/parity_hidden.jsonl", "rb");
    assert_non_null(file);
    icl_text line = { 0 };
    bool too_long = false;
    size_t count = 0;
    while (icl_line_read(&line, file, &too_long)) {
        assert_true(count < PROMPTS);
        rows[count] = json_loadb(line.bytes, line.length, 0, NULL);
        assert_non_null(rows[count++]);
    }
    assert_int_equal(count, PROMPTS);
    icl_text_deinit(&line);
    fclose(file);
}

static size_t add_hidden(icl_batch *batch, const json_t *row)
{
    int32_t tokens[PREFIX_MAX];
    size_t prefix, request;
    const json_t *list = json_object_get(row, "prefix_tokens");
    const size_t count = json_array_size(list);
    assert_in_range(count, 1, PREFIX_MAX);
    for (size_t i = 0; i < count; i++)
        tokens[i] = (int32_t)json_integer_value(json_array_get(list, i));
    assert_int_equal(icl_batch_add_prefix(batch, tokens, count, &prefix), ICL_OK);
    assert_int_equal(icl_batch_add_hidden(batch, prefix, &request), ICL_OK);
    return request;
}

static void test_parity_hidden__states_equal_the_reference(void **state)
{
    (void)state;
    json_t *rows[PROMPTS];
    size_t requests[PROMPTS], count = 0;
    icl_model *model = NULL;
    icl_engine *engine = NULL;
    icl_batch *batch = NULL;
    icl_model_options options = icl_model_options_default();
    options.thread_count = 1;
    assert_int_equal(icl_model_open(&model, SHIPPED_MODEL, &options), ICL_OK);
    assert_int_equal(icl_engine_open(&engine, model, NULL), ICL_OK);
    assert_int_equal(icl_batch_new(&batch), ICL_OK);
    read_rows(rows);
    for (size_t p = 0; p < PROMPTS; p++) requests[p] = add_hidden(batch, rows[p]);
    if (icl_engine_run(engine, batch) != ICL_OK) fail_msg("%s", icl_error_message());
    double largest = 0;
    for (size_t p = 0; p < PROMPTS; p++) {
        const json_t *expected = json_object_get(rows[p], "hidden");
        const float *hidden = icl_batch_hidden(batch, requests[p], &count);
        assert_int_equal(count, json_array_size(expected));
        for (size_t d = 0; d < count; d++) {
            const double want = json_number_value(json_array_get(expected, d));
            if (fabs(want - (double)hidden[d]) > largest) largest = fabs(want - (double)hidden[d]);
            assert_near(hidden[d], want, 1e-3);
        }
        json_decref(rows[p]);
    }
    print_message("largest difference %.3g\n", largest);
    icl_batch_free(batch);
    icl_engine_close(engine);
    icl_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parity_hidden__states_equal_the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
