/* A training run as a whole, on models of a few thousand weights: what it leaves behind, that it
 * goes on as if it had never stopped, and what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <icl/report.h>
#include <icl/train.h>

#include "base/file.h"
#include "base/text.h"
#include "near.h"
#include "train/training_parts.h"

/* Labelled episodes over a small pool, and text: two phases, two micro-batches. */
#define RECIPE(rate, more)                                                                         \
    "name: tiny\nseed: 5\n"                                                                        \
    "model: { layers: 1, width: 32, heads: 2, feed_width: 32, window: 96 }\n"                      \
    "tokenizer: { vocabulary: 320 }\n"                                                             \
    "labels: { words: [all, say], held: [tall, short] }\n"                                         \
    "data: { pets: { file: pets.jsonl, label: label, terms: made up } }\n"                         \
    "phases:\n"                                                                                    \
    "  - { name: one, steps: 6, context: 96, rows: 4, rate: { peak: " rate ", warmup: 2 },\n"      \
    "      loss: { answer: 1, text: 0.5 }, mixture: [\n"                                           \
    "        { source: \"labelled(data=pets,classes=2,shots=2,words_max=4)\", weight: 2 },\n"      \
    "        { source: \"text(data=pets,length=32)\" }] }\n"                                       \
    "  - { name: two, steps: 4, context: 64, rows: 3, micro: 2, rate: { peak: " rate " },\n"       \
    "      loss: { answer: 1, over: vocabulary },\n"                                               \
    "      mixture: { source: \"labelled(data=pets,classes=2,shots=2,words_max=4)\" } }\n"         \
    "evaluate: { every: 5, episodes: 20, sets: [\n"                                                \
    "  { name: held, source: \"labelled(data=pets,classes=2,shots=2,words_max=4,labels=held)\" "   \
    "},\n"                                                                                         \
    "  { name: text, source: \"text(data=pets,length=32)\" }] }\n"                                 \
    "log: { every: 1 }\n" more

static char folder[64];

