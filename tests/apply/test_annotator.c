/* Annotating on the table model, whose next byte is the first letter of the last demonstration's
 * label, strongly or, where the query holds a question mark, hardly at all. A query's word stands
 * only in examples of its label, so one demonstration by shared words is always right; the label of
 * a query with a question mark is any. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <icl/annotate.h>
#include <icl/sys/model.h>

#include "apply/annotate_state.h"
#include "base/text.h"
#include "copying_model.h"
#include "math/logspace.h"
#include "near.h"

enum { EXAMPLES = 90, ROWS = 20 };

#define BY_WORDS "select=bm25(k=1) order=nearest-last score=direct "

/* ---- the world ---- */

static bool query_doubts(const int32_t *context, size_t count)
{
    for (size_t at = count; at > 1; at--) {
        if (context[at - 1] == '?') return true;
        if (context[at - 1] == '\n' && context[at - 2] == '\n') return false;
    }
    return false;
}

static void copying_logits(void *user, float *out, const int32_t *context, size_t count)
{
    (void)user;
    copy_last_label(out, context, count, query_doubts(context, count) ? 0.5F : 4.0F);
}

typedef struct test_world {
    char train[64];
    icl_task *task;
    icl_model *model;
    icl_engine *engine;
    icl_annotate_options options;
    icl_annotator *annotator;
} test_world;

/* Every fifth is in doubt, and its label has nothing to do with its word. */
static void write_examples(const char *path, size_t count)
{
    static const char *const labels[] = { "ant", "bee", "cow" };
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (size_t i = 0; i < count; i++)
        fprintf(file, "{\"text\":\"word%c number%zu%s\",\"label\":\"%s\"}\n", "xyz"[i % 3], i,
                i % 5 == 0 ? "?" : "", labels[i % 5 == 0 ? i / 15 % 3 : i % 3]);
    assert_int_equal(fclose(file), 0);
}

static int open_world(void **state)
{
    static test_world world;
    memset(&world, 0, sizeof world);
    strcpy(world.train, "/tmp/icl-test-annotate-XXXXXX.jsonl");
    const int descriptor = mkstemps(world.train, 6);
    assert_true(descriptor >= 0);
    close(descriptor);
    write_examples(world.train, EXAMPLES);
    assert_int_equal(icl_task_default(&world.task), ICL_OK);
    assert_int_equal(icl_task_set_text(world.task, ICL_TASK_TRAIN_PATH, world.train), ICL_OK);
    assert_int_equal(icl_task_set_text(world.task, ICL_TASK_TEST_PATH, "/no/such/test.jsonl"),
                     ICL_OK);
    assert_int_equal(icl_model_open_table(&world.model, copying_logits, NULL, 0), ICL_OK);
    assert_int_equal(icl_engine_open(&world.engine, world.model, NULL), ICL_OK);
    world.options = icl_annotate_options_default();
    world.options.run.task = world.task;
    world.options.run.strategy = BY_WORDS "calibrate=none";
    *state = &world;
    return 0;
}

static int close_world(void **state)
{
    test_world *world = *state;
    icl_annotator_free(world->annotator);
    icl_engine_close(world->engine);
    icl_model_close(world->model);
    icl_task_free(world->task);
    unlink(world->train);
    return 0;
}

static const icl_annotate_summary *summary_of(const test_world *world)
{
    return icl_annotator_get_summary(world->annotator);
}

static void validate(test_world *world)
{
    icl_annotator_free(world->annotator);
    world->annotator = NULL;
    assert_int_equal(icl_annotator_new(&world->annotator, world->engine, &world->options), ICL_OK);
    assert_int_equal(icl_annotator_plan(world->annotator, NULL), ICL_OK);
    assert_int_equal(icl_annotator_validate(world->annotator), ICL_OK);
}

/* ---- rows in and lines out, as strings ---- */

static FILE *stream_of(const char *text)
{
    FILE *stream = tmpfile();
    assert_non_null(stream);
    assert_true(fputs(text, stream) >= 0);
    rewind(stream);
    return stream;
}

static char *text_of(FILE *stream)
{
    const long length = ftell(stream);
    char *text = calloc((size_t)length + 1, 1);
    assert_non_null(text);
    rewind(stream);
    assert_int_equal(fread(text, 1, (size_t)length, stream), (size_t)length);
    return text;
}

