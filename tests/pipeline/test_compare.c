/* Comparisons on the table model that copies labels: which answers each strategy gives is known, so
 * figures and tests can be worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <string.h>

#include <cmocka.h>

#include <icl/compare.h>

#include "near.h"
#include "pipeline/copying_world.h"

static const char copying[] = "select=bm25(k=1)\n"; /* right always */
static const char copying_too[] = "select=bm25(k=1) order=given\n";
static const char nothing[] = "select=random(k=0)\n"; /* "pos" always */
static const char by_chance[] = "select=random(k=1)\n";

typedef struct lists {
    test_world world;
    char strategies[96], task_file[96];
} test_lists;

/* Four queries are pos and eight neg. */
static int open_twelve(void **state)
{
    static test_lists lists;
    char test[2048] = "";
    for (int i = 0; i < 12; i++)
        snprintf(test + strlen(test), sizeof test - strlen(test),
                 "{\"text\":\"%s %d\",\"label\":\"%s\"}\n", i % 3 == 0 ? "beta" : "delta", i,
                 i % 3 == 0 ? "pos" : "neg");
    open_world(&lists.world,
               "{\"text\":\"alpha beta\",\"label\":\"pos\"}\n"
               "{\"text\":\"gamma delta\",\"label\":\"neg\"}\n"
               "{\"text\":\"epsilon zeta\",\"label\":\"pos\"}\n",
               test);
    snprintf(lists.strategies, sizeof lists.strategies, "%s/strategies.txt", lists.world.folder);
    snprintf(lists.task_file, sizeof lists.task_file, "%s/f1.yaml", lists.world.folder);
    *state = &lists;
    return 0;
}

static int close_twelve(void **state)
{
    test_lists *lists = *state;
    void *world = &lists->world;
    unlink(lists->strategies);
    unlink(lists->task_file);
    return close_world(&world);
}

static icl_compare_options options_for(test_lists *lists, const char *strategies)
{
    icl_compare_options options = icl_compare_options_default();
    write_file(lists->strategies, strategies);
    options.tasks = (const icl_task *const *)&lists->world.task;
    options.task_count = 1;
    options.strategies_path = lists->strategies;
    options.seed_count = 2;
    return options;
}

static icl_compare *execute(test_lists *lists, const icl_compare_options *options)
{
    icl_compare *compare = NULL;
    if (icl_compare_new(&compare, lists->world.engine, options) != ICL_OK ||
        icl_compare_execute(compare, NULL) != ICL_OK)
        fail_msg("%s", icl_error_message());
    return compare;
}

static void test_compare__a_sure_winner(void **state)
{
    char lines[256];
    snprintf(lines, sizeof lines, "%s%s%s", copying, nothing, copying_too);
    const icl_compare_options options = options_for(*state, lines);
    icl_compare *compare = execute(*state, &options);
    const icl_compare_task task = icl_compare_task_at(compare, 0);
    assert_int_equal(icl_compare_get_summary(compare)->strategy_count, 3);
    assert_int_equal(task.query_count, 12);
    assert_int_equal(task.pair_count, 3);
    assert_near(task.figures[0].value, 1, 1e-15);
    assert_near(task.figures[1].value, 4.0 / 12, 1e-15);
    assert_true(task.figures[0].ci95[0] == 1 && task.figures[0].ci95[1] == 1);
    assert_true(task.figures[1].ci95[0] > 0 && task.figures[1].ci95[1] < 0.7);
    const icl_compare_pair *pair = &task.pairs[0]; /* copying, nothing */
    assert_true(pair->first == 0 && pair->second == 1);
    assert_near(pair->difference, 8.0 / 12, 1e-15);
    assert_true(pair->ci95[0] > 0.3 && pair->ci95[1] < 1);
    assert_int_equal(pair->first_only, 2 * 8); /* under both seeds */
    assert_int_equal(pair->second_only, 0);
    assert_near(pair->p, 2 * pow(0.5, 8), 1e-15); /* which are the same answers */
    assert_near(pair->p_holm, 3 * pair->p, 1e-15);
    assert_true(pair->decided);
    icl_compare_free(compare);
}

