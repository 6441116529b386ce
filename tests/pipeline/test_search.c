/* Searches on the table model, whose next byte is the first letter of the last demonstration's
 * label. A query's own word stands only in examples of its label, so one demonstration by shared
 * words is always right, a random one is right by chance, and none answers always the same. */
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

#include <icl/search.h>
#include <icl/sys/model.h>

#include "copying_model.h"
#include "near.h"
#include "pipeline/search_state.h"
#include "pipeline/strategy.h"
#include "pipeline/weighted_metric.h"
#include "write_file.h"

enum { EXAMPLES = 60, PLENTY = 1 << 24 };

#define GOOD  "select=bm25(k=1) order=nearest-last score=direct calibrate=none"
#define SPACE "select=random(k={0|1})\nselect=bm25(k=1)\n"

static void copying_logits(void *user, float *out, const int32_t *context, size_t count)
{
    (void)user;
    copy_last_label(out, context, count, 4);
    out['a'] += 1;
}

typedef struct test_world {
    char folder[64], train[96], space[96], journal[96];
    icl_task *task;
    icl_model *model;
    icl_engine *engine;
    icl_search *search;
} test_world;

static void write_examples(const char *path, size_t rare)
{
    static const char *const labels[] = { "ant", "bee", "cow" };
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (size_t i = 0; i < EXAMPLES; i++)
        fprintf(file, "{\"text\":\"word%c number%zu\",\"label\":\"%s\"}\n", "xyz"[i % 3], i,
                labels[i % 3]);
    for (size_t i = 0; i < rare; i++) fprintf(file, "{\"text\":\"seldom\",\"label\":\"dog\"}\n");
    assert_int_equal(fclose(file), 0);
}

static void open_engine(test_world *world)
{
    icl_engine_options options = icl_engine_options_default();
    options.journal_path = world->journal;
    assert_int_equal(icl_engine_open(&world->engine, world->model, &options), ICL_OK);
}

static int open_world(void **state)
{
    static test_world world;
    memset(&world, 0, sizeof world);
    strcpy(world.folder, "/tmp/icl-test-search-XXXXXX");
    assert_non_null(mkdtemp(world.folder));
    snprintf(world.train, sizeof world.train, "%s/train.jsonl", world.folder);
    snprintf(world.space, sizeof world.space, "%s/space", world.folder);
    snprintf(world.journal, sizeof world.journal, "%s/journal", world.folder);
    write_examples(world.train, 0);
    assert_int_equal(icl_task_default(&world.task), ICL_OK);
    assert_int_equal(icl_task_set_text(world.task, ICL_TASK_TRAIN_PATH, world.train), ICL_OK);
    assert_int_equal(icl_task_set_text(world.task, ICL_TASK_TEST_PATH, "/no/such/test.jsonl"),
                     ICL_OK);
    assert_int_equal(icl_model_open_table(&world.model, copying_logits, NULL, 0), ICL_OK);
    open_engine(&world);
    *state = &world;
    return 0;
}

static void remove_journal(test_world *world)
{
    static const char *const suffixes[] = { "", "-wal", "-shm" };
    char path[128];
    icl_engine_close(world->engine);
    world->engine = NULL;
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s%s", world->journal, suffixes[i]);
        unlink(path);
    }
}

static int close_world(void **state)
{
    test_world *world = *state;
    icl_search_free(world->search);
    remove_journal(world);
    icl_model_close(world->model);
    icl_task_free(world->task);
    unlink(world->train);
    unlink(world->space);
    rmdir(world->folder);
    return 0;
}

static icl_search_options options_of(test_world *world, const char *space, uint64_t budget)
{
    icl_search_options options = icl_search_options_default();
    write_file(world->space, space);
    options.space_path = world->space;
    options.budget_tokens = budget;
    options.run.task = world->task;
    return options;
}

