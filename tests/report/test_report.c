/* The files, the JSON object and the table of a run whose every figure is known: the table model
 * says "p" three times as often as anything else, so each query is answered p with probability 3/4,
 * and three of the four are p. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include <icl/report.h>
#include <icl/sys/model.h>

#include "base/file.h"
#include "base/text.h"

enum { VOCAB_COUNT = 257 };

static void favour_p(void *user, float *out, const int32_t *context, size_t count)
{
    (void)user, (void)context, (void)count;
    for (size_t i = 0; i < VOCAB_COUNT; i++) out[i] = i == 'p' ? logf(3) : 0;
}

/* A run over files in a folder of its own. */
typedef struct finished_run {
    char folder[64];
    icl_model *model;
    icl_engine *engine;
    icl_task *task;
    icl_run *run;
} finished_run;

static void write_file(const char *folder, const char *name, const char *text, char *path_out,
                       size_t capacity)
{
    snprintf(path_out, capacity, "%s/%s", folder, name);
    assert_int_equal(icl_file_write_atomic(path_out, text, strlen(text)), ICL_OK);
}

static void open_run(finished_run *self, const char *queries)
{
    static const char pool[] = "{\"id\":\"a\",\"text\":\"1\",\"label\":\"yes\"}\n"
                               "{\"id\":\"b\",\"text\":\"2\",\"label\":\"no\"}\n"
                               "{\"id\":\"c\",\"text\":\"3\",\"label\":\"yes\"}\n";
    char path[128];
    *self = (finished_run){ .folder = "/tmp/icl-report-XXXXXX" };
    assert_non_null(mkdtemp(self->folder));
    assert_int_equal(icl_task_default(&self->task), ICL_OK);
    write_file(self->folder, "train.jsonl", pool, path, sizeof path);
    assert_int_equal(icl_task_set_text(self->task, ICL_TASK_TRAIN_PATH, path), ICL_OK);
    write_file(self->folder, "test.jsonl", queries, path, sizeof path);
    assert_int_equal(icl_task_set_text(self->task, ICL_TASK_TEST_PATH, path), ICL_OK);
    assert_int_equal(icl_task_set_text(self->task, ICL_TASK_NAME, "letters"), ICL_OK);
    assert_int_equal(icl_task_set_labels(self->task, "yes=p,no=n"), ICL_OK);
    assert_int_equal(icl_model_open_table(&self->model, favour_p, NULL, 512), ICL_OK);
    assert_int_equal(icl_engine_open(&self->engine, self->model, NULL), ICL_OK);
    icl_run_options options = icl_run_options_default();
    options.task = self->task;
    options.strategy = "select=random(k=2) order=given score=direct calibrate=none";
    options.seed = 5;
    assert_int_equal(icl_run_new(&self->run, self->engine, &options), ICL_OK);
    assert_int_equal(icl_run_execute(self->run), ICL_OK);
}

static void close_run(finished_run *self)
{
    static const char *const names[] = { "train.jsonl",   "test.jsonl", "results.json",
                                         "samples.jsonl", "meter.json", "report.html" };
    char path[128];
    icl_run_free(self->run);
    icl_engine_close(self->engine);
    icl_model_close(self->model);
    icl_task_free(self->task);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", self->folder, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(self->folder), 0); /* nothing else was written */
}

static const char labelled[] = "{\"id\":\"q1\",\"text\":\"4\",\"label\":\"yes\"}\n"
                               "{\"id\":\"q2\",\"text\":\"5\",\"label\":\"no\"}\n"
                               "{\"id\":\"q3\",\"text\":\"6\",\"label\":\"yes\"}\n"
                               "{\"id\":\"q4\",\"text\":\"7\",\"label\":\"yes\"}\n";
static const char unlabelled[] = "{\"id\":\"q1\",\"text\":\"4\"}\n";

static icl_report_meter known_meter(void)
{
    return (icl_report_meter){ .meter = { .requests = 16,
                                          .requests_cached = 4,
                                          .tokens_asked = 1234567,
                                          .tokens_trie = 900,
                                          .tokens_evaluated = 1000,
                                          .calls = 3,
                                          .seconds = 0.5,
                                          .peak_bytes = 3 << 20 },
                               .prefill_tokens_per_second = 2500 };
}