static void test_compare__the_same_answers_are_no_difference(void **state)
{
    char lines[256];
    snprintf(lines, sizeof lines, "%s%s", copying, copying_too);
    const icl_compare_options options = options_for(*state, lines);
    icl_compare *compare = execute(*state, &options);
    const icl_compare_task task = icl_compare_task_at(compare, 0);
    const icl_compare_pair *pair = &task.pairs[0];
    assert_true(pair->difference == 0 && pair->ci95[0] == 0 && pair->ci95[1] == 0);
    assert_true(pair->p == 1 && pair->p_holm == 1 && !pair->decided);
    assert_int_equal(pair->first_only + pair->second_only, 0);
    /* They are the same prompts, too. */
    assert_int_equal(task.figures[0].tokens_trie, task.figures[1].tokens_trie);
    assert_int_equal(task.tokens_trie, task.figures[0].tokens_trie);
    icl_compare_free(compare);
}

static void test_compare__with_a_baseline(void **state)
{
    char lines[256];
    snprintf(lines, sizeof lines, "%s%s%s", copying, nothing, by_chance);
    icl_compare_options options = options_for(*state, lines);
    options.against = 1;
    icl_compare *compare = execute(*state, &options);
    const icl_compare_task task = icl_compare_task_at(compare, 0);
    assert_int_equal(task.pair_count, 2);
    assert_true(task.pairs[0].first == 0 && task.pairs[0].second == 1);
    assert_true(task.pairs[1].first == 2 && task.pairs[1].second == 1);
    assert_near(task.pairs[1].difference, task.figures[2].value - task.figures[1].value, 1e-15);
    icl_compare_free(compare);
}

static icl_metrics metrics_of_run(test_lists *lists, const icl_task *task, const char *strategy,
                                  uint64_t seed)
{
    icl_run_options options = icl_run_options_default();
    icl_run *run = NULL;
    options.task = task;
    options.strategy = strategy;
    options.seed = seed;
    if (icl_run_new(&run, lists->world.engine, &options) != ICL_OK ||
        icl_run_execute(run) != ICL_OK)
        fail_msg("%s", icl_error_message());
    const icl_metrics metrics = icl_run_get_summary(run)->metrics;
    icl_run_free(run);
    return metrics;
}

static void test_compare__figures_are_those_of_runs(void **state)
{
    test_lists *lists = *state;
    char lines[256];
    snprintf(lines, sizeof lines, "%s%s", by_chance, nothing);
    icl_compare_options options = options_for(lists, lines);
    options.run.seed = 5;
    options.seed_count = 3;
    icl_compare *compare = execute(lists, &options);
    const icl_compare_task task = icl_compare_task_at(compare, 0);
    double sum = 0;
    for (size_t seed = 0; seed < 3; seed++) {
        const icl_metrics metrics =
            metrics_of_run(lists, lists->world.task, "select=random(k=1)", 5 + seed);
        assert_true(task.figures[0].by_seed[seed] == metrics.accuracy);
        sum += metrics.accuracy;
    }
    assert_near(task.figures[0].value, sum / 3, 1e-15);
    assert_near(task.figures[0].accuracy, sum / 3, 1e-15);
    assert_int_equal(task.figures[0].shots, 1);
    assert_int_equal(task.figures[1].shots, 0);
    assert_true(task.tokens_trie <= task.figures[0].tokens_trie + task.figures[1].tokens_trie);
    assert_true(task.tokens_trie >= task.figures[0].tokens_trie);
    icl_compare_free(compare);
}

static void test_compare__by_the_metric_of_the_task(void **state)
{
    test_lists *lists = *state;
    char lines[256];
    snprintf(lines, sizeof lines, "%s%s", copying, nothing);
    icl_compare_options options = options_for(lists, lines);
    icl_task *task = NULL;
    write_file(lists->task_file,
               "metric: macro_f1\ndata: {train: train.jsonl, test: test.jsonl}\n");
    if (icl_task_open(&task, lists->task_file) != ICL_OK) fail_msg("%s", icl_error_message());
    options.tasks = (const icl_task *const *)&task;
    icl_compare *compare = execute(lists, &options);
    const icl_compare_task judged = icl_compare_task_at(compare, 0);
    const icl_metrics metrics = metrics_of_run(lists, task, "select=random(k=0)", 0);
    assert_string_not_equal(judged.figures[1].spec_hashes[0], judged.figures[0].spec_hashes[0]);
    assert_near(metrics.macro_f1, 0.25, 1e-15); /* F1 of pos 1/2, of neg 0 */
    assert_near(judged.figures[1].value, 0.25, 1e-15);
    assert_near(judged.figures[1].accuracy, 4.0 / 12, 1e-15);
    assert_near(judged.pairs[0].difference, 0.75, 1e-15);
    assert_true(judged.figures[1].ci95[0] < 0.25 && judged.figures[1].ci95[1] > 0.25);
    assert_true(judged.pairs[0].ci95[0] > 0.5 && judged.pairs[0].ci95[1] <= 1);
    icl_compare_free(compare);
    icl_task_free(task);
}