static icl_status try_search(test_world *world, const icl_search_options *options)
{
    icl_search_free(world->search);
    world->search = NULL;
    const icl_status status = icl_search_new(&world->search, world->engine, options);
    return status == ICL_OK ? icl_search_execute(world->search, NULL) : status;
}

static const icl_search_summary *search(test_world *world, const char *space, uint64_t budget)
{
    const icl_search_options options = options_of(world, space, budget);
    if (try_search(world, &options) != ICL_OK) fail_msg("%s", icl_error_message());
    return icl_search_get_summary(world->search);
}

static icl_search_candidate at(const test_world *world, size_t rank)
{
    return icl_search_candidate_at(world->search, rank);
}

/* ---- who wins ---- */

static void test_search__the_obvious_winner_wins(void **state)
{
    test_world *world = *state;
    const icl_search_summary *summary = search(world, SPACE, PLENTY);
    const icl_search_candidate best = at(world, 0);
    assert_string_equal(best.brief, GOOD);
    assert_int_equal(best.fate, ICL_SEARCH_LEADS);
    assert_near(best.value, 1, 0);
    assert_int_equal(best.query_count, EXAMPLES); /* each against all others */
    for (size_t rank = 1; rank < 3; rank++) {
        assert_int_equal(at(world, rank).fate, ICL_SEARCH_DROPPED);
        assert_true(at(world, rank).difference_ci95[1] < 0);
        assert_true(at(world, rank).better < 0.01);
    }
    assert_true(summary->queries_exhausted);
    assert_near(summary->gain_of_doubling, 0, 1e-12);
    assert_int_equal(summary->unseen_count, 0);
}

static void test_search__of_equal_strategies_the_earlier_one_leads(void **state)
{
    test_world *world = *state;
    search(world, "select=random(k=0)\nselect=bm25(k=1) calibrate={batch|none}\n", PLENTY);
    assert_non_null(strstr(at(world, 0).brief, "batch"));
    assert_non_null(strstr(at(world, 1).brief, "bm25"));
    assert_int_equal(at(world, 1).fate, ICL_SEARCH_REMAINS);
    assert_near(at(world, 1).difference, 0, 0);
    assert_near(at(world, 1).better, 0.5, 0);
}

static void test_search__the_tasks_metric_decides(void **state)
{
    test_world *world = *state;
    icl_task *judged = NULL;
    char path[128];
    snprintf(path, sizeof path, "%s/task.yaml", world->folder);
    write_file(path, "name: judged\nmetric: macro_f1\ndata: { train: train.jsonl }\n");
    assert_int_equal(icl_task_open(&judged, path), ICL_OK);
    icl_search_options options = options_of(world, SPACE, PLENTY);
    options.run.task = judged;
    if (try_search(world, &options) != ICL_OK) fail_msg("%s", icl_error_message());
    assert_int_equal(icl_search_get_summary(world->search)->metric, ICL_METRIC_MACRO_F1);
    for (size_t rank = 0; rank < 3; rank++) {
        const icl_search_candidate row = at(world, rank);
        assert_near(row.value, row.metrics.macro_f1, 0);
        assert_true(row.value_ci95[0] <= row.value && row.value <= row.value_ci95[1]);
        /* One answer for all of three labels of 20: precision 1/3, recall 1. */
        if (strstr(row.brief, "random(k=0)") != NULL) assert_near(row.value, 0.5 / 3, 1e-12);
    }
    unlink(path);
    icl_search_free(world->search);
    world->search = NULL;
    icl_task_free(judged);
}

/* ---- rounds and budget ---- */

static void expect_sound_rounds(const test_world *world)
{
    const icl_search_summary *summary = icl_search_get_summary(world->search);
    uint64_t planned = 0;
    for (size_t r = 0; r < summary->round_count; r++) {
        const icl_search_round round = icl_search_round_at(world->search, r);
        assert_true(round.tokens_planned <= round.tokens_left);
        assert_true(round.query_count <= summary->validation_count);
        planned += round.tokens_planned;
        if (r == 0) continue;
        const icl_search_round before = icl_search_round_at(world->search, r - 1);
        assert_true(round.query_count > before.query_count);
        assert_true(round.candidate_count <= before.candidate_count - before.dropped_count);
        assert_true(round.tokens_left == before.tokens_left - before.tokens_planned);
    }
    assert_int_equal(planned, summary->tokens_spent);
    assert_true(summary->tokens_spent <= summary->budget_tokens);
}