static double number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

static void read_file(icl_text *out, const finished_run *self, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", self->folder, name);
    assert_int_equal(icl_file_read(out, path, 1 << 20), ICL_OK);
}

static void test_report__efficiencies_are_ratios(void **state)
{
    icl_report_meter meter = known_meter();
    assert_true(icl_report_eta_trie(&meter) == 0.9);
    assert_true(icl_report_eta_machine(&meter) == 2000.0 / 2500.0);
    meter.prefill_tokens_per_second = 0;
    assert_true(icl_report_eta_machine(&meter) == 0);
    meter.meter = (icl_meter){ .requests_cached = 20 };
    meter.prefill_tokens_per_second = 2500;
    assert_true(icl_report_eta_trie(&meter) == 1);
    assert_true(icl_report_eta_machine(&meter) == 0);
}

static void test_report__json_holds_the_known_figures(void **state)
{
    finished_run fixture;
    char *text = NULL;
    const icl_report_meter meter = known_meter();
    open_run(&fixture, labelled);
    assert_int_equal(icl_report_json(&text, fixture.run, &meter), ICL_OK);
    assert_null(strchr(text, '\n'));
    json_t *object = json_loads(text, 0, NULL);
    assert_non_null(object);
    assert_true(number(object, "n") == 4 && number(object, "seed") == 5);
    assert_true(number(object, "accuracy") == 0.75);
    assert_true(fabs(number(object, "ece")) < 1e-6);
    assert_true(fabs(number(object, "brier") - 0.375) < 1e-6);
    assert_true(number(object, "majority_accuracy") == 0.75);
    assert_true(number(object, "zero_shot_accuracy") == 0.75);
    const json_t *interval = json_object_get(object, "accuracy_ci95");
    assert_true(fabs(json_number_value(json_array_get(interval, 0)) - 0.300642) < 1e-6);
    assert_true(fabs(json_number_value(json_array_get(interval, 1)) - 0.954413) < 1e-6);
    const json_t *cost = json_object_get(object, "meter");
    assert_true(number(cost, "requests_cached") == 4);
    assert_true(number(cost, "tokens_asked") == 1234567);
    assert_true(number(cost, "tokens_per_second") == 2000);
    assert_true(number(cost, "eta_machine") == 0.8);
    json_decref(object);
    free(text);
    close_run(&fixture);
}

static void test_report__files_hold_every_sample_and_class(void **state)
{
    finished_run fixture;
    icl_text results = { 0 }, samples = { 0 };
    const icl_report_meter meter = known_meter();
    open_run(&fixture, labelled);
    assert_int_equal(icl_report_write(fixture.run, &meter, fixture.folder), ICL_OK);
    read_file(&results, &fixture, "results.json");
    read_file(&samples, &fixture, "samples.jsonl");
    assert_null(strstr(results.bytes, "seconds")); /* cost is for meter.json alone */
    json_t *object = json_loads(results.bytes, 0, NULL);
    const json_t *yes = json_array_get(json_object_get(object, "classes"), 0);
    assert_string_equal(json_string_value(json_object_get(yes, "label")), "yes");
    assert_true(number(yes, "gold") == 3 && number(yes, "predicted") == 4);
    assert_true(number(yes, "precision") == 0.75 && number(yes, "recall") == 1);
    json_decref(object);

    json_t *sample = json_loads(samples.bytes, JSON_DISABLE_EOF_CHECK, NULL);
    assert_string_equal(json_string_value(json_object_get(sample, "id")), "q1");
    assert_string_equal(json_string_value(json_object_get(sample, "predicted")), "yes");
    assert_true(json_is_true(json_object_get(sample, "correct")));
    assert_true(fabs(number(json_object_get(sample, "probabilities"), "yes") - 0.75) < 1e-6);
    /* The words are " p" and " n": a blank, then the letter. */
    assert_true(fabs(number(json_object_get(sample, "logprobs"), "no") - 2 * log(1.0 / 259)) <
                1e-5);
    assert_int_equal(json_array_size(json_object_get(sample, "demonstrations")), 2);
    json_decref(sample);
    icl_text_deinit(&results);
    icl_text_deinit(&samples);
    close_run(&fixture);
}