static char *rows_text(size_t count)
{
    icl_text text = { 0 };
    for (size_t i = 0; i < count; i++)
        icl_text_printf(&text, "{\"n\":%zu,\"text\":\"word%c%s new\"}\n", i, "xyz"[i % 3],
                        i % 4 == 0 ? "?" : "");
    return icl_text_take(&text, NULL);
}

/* The lines written, yours; `out_review` may be NULL. `done` NULL: none. */
static char *label(icl_status expected, const test_world *world, const char *rows, const char *done,
                   char **out_review)
{
    FILE *in = stream_of(rows), *out = tmpfile(), *review = tmpfile();
    FILE *before = done != NULL ? stream_of(done) : NULL;
    const icl_annotate_stream stream = { .in = { .stream = in, .name = "rows.jsonl" },
                                         .out = out,
                                         .done = before,
                                         .review = out_review != NULL };
    assert_int_equal(icl_annotator_label(world->annotator, &stream), expected);
    char *text = text_of(out);
    if (out_review != NULL) {
        assert_int_equal(icl_annotator_write_review(world->annotator, review), ICL_OK);
        *out_review = text_of(review);
    }
    fclose(in);
    fclose(out);
    fclose(review);
    if (before != NULL) fclose(before);
    return text;
}

static double confidence_of(const char *lines, size_t line)
{
    for (size_t i = 0; i < line; i++) lines = strchr(lines, '\n') + 1;
    return strtod(strstr(lines, "\"confidence\":") + strlen("\"confidence\":"), NULL);
}

/* ---- tests ---- */

static void test_annotator__validation_rows_are_held_out_of_the_pool(void **state)
{
    test_world *world = *state;
    FILE *file = fopen(world->train, "a");
    fputs("{\"text\":\"seldom\",\"label\":\"dog\"}\n", file);
    fclose(file);
    world->options.validation = EXAMPLES - 5;
    assert_int_equal(icl_annotator_new(&world->annotator, world->engine, &world->options), ICL_OK);
    const icl_task_data *split = &world->annotator->split;
    assert_int_equal(icl_dataset_count(split->test), EXAMPLES - 5);
    assert_int_equal(icl_dataset_count(split->train), 6);
    bool has_dog = false;
    for (size_t i = 0; i < 6; i++) {
        const icl_example *item = icl_dataset_at(split->train, i);
        assert_true(icl_dataset_find(split->test, icl_example_id(item)) == SIZE_MAX);
        if (i > 0)
            assert_true(icl_example_line(item) >
                        icl_example_line(icl_dataset_at(split->train, i - 1)));
        has_dog |= strcmp(icl_example_input(item), "seldom") == 0;
    }
    assert_true(has_dog);
}

/* The answers of a plain run over the same pool, over the temperature; the scores of batch
 * calibration less the mean over the validation rows and the row itself. */
static void expect_confidence(const test_world *world, const char *rows, const char *lines,
                              bool batch)
{
    FILE *in = stream_of(rows);
    icl_task_data data = world->annotator->split;
    const icl_dataset_options reading = { .input_fields = (const char *const[]){ "text" },
                                          .input_field_count = 1,
                                          .id_field = "n" };
    assert_int_equal(icl_dataset_read(&data.test, in, "rows.jsonl", &reading), ICL_OK);
    icl_run_options options = world->options.run;
    icl_run *run = NULL, *validation = NULL;
    options.strategy = BY_WORDS "calibrate=none";
    options.data = &data;
    assert_int_equal(icl_run_new(&run, world->engine, &options), ICL_OK);
    options.data = &world->annotator->split;
    assert_int_equal(icl_run_new(&validation, world->engine, &options), ICL_OK);
    assert_int_equal(icl_run_execute(run), ICL_OK);
    assert_int_equal(icl_run_execute(validation), ICL_OK);
    const size_t count = summary_of(world)->validation_count;
    for (size_t row = 0; row < ROWS; row++) {
        double scores[3], mean[3] = { 0 };
        memcpy(scores, icl_run_sample_at(run, row).logprobs_nats, sizeof scores);
        for (size_t y = 0; y < 3; y++) {
            for (size_t v = 0; v < count; v++)
                mean[y] += icl_run_sample_at(validation, v).logprobs_nats[y];
            mean[y] = (mean[y] + scores[y]) / (double)(count + 1);
        }
        for (size_t y = 0; y < 3; y++)
            scores[y] = (scores[y] - (batch ? mean[y] : 0)) / summary_of(world)->temperature;
        icl_softmax(scores, scores, 3);
        assert_near(confidence_of(lines, row), scores[icl_argmax(scores, 3)], 1e-6);
    }
    icl_run_free(run);
    icl_run_free(validation);
    icl_dataset_close(data.test);
    fclose(in);
}