static void test_search__no_budget_is_exceeded(void **state)
{
    test_world *world = *state;
    size_t rounds_most = 0;
    for (uint64_t budget = 1500; budget < 60000; budget = budget * 3 / 2) {
        const icl_search_summary *summary = search(world, SPACE "select=bm25(k={2|3})", budget);
        expect_sound_rounds(world);
        if (summary->round_count > rounds_most) rounds_most = summary->round_count;
        /* What the engine really did, on a journal of this search alone. */
        assert_true(icl_engine_get_meter(world->engine).tokens_evaluated <= budget);
        remove_journal(world);
        open_engine(world);
    }
    assert_true(rounds_most >= 2);
}

static void test_search__the_sentence_names_the_least_budget(void **state)
{
    test_world *world = *state;
    icl_search_options options = options_of(world, SPACE, 1);
    assert_int_equal(try_search(world, &options), ICL_EBUDGET);
    const char *least = strstr(icl_error_message(), "the least is ");
    if (least == NULL) fail_msg("%s", icl_error_message());
    options.budget_tokens = strtoull(least + strlen("the least is "), NULL, 10);
    assert_true(options.budget_tokens > 1);
    options.budget_tokens--;
    assert_int_equal(try_search(world, &options), ICL_EBUDGET);
    assert_int_equal(icl_engine_get_meter(world->engine).requests, 0);
    options.budget_tokens++;
    assert_int_equal(try_search(world, &options), ICL_OK);
    /* It holds the cheapest strategy and no other. */
    assert_int_equal(at(world, 0).fate, ICL_SEARCH_LEADS);
    assert_non_null(strstr(at(world, 0).brief, "random(k=0"));
    for (size_t rank = 1; rank < 3; rank++) {
        assert_int_equal(at(world, rank).fate, ICL_SEARCH_LEFT_OUT);
        assert_non_null(strstr(at(world, rank).reason, "budget"));
    }
}

static void test_search__a_strategy_that_cannot_run_is_left_out(void **state)
{
    test_world *world = *state;
    search(world, SPACE "select=bm25(k=60)\n", PLENTY);
    assert_int_equal(at(world, 3).fate, ICL_SEARCH_LEFT_OUT);
    assert_non_null(strstr(at(world, 3).reason, "60"));
    assert_int_equal(at(world, 3).round_count, 0);
    assert_string_equal(at(world, 0).brief, GOOD);
    const icl_search_options options = options_of(world, "select=bm25(k=60)\n", PLENTY);
    assert_int_equal(try_search(world, &options), ICL_EINVAL);
    assert_non_null(strstr(icl_error_message(), "60"));
}

/* Choosing demonstrations by the model's answers costs tokens too, and no more than its share. */
static void test_search__what_methods_ask_is_paid(void **state)
{
    test_world *world = *state;
    static const char space[] =
        SPACE "select=mutual-information(k=1,sets=2,inputs=2) order=random\n";
    const icl_search_summary *summary = search(world, space, PLENTY);
    assert_int_equal(icl_engine_get_meter(world->engine).tokens_trie, summary->tokens_spent);
    uint64_t planned = 0;
    for (size_t r = 0; r < summary->round_count; r++)
        planned += icl_search_round_at(world->search, r).tokens_planned;
    assert_true(planned < summary->tokens_spent);
    summary = search(world, space, 1000);
    assert_true(summary->tokens_spent <= 1000);
    assert_string_equal(at(world, 0).brief, GOOD);
    bool left_out = false;
    for (size_t rank = 0; rank < 4; rank++)
        left_out |= at(world, rank).fate == ICL_SEARCH_LEFT_OUT &&
                    strstr(at(world, rank).brief, "mutual") != NULL;
    assert_true(left_out);
}