static const char *path_of(const char *name)
{
    static char paths[4][160];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void write_text(const char *name, const char *text)
{
    assert_int_equal(icl_file_write_atomic(path_of(name), text, strlen(text)), ICL_OK);
}

static void read_bytes(icl_text *out, const char *name)
{
    icl_text_clear(out);
    if (icl_file_read(out, path_of(name), 1 << 26) != ICL_OK) fail_msg("%s", icl_error_message());
}

static int set_up(void **state)
{
    strcpy(folder, "/tmp/icl-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    static const char *const kinds[] = { "cats", "dogs", "fish" };
    icl_text text = { 0 };
    for (int i = 0; i < 30; i++)
        icl_text_printf(&text, "{\"text\": \"all %s say tall short %d\", \"label\": \"%s\"}\n",
                        kinds[i % 3], i, kinds[i % 3]);
    write_text("pets.jsonl", icl_text_string(&text));
    icl_text_deinit(&text);
    write_text("tiny.yaml", RECIPE("1e-3", "checkpoint: { every: 3 }\n"));
    return 0;
}

static int tear_down(void **state)
{
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

/* --- running --- */

/* Cancels at a step. */
typedef struct stopper {
    icl_training *training;
    uint64_t step;
} stopper;

static void stop_at(void *user, const icl_train_progress *progress)
{
    stopper *self = user;
    if (strcmp(progress->stage, "training") == 0 && progress->step == self->step)
        icl_training_cancel(self->training);
}

typedef struct run_options {
    const char *recipe, *out;
    int threads;
    bool resume;
    stopper *stopper;
} run_options;

static icl_status run(run_options wanted)
{
    icl_training *training = NULL;
    char out[160], recipe[160];
    snprintf(out, sizeof out, "%s", path_of(wanted.out));
    snprintf(recipe, sizeof recipe, "%s",
             path_of(wanted.recipe != NULL ? wanted.recipe : "tiny.yaml"));
    icl_train_options options = icl_train_options_default();
    options.out_folder = out;
    options.thread_count = wanted.threads > 0 ? wanted.threads : 1;
    options.device = "cpu";
    options.resume = wanted.resume;
    if (wanted.stopper != NULL) {
        options.report = stop_at;
        options.user = wanted.stopper;
    }
    icl_status status = icl_training_open(&training, recipe, &options);
    if (wanted.stopper != NULL) wanted.stopper->training = training;
    if (status == ICL_OK) status = icl_training_run(training);
    icl_training_close(training);
    return status;
}

static void run_ok(run_options wanted)
{
    if (run(wanted) != ICL_OK) fail_msg("%s", icl_error_message());
}

static void assert_same_files(const char *a, const char *b)
{
    icl_text left = { 0 }, right = { 0 };
    read_bytes(&left, a);
    read_bytes(&right, b);
    assert_int_equal(left.length, right.length);
    assert_memory_equal(left.bytes, right.bytes, left.length);
    icl_text_deinit(&right);
    icl_text_deinit(&left);
}

static void assert_same_results(const char *a, const char *b)
{
    static const char *const names[] = { "checkpoint.gguf", "tiny.gguf", "evaluation.jsonl" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char left[64], right[64];
        snprintf(left, sizeof left, "%s/%s", a, names[i]);
        snprintf(right, sizeof right, "%s/%s", b, names[i]);
        assert_same_files(left, right);
    }
}

/* --- tests --- */

static void test_training__leaves_its_files_and_a_report(void **state)
{
    char *table = NULL, *json = NULL;
    icl_text text = { 0 };
    run_ok((run_options){ .out = "whole" });
    assert_int_equal(icl_report_training(path_of("whole")), ICL_OK);
    assert_int_equal(icl_report_training_table(&table, path_of("whole")), ICL_OK);
    assert_int_equal(icl_report_training_json(&json, path_of("whole")), ICL_OK);
    assert_non_null(strstr(table, "held"));
    assert_non_null(strstr(table, "10 steps"));
    assert_non_null(strstr(json, "\"evaluations\": [{\"step\": 0"));
    assert_non_null(strstr(json, "\"terms\": \"made up\""));
    read_bytes(&text, "whole/curve.svg");
    assert_non_null(strstr(icl_text_string(&text), "prefers-color-scheme:dark"));
    assert_non_null(strstr(icl_text_string(&text), ">nats</text>"));
    assert_non_null(strstr(icl_text_string(&text), "text(data=pets,length=32)"));
    read_bytes(&text, "whole/report.md");
    assert_non_null(strstr(icl_text_string(&text), "| two | 4 | 384 | 64 |"));
    icl_text_deinit(&text);
    free(json);
    free(table);
}

static void test_training__two_threads_give_the_same_bytes(void **state)
{
    run_ok((run_options){ .out = "threads", .threads = 2 });
    assert_same_results("whole", "threads");
}

/* Stopped in either phase, at a checkpoint and between two. */
static void test_training__stopped_and_resumed_it_gives_the_same_bytes(void **state)
{
    for (uint64_t at = 1; at < 10; at += 2) {
        char out[16];
        snprintf(out, sizeof out, "stop-%d", (int)at);
        stopper stop = { .step = at };
        assert_int_equal(run((run_options){ .out = out, .stopper = &stop }), ICL_ECANCELLED);
        run_ok((run_options){ .out = out, .resume = true });
        assert_same_results("whole", out);
    }
}

static void test_training__an_earlier_run_is_not_overwritten(void **state)
{
    assert_int_equal(run((run_options){ .out = "whole" }), ICL_EINVAL);
    assert_non_null(strstr(icl_error_message(), "holds an earlier run"));
    run_ok((run_options){ .out = "whole", .resume = true }); /* nothing is left to do */
    assert_same_results("whole", "threads");
}

static void test_training__a_checkpoint_of_another_recipe_is_refused(void **state)
{
    write_text("other.yaml", "name: tiny\nseed: 6\n");
    icl_text text = { 0 };
    read_bytes(&text, "tiny.yaml");
    char *seed = strstr(text.bytes, "seed: 5");
    seed[6] = '6';
    write_text("other.yaml", icl_text_string(&text));
    assert_int_equal(run((run_options){ .recipe = "other.yaml", .out = "whole", .resume = true }),
                     ICL_EINVAL);
    assert_non_null(strstr(icl_error_message(), "is of another recipe"));
    char *width = strstr(text.bytes, "width: 32");
    width[7] = '6', width[8] = '4';
    write_text("other.yaml", icl_text_string(&text));
    assert_int_equal(run((run_options){ .recipe = "other.yaml", .out = "whole", .resume = true }),
                     ICL_EINVAL);
    assert_non_null(strstr(icl_error_message(), "token_embd.weight"));
    assert_same_results("whole", "threads");
    icl_text_deinit(&text);
}

/* A rate of 1e30 overflows the weights in the first step; the checkpoint of step 0 cannot be, and
 * nothing that is not finite is ever kept. */
static void test_training__a_loss_that_is_not_finite_stops_the_run(void **state)
{
    write_text("wild.yaml", RECIPE("1e30", "checkpoint: { every: 1 }\n"));
    assert_int_equal(run((run_options){ .recipe = "wild.yaml", .out = "wild" }), ICL_EMODEL);
    assert_non_null(strstr(icl_error_message(), "of phase \"one\""));
    assert_int_not_equal(access(path_of("wild/tiny.gguf"), F_OK), 0);
}

static void test_training__two_runs_in_one_folder_refuse_each_other(void **state)
{
    icl_training *first = NULL;
    icl_train_options options = icl_train_options_default();
    char out[160], recipe[160];
    snprintf(out, sizeof out, "%s", path_of("busy"));
    snprintf(recipe, sizeof recipe, "%s", path_of("tiny.yaml"));
    options.out_folder = out;
    options.thread_count = 1;
    assert_int_equal(icl_training_open(&first, recipe, &options), ICL_OK);
    assert_int_equal(icl_training_lock_folder(first), ICL_OK);
    assert_int_equal(run((run_options){ .out = "busy" }), ICL_EBUSY);
    icl_training_close(first);
    run_ok((run_options){ .out = "busy" });
}

static void test_training__what_does_not_fit_is_refused_with_both_numbers(void **state)
{
    write_text("large.yaml",
               "model: { layers: 100, width: 65536, heads: 64, window: 64 }\n"
               "tokenizer: { vocabulary: 300 }\n"
               "phases: [{ name: a, steps: 1, context: 64, rows: 1, loss: { text: 1 },\n"
               "           mixture: { source: repeats } }]\n");
    assert_int_equal(run((run_options){ .recipe = "large.yaml", .out = "large" }), ICL_ENOMEM);
    assert_non_null(strstr(icl_error_message(), "MiB, and"));
    assert_non_null(strstr(icl_error_message(), "are free on"));
    assert_int_not_equal(access(path_of("large"), F_OK), 0);
}

static void test_training__unknown_field_of_the_data_is_named(void **state)
{
    icl_text text = { 0 };
    read_bytes(&text, "tiny.yaml");
    char *field = strstr(text.bytes, "label: label");
    memcpy(field, "label: labex", strlen("label: labex"));
    write_text("field.yaml", icl_text_string(&text));
    assert_int_equal(run((run_options){ .recipe = "field.yaml", .out = "field" }), ICL_ENOTFOUND);
    assert_non_null(strstr(icl_error_message(), "labex"));
    icl_text_deinit(&text);
}

static void test_training__the_plan_adds_up(void **state)
{
    icl_training *training = NULL;
    char recipe[160];
    icl_train_options options = icl_train_options_default();
    options.thread_count = 1;
    snprintf(recipe, sizeof recipe, "%s", path_of("tiny.yaml"));
    assert_int_equal(icl_training_open(&training, recipe, &options), ICL_OK);
    const icl_train_plan *plan = icl_training_get_plan(training);
    const icl_train_phase_plan *one = icl_training_get_phase(training, 0);
    const icl_train_phase_plan *two = icl_training_get_phase(training, 1);
    assert_int_equal(plan->steps, 10);
    assert_int_equal(one->tokens_per_step, 384);
    assert_int_equal(two->tokens_per_step, 384);
    assert_int_equal(plan->tokens, 6 * 384 + 4 * 384);
    assert_near(plan->flops, 6 * one->flops_per_step + 4 * two->flops_per_step,
                plan->flops * 1e-12);
    assert_int_equal(plan->trained_parameters, plan->parameters);
    assert_int_equal(plan->total_bytes,
                     plan->weight_bytes + plan->activation_bytes + plan->data_bytes);
    assert_true(plan->seconds > 0 && plan->flops_per_second > 0);
    icl_training_close(training);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_training__leaves_its_files_and_a_report),
        cmocka_unit_test(test_training__two_threads_give_the_same_bytes),
        cmocka_unit_test(test_training__stopped_and_resumed_it_gives_the_same_bytes),
        cmocka_unit_test(test_training__an_earlier_run_is_not_overwritten),
        cmocka_unit_test(test_training__a_checkpoint_of_another_recipe_is_refused),
        cmocka_unit_test(test_training__a_loss_that_is_not_finite_stops_the_run),
        cmocka_unit_test(test_training__two_runs_in_one_folder_refuse_each_other),
        cmocka_unit_test(test_training__what_does_not_fit_is_refused_with_both_numbers),
        cmocka_unit_test(test_training__unknown_field_of_the_data_is_named),
        cmocka_unit_test(test_training__the_plan_adds_up),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