static void test_annotator__confidence_is_calibrated_among_the_validation_rows(void **state)
{
    test_world *world = *state;
    char *rows = rows_text(ROWS);
    for (int batch = 0; batch < 2; batch++) {
        world->options.run.strategy =
            batch ? BY_WORDS "calibrate=batch" : BY_WORDS "calibrate=none";
        validate(world);
        assert_true(summary_of(world)->temperature > 0.05);
        char *lines = label(ICL_OK, world, rows, NULL, NULL);
        expect_confidence(world, rows, lines, batch);
        free(lines);
    }
    free(rows);
}

static void test_annotator__answers_do_not_depend_on_the_chunk(void **state)
{
    static const char *const strategies[] = {
        BY_WORDS "calibrate=none",
        BY_WORDS "calibrate=batch",
        BY_WORDS "calibrate=batch(space=prob,validation=10)",
        BY_WORDS "calibrate=contextual",
        BY_WORDS "calibrate=prototypical",
        BY_WORDS "calibrate=temperature(of=\"contextual\",validation=10)",
        BY_WORDS "calibrate=linear(validation=10)",
        "select=random(k=2) calibrate=domain(texts=3)",
        "select=random(k=2) score=pmi-dc calibrate=prior",
        "select=random(k=2) order=global-e score=knn-prompting(anchors=4) calibrate=none",
    };
    test_world *world = *state;
    char *rows = rows_text(ROWS);
    world->options.validation = 12;
    for (size_t s = 0; s < sizeof strategies / sizeof *strategies; s++) {
        char *first = NULL;
        world->options.run.strategy = strategies[s];
        for (size_t chunk = 1; chunk <= 49; chunk += chunk < 7 ? 6 : 42) {
            world->options.chunk_rows = chunk;
            validate(world);
            char *lines = label(ICL_OK, world, rows, NULL, NULL);
            if (first != NULL) {
                assert_string_equal(lines, first);
                free(lines);
            } else {
                first = lines;
            }
            assert_int_equal(summary_of(world)->rows, ROWS);
        }
        free(first);
    }
    free(rows);
}

static void test_annotator__the_cost_is_known_before(void **state)
{
    test_world *world = *state;
    char *rows = rows_text(ROWS);
    FILE *in = stream_of(rows);
    world->options.chunk_rows = 7;
    world->options.run.strategy = BY_WORDS "calibrate=contextual";
    assert_int_equal(icl_annotator_new(&world->annotator, world->engine, &world->options), ICL_OK);
    const icl_annotate_source source = { .stream = in, .name = "rows.jsonl" };
    assert_int_equal(icl_annotator_plan(world->annotator, &source), ICL_OK);
    fclose(in);
    const icl_annotate_summary *summary = summary_of(world);
    assert_int_equal(icl_engine_get_meter(world->engine).requests, 0);
    assert_int_equal(summary->labelling.rows, ROWS);
    assert_false(summary->is_estimate);
    assert_int_equal(icl_annotator_validate(world->annotator), ICL_OK);
    assert_int_equal(icl_engine_get_meter(world->engine).tokens_trie, summary->validating.tokens);
    free(label(ICL_OK, world, rows, NULL, NULL));
    const icl_meter meter = icl_engine_get_meter(world->engine);
    assert_int_equal(meter.tokens_trie, summary->validating.tokens + summary->labelling.tokens);
    assert_int_equal(meter.requests, summary->validating.requests + summary->labelling.requests);
    assert_near((double)summary->per_1000.tokens,
                1000.0 * (double)summary->validating.tokens / (double)summary->validating.rows, 1);
    free(rows);
}