/* ---- the same again ---- */

static void expect_same(const icl_search *a, const icl_search *b)
{
    const icl_search_summary *first = icl_search_get_summary(a),
                             *second = icl_search_get_summary(b);
    assert_int_equal(first->tokens_spent, second->tokens_spent);
    assert_int_equal(first->round_count, second->round_count);
    assert_near(first->gain_of_doubling, second->gain_of_doubling, 0);
    for (size_t r = 0; r < first->round_count; r++) {
        const icl_search_round x = icl_search_round_at(a, r), y = icl_search_round_at(b, r);
        assert_int_equal(x.query_count, y.query_count);
        assert_int_equal(x.tokens_planned, y.tokens_planned);
    }
    for (size_t rank = 0; rank < first->candidate_count; rank++) {
        const icl_search_candidate x = icl_search_candidate_at(a, rank);
        const icl_search_candidate y = icl_search_candidate_at(b, rank);
        assert_string_equal(x.strategy, y.strategy);
        assert_int_equal(x.query_count, y.query_count);
        assert_near(x.value, y.value, 0);
        assert_near(x.better, y.better, 0);
        assert_near(x.tokens_per_query, y.tokens_per_query, 0);
    }
}

static void test_search__a_journal_changes_no_decision(void **state)
{
    test_world *world = *state;
    static const char space[] = SPACE "select=bm25(k=2)\nselect=mutual-information(k=1,sets=2,"
                                      "inputs=2)\n";
    search(world, space, 30000);
    icl_search *first = world->search;
    world->search = NULL;
    icl_engine_close(world->engine);
    open_engine(world);
    search(world, space, 30000);
    expect_same(first, world->search);
    assert_int_equal(icl_engine_get_meter(world->engine).requests, 0);
    remove_journal(world);
    open_engine(world);
    search(world, space, 30000);
    expect_same(first, world->search);
    icl_search_free(first);
}

static void test_search__another_seed_draws_other_queries(void **state)
{
    test_world *world = *state;
    icl_search_options options = options_of(world, SPACE, PLENTY);
    icl_search *searches[3] = { NULL };
    for (size_t i = 0; i < 3; i++) {
        options.run.seed = i / 2;
        assert_int_equal(icl_search_new(&searches[i], world->engine, &options), ICL_OK);
    }
    size_t same = 0;
    for (size_t q = 0; q < EXAMPLES / 2; q++) {
        const char *ids[3];
        for (size_t i = 0; i < 3; i++)
            ids[i] = icl_example_id(icl_dataset_at(searches[i]->all.test, q));
        assert_string_equal(ids[0], ids[1]);
        same += strcmp(ids[0], ids[2]) == 0;
    }
    assert_true(same < EXAMPLES / 4);
    for (size_t i = 0; i < 3; i++) icl_search_free(searches[i]);
}

/* ---- queries ---- */

/* Two examples have each query's own word: it and one other, which alone can answer. */
static void test_search__a_query_is_left_out_of_its_pool_alone(void **state)
{
    test_world *world = *state;
    write_file(world->train, "{\"text\":\"x 1\",\"label\":\"ant\"}\n"
                             "{\"text\":\"x 2\",\"label\":\"ant\"}\n"
                             "{\"text\":\"y 3\",\"label\":\"bee\"}\n"
                             "{\"text\":\"y 4\",\"label\":\"bee\"}\n"
                             "{\"text\":\"z 5\",\"label\":\"cow\"}\n"
                             "{\"text\":\"z 6\",\"label\":\"cow\"}\n");
    const icl_search_summary *summary = search(world, SPACE, PLENTY);
    assert_int_equal(summary->validation_count, 6);
    assert_int_equal(summary->pool_count, 5);
    assert_int_equal(summary->pool_apart_count, 0);
    assert_string_equal(at(world, 0).brief, GOOD);
    assert_near(at(world, 0).value, 1, 0);
}