static void test_report__files_are_the_same_bytes_whatever_the_run_cost(void **state)
{
    static const char *const names[] = { "results.json", "samples.jsonl", "report.html" };
    icl_text first[3] = { { 0 } };
    for (int round = 0; round < 2; round++) {
        finished_run fixture;
        icl_report_meter meter = known_meter();
        meter.meter.seconds += round;
        meter.meter.tokens_evaluated += (uint64_t)round;
        open_run(&fixture, labelled);
        assert_int_equal(icl_report_write(fixture.run, &meter, fixture.folder), ICL_OK);
        for (int f = 0; f < 3; f++) {
            icl_text now = { 0 };
            read_file(round == 0 ? &first[f] : &now, &fixture, names[f]);
            if (round > 0) assert_string_equal(first[f].bytes, now.bytes);
            icl_text_deinit(&now);
        }
        close_run(&fixture);
    }
    for (int f = 0; f < 3; f++) icl_text_deinit(&first[f]);
}

static void test_report__unlabelled_queries_have_predictions_but_no_metrics(void **state)
{
    finished_run fixture;
    char *json = NULL, *table = NULL;
    const icl_report_meter meter = known_meter();
    open_run(&fixture, unlabelled);
    assert_int_equal(icl_report_json(&json, fixture.run, &meter), ICL_OK);
    assert_int_equal(icl_report_table(&table, fixture.run, &meter), ICL_OK);
    assert_non_null(strstr(json, "\"accuracy\": null"));
    assert_non_null(strstr(json, "\"zero_shot_accuracy\": null"));
    assert_non_null(strstr(table, "carry no labels"));
    assert_null(strstr(table, "macro-F1"));
    free(json);
    free(table);
    close_run(&fixture);
}

static void test_report__table_reads_as_expected(void **state)
{
    static const char expected[] =
        "accuracy         0.750   95 % interval 0.301 .. 0.954\n"
        "  majority class 0.750   95 % interval 0.301 .. 0.954\n"
        "  zero-shot      0.750   95 % interval 0.301 .. 0.954\n"
        "macro-F1         0.429\n"
        "ECE              0.000\n"
        "\n"
        "tokens asked         1 234 567   16 requests, and 4 from the journal\n"
        "  in the trie              900   1371.7 times fewer\n"
        "  evaluated              1 000   eta_trie 0.900\n"
        "tokens/s                 2 000   0.50 s, eta_machine 0.80 of plain prefill\n"
        "memory                 3.0 MiB   at the peak, weights excluded\n";
    finished_run fixture;
    char *table = NULL;
    const icl_report_meter meter = known_meter();
    open_run(&fixture, labelled);
    assert_int_equal(icl_report_table(&table, fixture.run, &meter), ICL_OK);
    assert_non_null(strstr(table, "task             letters\n"));
    assert_non_null(strstr(table, "4 queries, 2 labels, pool of 3, 2 shots, seed 5\n"));
    const char *metrics = strstr(table, "accuracy");
    assert_non_null(metrics);
    assert_string_equal(metrics, expected);
    free(table);
    close_run(&fixture);
}

static void test_report__a_folder_that_is_not_there_is_named(void **state)
{
    finished_run fixture;
    const icl_report_meter meter = known_meter();
    open_run(&fixture, labelled);
    assert_int_equal(icl_report_write(fixture.run, &meter, "/tmp/icl-none/here"), ICL_EIO);
    assert_non_null(strstr(icl_error_message(), "/tmp/icl-none/here/samples.jsonl"));
    close_run(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_report__efficiencies_are_ratios),
        cmocka_unit_test(test_report__json_holds_the_known_figures),
        cmocka_unit_test(test_report__files_hold_every_sample_and_class),
        cmocka_unit_test(test_report__files_are_the_same_bytes_whatever_the_run_cost),
        cmocka_unit_test(test_report__unlabelled_queries_have_predictions_but_no_metrics),
        cmocka_unit_test(test_report__table_reads_as_expected),
        cmocka_unit_test(test_report__a_folder_that_is_not_there_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
