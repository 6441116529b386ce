/* The scoring filter on a model with known probabilities: "a" is three times as likely as any other
 * byte, whatever stands before it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include <icl/lines.h>
#include <icl/sys/model.h>

enum { VOCAB_COUNT = 257, WINDOW_TOKENS = 16, ANSWERS_MAX = 8 };

static const double logprob_a = -4.4582156;     /* log(3 / 259) */
static const double logprob_other = -5.5568279; /* log(1 / 259) */

static void favour_a(void *user, float *out, const int32_t *context, size_t count)
{
    (void)user, (void)context, (void)count;
    for (size_t i = 0; i < VOCAB_COUNT; i++) out[i] = i == 'a' ? logf(3) : 0;
}

typedef struct filtered {
    json_t *answers[ANSWERS_MAX];
    size_t count;
    icl_lines_counts counts;
} filtered;

static filtered filter(const char *input, size_t batch_lines)
{
    filtered self = { .count = 0 };
    icl_model *model = NULL;
    icl_engine *engine = NULL;
    assert_int_equal(icl_model_open_table(&model, favour_a, NULL, WINDOW_TOKENS), ICL_OK);
    assert_int_equal(icl_engine_open(&engine, model, NULL), ICL_OK);
    char *text = NULL;
    size_t length = 0;
    FILE *in = fmemopen((void *)input, strlen(input), "r"), *out = open_memstream(&text, &length);
    icl_lines_options options = icl_lines_options_default();
    options.batch_lines = batch_lines;
    assert_int_equal(icl_lines_score(engine, in, out, &options, &self.counts), ICL_OK);
    fclose(in);
    fclose(out);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        assert_true(self.count < ANSWERS_MAX);
        self.answers[self.count] = json_loads(line, 0, NULL);
        assert_non_null(self.answers[self.count++]);
    }
    free(text);
    icl_engine_close(engine);
    icl_model_close(model);
    return self;
}

static void release(filtered *self)
{
    for (size_t i = 0; i < self->count; i++) json_decref(self->answers[i]);
}

static double logprob(const filtered *self, size_t index)
{
    return json_number_value(json_object_get(self->answers[index], "logprob"));
}

static const char *error(const filtered *self, size_t index)
{
    return json_string_value(json_object_get(self->answers[index], "error"));
}

static void test_lines_score__text_is_scored_token_by_token(void **state)
{
    filtered got = filter("{\"id\":\"x\",\"prefix\":\"hello\",\"continuation\":\"aab\"}\n", 8);
    assert_int_equal(got.count, 1);
    assert_string_equal(json_string_value(json_object_get(got.answers[0], "id")), "x");
    const json_t *tokens = json_object_get(got.answers[0], "token_logprobs");
    assert_int_equal(json_array_size(tokens), 3);
    assert_true(fabs(json_number_value(json_array_get(tokens, 0)) - logprob_a) < 1e-6);
    assert_true(fabs(json_number_value(json_array_get(tokens, 2)) - logprob_other) < 1e-6);
    assert_true(fabs(logprob(&got, 0) - 2 * logprob_a - logprob_other) < 1e-5);
    assert_true(json_is_false(json_object_get(got.answers[0], "greedy")));
    release(&got);
}

static void test_lines_score__greedy_when_every_token_is_the_first_choice(void **state)
{
    filtered got = filter("{\"id\":1,\"prefix\":\"\",\"continuation\":\"aaa\"}\n", 8);
    assert_true(json_is_true(json_object_get(got.answers[0], "greedy")));
    release(&got);
}

static void test_lines_score__text_and_its_tokens_agree(void **state)
{
    filtered got = filter("{\"id\":1,\"prefix\":\"b\",\"continuation\":\"a\"}\n"
                          "{\"id\":1,\"prefix_tokens\":[256,98],\"continuation_tokens\":[97]}\n",
                          8);
    assert_true(json_equal(got.answers[0], got.answers[1]));
    release(&got);
}

static void test_lines_score__a_bad_line_leaves_its_neighbours_alone(void **state)
{
    static const char input[] =
        "{\"id\":1,\"prefix\":\"b\",\"continuation\":\"a\"}\n"
        "{\"id\":2,\"prefix\":\"0123456789\",\"continuation\":\"0123456\"}\n" /* 17 with BOS */
        "\n"
        "{\"id\":3,\"prefix_tokens\":[257],\"continuation_tokens\":[97]}\n"
        "no\n"
        "{\"id\":5,\"prefix\":\"b\",\"continuation\":\"a\"}\n";
    for (size_t batch_lines = 1; batch_lines <= 6; batch_lines++) {
        filtered got = filter(input, batch_lines);
        assert_int_equal(got.count, 5);
        assert_int_equal(got.counts.lines, 6);
        assert_int_equal(got.counts.scored, 2);
        assert_int_equal(got.counts.bad, 3);
        assert_true(fabs(logprob(&got, 0) - logprob_a) < 1e-6);
        assert_non_null(strstr(error(&got, 1), "17 tokens"));
        assert_non_null(strstr(error(&got, 2), "257"));
        assert_non_null(strstr(error(&got, 3), "JSON"));
        assert_int_equal(json_integer_value(json_object_get(got.answers[3], "line")), 5);
        assert_true(fabs(logprob(&got, 4) - logprob_a) < 1e-6);
        release(&got);
    }
}

static void test_lines_score__the_window_is_used_to_its_last_token(void **state)
{
    /* BOS + 15 bytes are evaluated; the sixteenth is only scored. */
    filtered got = filter("{\"id\":1,\"prefix\":\"012345678\",\"continuation\":\"9012345\"}\n", 1);
    assert_null(error(&got, 0));
    release(&got);
}

static void test_lines_score__output_that_cannot_be_written_is_an_error(void **state)
{
    static const char input[] = "{\"id\":1,\"prefix\":\"b\",\"continuation\":\"a\"}\n";
    icl_model *model = NULL;
    icl_engine *engine = NULL;
    assert_int_equal(icl_model_open_table(&model, favour_a, NULL, WINDOW_TOKENS), ICL_OK);
    assert_int_equal(icl_engine_open(&engine, model, NULL), ICL_OK);
    FILE *in = fmemopen((void *)input, strlen(input), "r"), *out = fopen("/dev/full", "w");
    assert_int_equal(icl_lines_score(engine, in, out, NULL, NULL), ICL_EIO);
    assert_non_null(strstr(icl_error_message(), "cannot write"));
    fclose(in);
    fclose(out);
    icl_engine_close(engine);
    icl_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_score__text_is_scored_token_by_token),
        cmocka_unit_test(test_lines_score__greedy_when_every_token_is_the_first_choice),
        cmocka_unit_test(test_lines_score__text_and_its_tokens_agree),
        cmocka_unit_test(test_lines_score__a_bad_line_leaves_its_neighbours_alone),
        cmocka_unit_test(test_lines_score__the_window_is_used_to_its_last_token),
        cmocka_unit_test(test_lines_score__output_that_cannot_be_written_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