static void test_search__what_is_fitted_to_labels_is_known_by_its_needs(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        bool fits;
    } cases[] = {
        { "select=knn(k=4) order=random calibrate=batch", false },
        { "select=balanced score=channel calibrate=contextual", false },
        { "select=infoscore(k=2)", true },
        { "order=pero", true },
        { "score=knn-prompting", true },
        { "calibrate=temperature", true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        icl_strategy strategy;
        assert_int_equal(icl_strategy_parse(&strategy, cases[i].line), ICL_OK);
        assert_int_equal(icl_strategy_fits_pool(&strategy), cases[i].fits);
        icl_strategy_deinit(&strategy);
    }
}

static void test_search__what_fits_its_pool_sees_no_query_in_it(void **state)
{
    test_world *world = *state;
    const icl_search_options options = options_of(world, SPACE "calibrate=temperature\n", PLENTY);
    assert_int_equal(icl_search_new(&world->search, world->engine, &options), ICL_OK);
    const icl_search *made = world->search;
    assert_int_equal(made->summary.validation_count, EXAMPLES / 2);
    assert_int_equal(made->summary.pool_count, EXAMPLES - 1);
    assert_int_equal(made->summary.pool_apart_count, EXAMPLES / 2);
    assert_false(made->candidates[0].fits_pool);
    assert_true(made->candidates[3].fits_pool);
    for (size_t q = 0; q < EXAMPLES / 2; q++) {
        const char *id = icl_example_id(icl_dataset_at(made->all.test, q));
        assert_int_not_equal(icl_dataset_find(made->all.train, id), SIZE_MAX);
        assert_int_equal(icl_dataset_find(made->apart.train, id), SIZE_MAX);
    }
}

static void test_search__queries_are_stratified(void **state)
{
    test_world *world = *state;
    write_examples(world->train, 3);
    icl_search_options options = options_of(world, SPACE, PLENTY);
    options.validation_max = 31;
    assert_int_equal(icl_search_new(&world->search, world->engine, &options), ICL_OK);
    const icl_dataset *queries = world->search->all.test;
    size_t counts[4] = { 0 };
    for (size_t q = 0; q < icl_dataset_count(queries); q++) {
        const icl_example *query = icl_dataset_at(queries, q);
        counts[icl_example_label(query)]++;
        /* Every beginning is balanced among the three labels of 20. */
        for (size_t label = 1; label < 3; label++)
            assert_true(counts[label] + 1 >= counts[0] && counts[label] <= counts[0] + 1);
    }
    for (size_t label = 0; label < 3; label++) assert_int_equal(counts[label], 10);
    assert_true(counts[3] >= 1 && counts[3] <= 2);
}

static void test_search__a_label_that_no_query_has_is_named(void **state)
{
    test_world *world = *state;
    write_examples(world->train, 1);
    const icl_search_summary *summary = search(world, SPACE, PLENTY);
    assert_int_equal(summary->unseen_count, 1);
    assert_string_equal(summary->unseen[0], "dog");
    assert_string_equal(at(world, 0).brief, GOOD);
}

static void test_search__validation_bounds_the_queries(void **state)
{
    test_world *world = *state;
    icl_search_options options = options_of(world, SPACE "calibrate=temperature\n", PLENTY);
    options.validation_max = 12;
    assert_int_equal(try_search(world, &options), ICL_OK);
    assert_int_equal(icl_search_get_summary(world->search)->validation_count, 12);
    assert_int_equal(icl_search_get_summary(world->search)->pool_apart_count, EXAMPLES - 12);
    /* As many as there are is one too many: one of each label stays in a pool apart. */
    options.validation_max = 1000;
    assert_int_equal(try_search(world, &options), ICL_OK);
    assert_int_equal(icl_search_get_summary(world->search)->pool_apart_count, 3);
}