/* Rows in doubt are abstained from, and the person sees the least confident first. */
static void test_annotator__abstains_below_the_threshold(void **state)
{
    test_world *world = *state;
    char *rows = rows_text(ROWS), *review = NULL;
    world->options.precision = 0.8;
    validate(world);
    const icl_annotate_summary *summary = summary_of(world);
    assert_true(summary->reached_ci95[0] >= 0.8);
    assert_true(summary->coverage < 1);
    char *lines = label(ICL_OK, world, rows, NULL, &review);
    size_t abstained = 0;
    for (char *line = strtok(lines, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        const bool abstains = strstr(line, ",\"abstain\":true}") != NULL;
        assert_int_equal(abstains, confidence_of(line, 0) < summary->threshold - 1e-6);
        assert_int_equal(abstains, strchr(line, '?') != NULL);
        abstained += abstains;
    }
    assert_int_equal(abstained, ROWS / 4);
    assert_int_equal(summary->abstained, abstained);
    for (size_t i = 0; i + 1 < abstained; i++)
        assert_true(confidence_of(review, i) <= confidence_of(review, i + 1));
    size_t reviewed = 0;
    for (const char *at = review; (at = strchr(at, '\n')) != NULL; at++) reviewed++;
    assert_int_equal(reviewed, abstained);
    free(review);
    free(lines);
    free(rows);
}

static void test_annotator__a_precision_out_of_reach_is_refused(void **state)
{
    test_world *world = *state;
    world->options.precision = 0.99;
    assert_int_equal(icl_annotator_new(&world->annotator, world->engine, &world->options), ICL_OK);
    assert_int_equal(icl_annotator_plan(world->annotator, NULL), ICL_OK);
    assert_int_equal(icl_annotator_validate(world->annotator), ICL_ENOTFOUND);
    assert_non_null(strstr(icl_error_message(),
                           "a precision of 0.99 cannot be promised from 30 validation rows; the "
                           "most is 0."));
}

static void test_annotator__goes_on_behind_finished_lines(void **state)
{
    test_world *world = *state;
    char *rows = rows_text(ROWS), *review = NULL, *whole_review = NULL;
    world->options.precision = 0.8;
    world->options.chunk_rows = 4;
    validate(world);
    char *whole = label(ICL_OK, world, rows, NULL, &whole_review);
    char *cut = whole;
    for (size_t i = 0; i < 10; i++) cut = strchr(cut, '\n') + 1;
    char *done = strndup(whole, (size_t)(cut - whole));
    const uint64_t asked = icl_engine_get_meter(world->engine).requests;
    char *rest = label(ICL_OK, world, rows, done, &review);
    assert_string_equal(rest, cut);
    assert_string_equal(review, whole_review);
    assert_int_equal(summary_of(world)->done_rows, 10);
    assert_int_equal(summary_of(world)->rows, ROWS);
    assert_int_equal(icl_engine_get_meter(world->engine).requests - asked, 3 * (ROWS - 10));
    free(rest);

    free(label(ICL_EINVAL, world, strchr(rows, '\n') + 1, done, NULL));
    assert_string_equal(icl_error_message(),
                        "rows.jsonl:1: the row is not the one that was labelled before the "
                        "interruption");
    rows[100] = '\0';
    *strrchr(rows, '\n') = '\0';
    free(label(ICL_EINVAL, world, rows, done, NULL));
    assert_string_equal(icl_error_message(), "rows.jsonl: there are fewer rows than were labelled "
                                             "before the interruption");
    free(done);
    free(review);
    free(whole_review);
    free(whole);
    free(rows);
}

static void test_annotator__rows_keep_their_fields(void **state)
{
    test_world *world = *state;
    validate(world);
    char *lines = label(ICL_OK, world,
                        "{\"label\":\"\",\"text\":\"wordx\",\"a\":0.1,\"b\":[1,{\"c\":null}]}\n"
                        "{\"text\":\"wordy \xC3\xA4\",\"third\":0.33333333333333331}\n",
                        NULL, NULL);
    const char *second = strchr(lines, '\n') + 1;
    const char first_row[] =
        "{\"text\":\"wordx\",\"a\":0.1,\"b\":[1,{\"c\":null}],\"label\":\"ant\",\"confidence\":0.";
    const char second_row[] =
        "{\"text\":\"wordy \xC3\xA4\",\"third\":0.3333333333333333,\"label\":\"bee\","
        "\"confidence\":0.";
    assert_int_equal(strncmp(lines, first_row, sizeof first_row - 1), 0);
    assert_int_equal(strncmp(second, second_row, sizeof second_row - 1), 0);
    assert_true(strlen(strstr(second, "\"confidence\":")) <= strlen("\"confidence\":0.123456}\n"));
    free(lines);
}

/* The rows before a bad one are labelled, whatever the chunk. */
static void test_annotator__bad_rows_are_named_behind_the_good_ones(void **state)
{
    static const struct {
        const char *row, *sentence;
    } cases[] = {
        { "{\"text\":\"c\",\"label\":\"ant\"}",
          "rows.jsonl:3: the row has a field \"label\" already" },
        { "{\"text\":\"c\",\"label\":0}", "rows.jsonl:3: the row has a field \"label\" already" },
        { "{\"text\":\"c\",\"abstain\":false}",
          "rows.jsonl:3: the row has a field \"abstain\" already" },
        { "{\"text\":\"c\",\"confidence\":1}",
          "rows.jsonl:3: the row has a field \"confidence\" already" },
        { "{\"tex\":\"c\"}", "rows.jsonl:3: field \"text\" is missing; the row has \"tex\"" },
        { "{\"text\":", "rows.jsonl:3:8: invalid JSON" },
    };
    test_world *world = *state;
    for (size_t chunk = 1; chunk <= 4; chunk++) {
        world->options.chunk_rows = chunk;
        validate(world);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            char rows[200];
            snprintf(rows, sizeof rows, "{\"text\":\"wordx\"}\n{\"text\":\"wordy\"}\n%s\n",
                     cases[i].row);
            char *lines = label(ICL_EPARSE, world, rows, NULL, NULL);
            assert_int_equal(
                strncmp(icl_error_message(), cases[i].sentence, strlen(cases[i].sentence)), 0);
            assert_int_equal(summary_of(world)->rows, 2);
            assert_non_null(strstr(lines, "\n{\"text\":\"wordy\""));
            free(lines);
        }
    }
    free(label(ICL_EPARSE, world, "\n\n", NULL, NULL));
    assert_string_equal(icl_error_message(), "rows.jsonl: there are no rows to label");
}