static void test_compare__repeats(void **state)
{
    char lines[256];
    snprintf(lines, sizeof lines, "%s%s", by_chance, nothing);
    const icl_compare_options options = options_for(*state, lines);
    icl_compare *compare = execute(*state, &options);
    const icl_compare_figures first = icl_compare_task_at(compare, 0).figures[0];
    const icl_compare_pair first_pair = icl_compare_task_at(compare, 0).pairs[0];
    assert_int_equal(icl_compare_execute(compare, NULL), ICL_OK);
    const icl_compare_task again = icl_compare_task_at(compare, 0);
    assert_memory_equal(&again.figures[0].ci95, &first.ci95, sizeof first.ci95);
    assert_memory_equal(&again.pairs[0], &first_pair, sizeof first_pair);
    assert_int_equal(again.figures[0].tokens_trie, first.tokens_trie);
    assert_true(again.figures[0].value == first.value);
    icl_compare_free(compare);
}

static void refuse(test_lists *lists, const icl_compare_options *options, const char *part)
{
    icl_compare *compare = NULL;
    assert_true(icl_compare_new(&compare, lists->world.engine, options) != ICL_OK);
    assert_null(compare);
    if (strstr(icl_error_message(), part) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", part, icl_error_message());
}

static void test_compare__refuses(void **state)
{
    test_lists *lists = *state;
    char lines[256];
    icl_compare_options options = options_for(lists, copying);
    refuse(lists, &options, "one strategy");
    options = options_for(lists, "# first\nselect=bm25(k=1)\nselect=bm52\n");
    refuse(lists, &options, "strategies.txt:3: ");
    snprintf(lines, sizeof lines, "%s%s", copying, nothing);
    options = options_for(lists, lines);
    options.seed_count = 0;
    refuse(lists, &options, "0 seeds");
    options.seed_count = 2;
    options.run.seed = INT64_MAX;
    refuse(lists, &options, "beyond 2^63");
    options.run.seed = 0;
    options.against = 2;
    refuse(lists, &options, "no strategy 3");
    const icl_task *twice[] = { lists->world.task, lists->world.task };
    options = options_for(lists, lines);
    options.tasks = twice;
    options.task_count = 2;
    refuse(lists, &options, "two tasks are called");
}

static void test_compare__refuses_queries_without_labels(void **state)
{
    test_lists *lists = *state;
    char lines[256];
    snprintf(lines, sizeof lines, "%s%s", copying, nothing);
    const icl_compare_options options = options_for(lists, lines);
    write_file(lists->world.test, "{\"text\":\"a\",\"label\":\"pos\"}\n{\"text\":\"b\"}\n");
    refuse(lists, &options, "test.jsonl:2: no label");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_compare__a_sure_winner, open_twelve, close_twelve),
        cmocka_unit_test_setup_teardown(test_compare__the_same_answers_are_no_difference,
                                        open_twelve, close_twelve),
        cmocka_unit_test_setup_teardown(test_compare__with_a_baseline, open_twelve, close_twelve),
        cmocka_unit_test_setup_teardown(test_compare__figures_are_those_of_runs, open_twelve,
                                        close_twelve),
        cmocka_unit_test_setup_teardown(test_compare__by_the_metric_of_the_task, open_twelve,
                                        close_twelve),
        cmocka_unit_test_setup_teardown(test_compare__repeats, open_twelve, close_twelve),
        cmocka_unit_test_setup_teardown(test_compare__refuses, open_twelve, close_twelve),
        cmocka_unit_test_setup_teardown(test_compare__refuses_queries_without_labels, open_twelve,
                                        close_twelve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