static void test_search__data_with_nothing_to_compare_are_refused(void **state)
{
    test_world *world = *state;
    write_file(world->train, "{\"text\":\"a\",\"label\":\"x\"}\n{\"text\":\"b\",\"label\":\"x\"}\n"
                             "{\"text\":\"c\",\"label\":\"y\"}\n");
    const icl_search_options options = options_of(world, SPACE, PLENTY);
    assert_int_equal(try_search(world, &options), ICL_EINVAL);
    assert_non_null(strstr(icl_error_message(), "1 of 2 labels"));
    assert_non_null(strstr(icl_error_message(), "train.jsonl"));
    assert_null(world->search);
}

static void test_search__a_space_is_refused_by_file_and_line(void **state)
{
    test_world *world = *state;
    icl_search_options options = options_of(world, "select=random\nselect=bm52\n", PLENTY);
    assert_int_equal(try_search(world, &options), ICL_ENOTFOUND);
    assert_non_null(strstr(icl_error_message(), "space:2: "));
    options = options_of(world, "# nothing\n", PLENTY);
    assert_int_equal(try_search(world, &options), ICL_EINVAL);
    assert_non_null(strstr(icl_error_message(), "no strategy"));
}

static void test_search__the_built_in_space_is_sound(void **state)
{
    (void)state;
    icl_strategy_list space;
    assert_int_equal(icl_strategy_list_parse(&space, icl_search_default_space, "built in"), ICL_OK);
    assert_int_equal(space.count, space.expanded);
    assert_true(space.count >= 12 && space.count <= 24);
    icl_strategy_list_deinit(&space);
}

/* ---- the weighted metric ---- */

static void test_weighted_metric__weights_are_repetitions(void **state)
{
    (void)state;
    static const uint32_t gold[] = { 0, 0, 1, 1, 2 }, predicted[] = { 0, 1, 1, 1, 0 };
    static const uint32_t weights[] = { 2, 1, 0, 1, 1 };
    /* Repeated: gold 0 0 0 1 2, predicted 0 0 1 1 0. F1: 2*2/(3+3), 2*1/(1+2), 0. */
    icl_weighted_metric metric;
    assert_int_equal(icl_weighted_metric_init(&metric, ICL_METRIC_MACRO_F1, gold, 5, 4), ICL_OK);
    assert_near(icl_weighted_metric_of(&metric, predicted, weights), (2.0 / 3 + 2.0 / 3) / 3,
                1e-15);
    icl_weighted_metric_deinit(&metric);
    assert_int_equal(icl_weighted_metric_init(&metric, ICL_METRIC_ACCURACY, gold, 5, 4), ICL_OK);
    assert_near(icl_weighted_metric_of(&metric, predicted, weights), 3.0 / 5, 1e-15);
    icl_weighted_metric_deinit(&metric);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_search__##name, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_obvious_winner_wins),
        TEST(of_equal_strategies_the_earlier_one_leads),
        TEST(the_tasks_metric_decides),
        TEST(no_budget_is_exceeded),
        TEST(the_sentence_names_the_least_budget),
        TEST(a_strategy_that_cannot_run_is_left_out),
        TEST(what_methods_ask_is_paid),
        TEST(a_journal_changes_no_decision),
        TEST(another_seed_draws_other_queries),
        TEST(a_query_is_left_out_of_its_pool_alone),
        cmocka_unit_test(test_search__what_is_fitted_to_labels_is_known_by_its_needs),
        TEST(what_fits_its_pool_sees_no_query_in_it),
        TEST(queries_are_stratified),
        TEST(a_label_that_no_query_has_is_named),
        TEST(validation_bounds_the_queries),
        TEST(data_with_nothing_to_compare_are_refused),
        TEST(a_space_is_refused_by_file_and_line),
        cmocka_unit_test(test_search__the_built_in_space_is_sound),
        cmocka_unit_test(test_weighted_metric__weights_are_repetitions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