static void refuse(test_world *world, const char *sentence)
{
    assert_int_equal(icl_annotator_new(&world->annotator, world->engine, &world->options),
                     ICL_EINVAL);
    const char *message = icl_error_message();
    const size_t length = strlen(message), tail = strlen(sentence);
    assert_true(length >= tail);
    assert_string_equal(message + length - tail, sentence);
    assert_null(world->annotator);
}

static void test_annotator__what_cannot_be_validated_is_refused(void **state)
{
    test_world *world = *state;
    world->options.validation = EXAMPLES;
    refuse(world, ": of 90 examples at most 87 can be validation rows, since one of each label "
                  "stays in the pool; 90 are wanted");
    world->options.validation = 1;
    refuse(world, "1 validation row is too few to fit confidence on");
    world->options.validation = 0;
    world->options.precision = 1;
    refuse(world, "a precision of 1 is not between 0 and 1");
    world->options.precision = 0;
    write_examples(world->train, 29);
    refuse(world, ": 29 examples are too few: confidence is fitted on a third of them, and that "
                  "has to be 10 at least");
    assert_int_equal(icl_task_set_text(world->task, ICL_TASK_LABEL_FIELD, "confidence"), ICL_OK);
    refuse(world, "the label field is named \"confidence\", which is written beside the label");
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(test_annotator__validation_rows_are_held_out_of_the_pool),
        WITH_WORLD(test_annotator__confidence_is_calibrated_among_the_validation_rows),
        WITH_WORLD(test_annotator__answers_do_not_depend_on_the_chunk),
        WITH_WORLD(test_annotator__the_cost_is_known_before),
        WITH_WORLD(test_annotator__abstains_below_the_threshold),
        WITH_WORLD(test_annotator__a_precision_out_of_reach_is_refused),
        WITH_WORLD(test_annotator__goes_on_behind_finished_lines),
        WITH_WORLD(test_annotator__rows_keep_their_fields),
        WITH_WORLD(test_annotator__bad_rows_are_named_behind_the_good_ones),
        WITH_WORLD(test_annotator__what_cannot_be_validated_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
