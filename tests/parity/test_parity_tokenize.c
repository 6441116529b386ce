/* The tokenizer of the shipped model against the ids of Hugging Face's
 * (golden/parity_tokenize.jsonl: whitespace runs, many scripts, real text), and back: the pieces of
 * a text join to its bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <jansson.h>

#include <icl/model.h>

#include "base/file.h"
#include "base/text.h"
#include "shipped_model.h"

enum { TOKENS_MAX = 1024, PIECE_BYTES_MAX = 256, STRINGS = 200 };

static int open_model(void **state)
{
    icl_model_options options = icl_model_options_default();
    options.thread_count = 1;
    icl_model *model = NULL;
    const icl_status status = icl_model_open(&model, SHIPPED_MODEL, &options);
    *state = model;
    return status == ICL_OK ? 0 : -1;
}

static int close_model(void **state)
{
    icl_model_close(*state);
    return 0;
}

typedef void string_check(icl_model *model, const char *text, size_t length,
                          const json_t *expected);

/* Runs `check` on every golden string. */
static void each_string(icl_model *model, string_check *check)
{
    FILE *file = fopen(ICL_SOURCE_DIR "/tests/golden/parity_tokenize.jsonl", "rb");
    assert_non_null(file);
    icl_text line = { 0 };
    bool too_long = false;
    size_t count = 0;
    while (icl_line_read(&line, file, &too_long)) {
        json_t *row = json_loadb(line.bytes, line.length, 0, NULL);
        assert_non_null(row);
        const json_t *text = json_object_get(row, "text");
        check(model, json_string_value(text), json_string_length(text),
              json_object_get(row, "tokens"));
        json_decref(row);
        count++;
    }
    assert_int_equal(count, STRINGS);
    icl_text_deinit(&line);
    fclose(file);
}

static void check_tokens(icl_model *model, const char *text, size_t length, const json_t *expected)
{
    int32_t tokens[TOKENS_MAX];
    size_t count = 0;
    assert_int_equal(icl_model_tokenize(model, tokens, TOKENS_MAX, &count, text, length, false),
                     ICL_OK);
    bool same = count == json_array_size(expected);
    for (size_t i = 0; same && i < count; i++)
        same = tokens[i] == json_integer_value(json_array_get(expected, i));
    if (!same)
        fail_msg("other tokens (%zu instead of %zu) for: %s", count, json_array_size(expected),
                 text);
}

static void check_pieces(icl_model *model, const char *text, size_t length, const json_t *expected)
{
    icl_text joined = { 0 };
    for (size_t i = 0; i < json_array_size(expected); i++) {
        char piece[PIECE_BYTES_MAX];
        size_t piece_length = 0;
        const int32_t token = (int32_t)json_integer_value(json_array_get(expected, i));
        assert_int_equal(icl_model_piece(model, piece, sizeof piece, &piece_length, token), ICL_OK);
        icl_text_append(&joined, piece, piece_length);
    }
    assert_int_equal(joined.length, length);
    assert_memory_equal(joined.bytes, text, length);
    icl_text_deinit(&joined);
}

static void test_parity_tokenize__ids_equal_the_reference(void **state)
{
    each_string(*state, check_tokens);
}

static void test_parity_tokenize__pieces_join_to_the_text(void **state)
{
    each_string(*state, check_pieces);
}

static void test_parity_tokenize__bos_is_announced_not_added(void **state)
{
    const icl_model_info *info = icl_model_get_info(*state);
    assert_int_equal(info->bos, 0);
    size_t count = 1;
    assert_int_equal(icl_model_tokenize(*state, NULL, 0, &count, "", 0, false), ICL_OK);
    assert_int_equal(count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parity_tokenize__ids_equal_the_reference),
        cmocka_unit_test(test_parity_tokenize__pieces_join_to_the_text),
        cmocka_unit_test(test_parity_tokenize__bos_is_announced_not_added),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
