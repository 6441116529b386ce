/* Influence, CondAcc and datamodels on a model whose margins are sums of hidden values. */
#include "fake_asker.h"
#include "near.h"
#include "select/corpus.h"
#include "select/select_call.h"
#include "select/trials.h"

enum { POOL = 60, QUERIES = 3, LABELS = 2, DEV = 20, CANDIDATES = POOL - DEV };

typedef struct world {
    char texts[POOL][16];
    const char *pool_texts[POOL];
    const char *query_texts[QUERIES], *query_ids[QUERIES];
    size_t labels[POOL];
    double values[POOL]; /* what an example adds to every margin, nats */
    icl_select_input input;
    fake_asker fake;
} world;

/* The hidden values are those of a permutation, spread evenly over -1..1. */
static void setup_world(world *w, size_t label_count)
{
    *w = (world){ 0 };
    for (size_t i = 0; i < POOL; i++) {
        snprintf(w->texts[i], sizeof w->texts[i], "%zu", i);
        w->pool_texts[i] = w->texts[i];
        w->labels[i] = i % label_count;
        w->values[i] = 2.0 * (double)(i * 37 % POOL) / (POOL - 1) - 1;
    }
    for (size_t q = 0; q < QUERIES; q++) {
        w->query_texts[q] = "query";
        w->query_ids[q] = w->texts[q];
    }
    w->input = (icl_select_input){ .pool_count = POOL,
                                   .query_count = QUERIES,
                                   .label_count = LABELS,
                                   .pool_texts = w->pool_texts,
                                   .query_texts = w->query_texts,
                                   .pool_labels = w->labels,
                                   .query_ids = w->query_ids,
                                   .task = "trials",
                                   .seed = 5 };
}

/* The margin of a development item is the sum of the shown values plus an offset of its own, so
 * that accuracy rises with the sum. */
static void additive(void *context, fake_answer *answer, const fake_data *data,
                     const icl_ask_prompt *prompt, const icl_ask_generation *how)
{
    (void)how;
    const world *w = context;
    double margin = (double)(prompt->item * 7 % 21) / 5 - 2;
    for (size_t i = 0; i < prompt->shown_count; i++) {
        assert_true(prompt->shown[i] != prompt->item);
        margin += w->values[prompt->shown[i]];
    }
    const size_t gold = data->pool_labels[prompt->item];
    answer->label_nats[gold] = -3 + margin;
    answer->label_nats[1 - gold] = -3;
}

static void constant(void *context, fake_answer *answer, const fake_data *data,
                     const icl_ask_prompt *prompt, const icl_ask_generation *how)
{
    (void)context, (void)data, (void)prompt, (void)how;
    answer->label_nats[0] = -0.5;
}

static icl_selection run(world *w, fake_model *model, const char *text)
{
    fake_asker_serve(&w->fake, &w->input, model, w);
    return select_well(&w->input, text);
}

static double mean_value(const world *w, const icl_selection *selection)
{
    double sum = 0;
    for (size_t i = 0; i < selection->k; i++) sum += w->values[selection->indices[i]];
    return sum / (double)selection->k;
}

static icl_trials ask_trials(world *w, const char *text, size_t k)
{
    icl_call call = { 0 };
    icl_options options = { 0 };
    const icl_select_method *method = NULL;
    assert_int_equal(icl_call_parse(&call, text, strlen(text)), ICL_OK);
    assert_int_equal(icl_select_find(&method, call.name), ICL_OK);
    assert_int_equal(icl_options_read(&options, &method->card, &call), ICL_OK);
    fake_asker_serve(&w->fake, &w->input, additive, w);
    icl_trials trials = { 0 };
    assert_int_equal(icl_trials_ask(&trials, &w->input, call.name, &options, k), ICL_OK);
    icl_options_deinit(&options);
    icl_call_deinit(&call);
    return trials;
}

/* Prompts are balanced and without repeats; two orders show the same items; a longer list of
 * prompts begins with the shorter one. */
static void test_select_trials__prompts_are_balanced_subsets(void **state)
{
    (void)state;
    enum { K = 6 };
    world w;
    setup_world(&w, LABELS);
    icl_trials trials = ask_trials(&w, "condacc(subsets=9, orders=2, dev=4)", K);
    icl_trials longer = ask_trials(&w, "condacc(subsets=30, orders=2, dev=4)", K);
    assert_int_equal(trials.prompt_count, 18);
    assert_int_equal(trials.shots, K);
    size_t reordered = 0;
    for (size_t p = 0; p < 18; p++) {
        const size_t *shown = &trials.shown[p * K], *pair = &trials.shown[(p ^ 1) * K];
        size_t ones = 0, common = 0;
        for (size_t i = 0; i < K; i++) {
            ones += w.labels[shown[i]];
            for (size_t j = 0; j < K; j++) common += shown[i] == pair[j];
            for (size_t j = 0; j < i; j++) assert_true(shown[i] != shown[j]);
        }
        assert_int_equal(ones, K / 2);
        assert_int_equal(common, K);
        reordered += memcmp(shown, pair, K * sizeof *shown) != 0;
    }
    assert_true(reordered > 12);
    assert_memory_equal(trials.shown, longer.shown, 18 * K * sizeof *trials.shown);
    icl_trials_deinit(&longer);
    icl_trials_deinit(&trials);
}

/* What is summed for examples is every prompt's value once for each example that it shows. */
static void test_select_trials__showings_add_up(void **state)
{
    (void)state;
    world w;
    setup_world(&w, LABELS);
    icl_trials trials = ask_trials(&w, "condacc(subsets=50, dev=20)", 5);
    double accuracies[50], total = 0, summed = 0;
    icl_showings showings[POOL];
    icl_trials_accuracies(accuracies, &trials, &w.input);
    icl_trials_showings(showings, POOL, &trials, accuracies);
    size_t count = 0;
    for (size_t p = 0; p < 50; p++) total += accuracies[p];
    for (size_t i = 0; i < POOL; i++) {
        count += showings[i].count;
        summed += showings[i].sum;
    }
    assert_int_equal(count, 50 * 5);
    assert_near(summed, 5 * total, 1e-9);
    for (size_t d = 0; d < trials.split.dev_count; d++)
        assert_int_equal(showings[trials.split.dev[d]].count, 0);
    icl_trials_deinit(&trials);
}

/* The best 6 of 40 have a mean of about 0.85; six at random have one of 0 +- 0.24. */
static void test_select_trials__hidden_values_are_recovered(void **state)
{
    (void)state;
    static const char *const methods[] = {
        "influence(k=6, subsets=600, dev=20, candidates=0)",
        "condacc(k=6, subsets=600, dev=20, candidates=0, draw_from=0)",
        "datamodels(k=6, subsets=600, dev=20, candidates=0, draw_from=0, score=mean)",
        "datamodels(k=6, subsets=600, dev=20, candidates=0, draw_from=0, score=mean, "
        "positions=false)",
        "datamodels(k=6, subsets=600, dev=20, candidates=0, draw_from=0, score=mean, "
        "patterns=true)",
    };
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        world w;
        setup_world(&w, LABELS);
        icl_selection selection = run(&w, additive, methods[m]);
        assert_true(mean_value(&w, &selection) > 0.7);
        assert_int_equal(w.fake.calls, 1);
        assert_int_equal(w.fake.prompts, 600 * DEV);
        icl_selection_deinit(&selection);
    }
}

/* Sums are fitted exactly, so the best examples have nothing but positive weights. */
static void test_select_trials__the_best_have_only_positive_weights(void **state)
{
    (void)state;
    world w;
    setup_world(&w, LABELS);
    icl_selection selection = run(&w, additive,
                                  "datamodels(k=6, subsets=600, dev=20, candidates=0, "
                                  "draw_from=0, positions=false, ridge=0.001)");
    for (size_t i = 0; i < 6; i++) {
        assert_near(selection.scores[i], 1, 1e-12);
        assert_true(w.values[selection.indices[i]] > 0);
    }
    icl_selection_deinit(&selection);
}

/* Every prompt has the same accuracy and margins: nobody is better, and the lowest indices are
 * taken of those that were drawn. */
static void test_select_trials__equal_scores_fall_to_the_lowest_index(void **state)
{
    (void)state;
    static const char *const methods[] = {
        "influence(k=4, dev=20, candidates=0)",
        "condacc(k=4, dev=20, candidates=0, draw_from=0)",
        "datamodels(k=4, dev=20, candidates=0, draw_from=0, patterns=true)",
    };
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        world w;
        setup_world(&w, LABELS);
        icl_split split = { 0 };
        const icl_split_sizes sizes = { .dev_max = DEV };
        assert_int_equal(icl_split_draw(&split, &w.input, "test", &sizes), ICL_OK);
        icl_selection selection = run(&w, constant, methods[m]);
        for (size_t i = 1; i < 4; i++) {
            assert_near(selection.scores[i], selection.scores[0], 1e-12);
            assert_true(selection.indices[i] > selection.indices[i - 1]);
        }
        assert_int_equal(selection.indices[0], split.candidates[0]);
        icl_selection_deinit(&selection);
        icl_split_deinit(&split);
    }
}

/* Answers that depend on nothing but chance: over many seeds the four best of 60 are each item as
 * often, 0.067 of the time. The bound is four standard deviations of a binomial. */
static void test_select_trials__symmetric_data_prefer_nobody(void **state)
{
    (void)state;
    enum { SEEDS = 300 };
    static const char *const methods[] = {
        "influence(k=4, subsets=40, dev=20, candidates=0)",
        "condacc(k=4, subsets=40, dev=20, candidates=0, draw_from=0)",
    };
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        world w;
        double counts[POOL] = { 0 };
        setup_world(&w, LABELS);
        for (w.input.seed = 0; w.input.seed < SEEDS; w.input.seed++) {
            w.input.query_count = 1;
            icl_selection selection = run(&w, fake_hashed, methods[m]);
            for (size_t i = 0; i < 4; i++) counts[selection.indices[i]]++;
            icl_selection_deinit(&selection);
        }
        const double share = 4.0 / POOL;
        for (size_t i = 0; i < POOL; i++)
            assert_near(counts[i], SEEDS * share, 4 * sqrt(SEEDS * share * (1 - share)));
    }
}

/* A single prompt of four measures four items; the query that is one of them gets the lowest index
 * of the others instead, with a score below every measured one. */
static void test_select_trials__what_was_never_sampled_comes_last(void **state)
{
    (void)state;
    static const char *const methods[] = {
        "condacc(k=4, subsets=1, draw_from=0)",
        "datamodels(k=4, subsets=1, draw_from=0)",
    };
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        world w;
        setup_world(&w, LABELS);
        icl_selection all = run(&w, additive, methods[m]);
        size_t first_other = 0;
        for (size_t i = 0; i < 4; i++)
            for (size_t j = 0; j < 4; j++) first_other += all.indices[j] == first_other;
        const size_t self[QUERIES] = { SIZE_MAX, all.indices[1], SIZE_MAX };
        w.input.query_self = self;
        icl_selection selection = run(&w, additive, methods[m]);
        assert_memory_equal(selection.indices, all.indices, 4 * sizeof *all.indices);
        assert_int_equal(selection.indices[4 + 0], all.indices[0]);
        assert_int_equal(selection.indices[4 + 1], all.indices[2]);
        assert_int_equal(selection.indices[4 + 3], first_other);
        for (size_t i = 0; i < 4; i++) assert_true(selection.scores[7] < all.scores[i]);
        icl_selection_deinit(&selection);
        icl_selection_deinit(&all);
    }
}

/* Examples of the only prompt have nothing to be compared with: nobody is measured. */
static void test_select_trials__influence_needs_prompts_without_the_example(void **state)
{
    (void)state;
    world w;
    setup_world(&w, LABELS);
    icl_selection selection = run(&w, additive, "influence(k=3, subsets=1)");
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(selection.indices[i], i);
        assert_near(selection.scores[i], selection.scores[0], 0);
    }
    icl_selection_deinit(&selection);
}

/* Drawing from no more than k shows the best k, in another order and without scores. */
static void test_select_trials__draws_stay_among_the_best(void **state)
{
    (void)state;
    world w;
    setup_world(&w, LABELS);
    icl_selection ranked = run(&w, additive, "condacc(k=20, candidates=0, dev=20, draw_from=0)");
    icl_selection drawn = run(&w, additive, "condacc(k=20, candidates=0, dev=20, draw_from=5)");
    bool same_order = true;
    for (size_t i = 0; i < 20; i++) {
        bool found = false;
        for (size_t j = 0; j < 20; j++) found |= drawn.indices[i] == ranked.indices[j];
        assert_true(found);
        same_order &= drawn.indices[i] == ranked.indices[i];
        assert_near(drawn.scores[i], 0, 0);
    }
    assert_false(same_order);
    icl_selection_deinit(&drawn);
    icl_selection_deinit(&ranked);
}

static void test_select_trials__one_class_is_enough(void **state)
{
    (void)state;
    static const char *const methods[] = { "influence(k=4)", "condacc(k=4)", "datamodels(k=4)" };
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        world w;
        setup_world(&w, 1);
        icl_selection selection = run(&w, additive, methods[m]);
        assert_true(selection.indices[0] != selection.indices[1]);
        icl_selection_deinit(&selection);
    }
}

static void test_select_trials__bad_input_is_named(void **state)
{
    (void)state;
    world w;
    setup_world(&w, LABELS);
    fake_asker_serve(&w.fake, &w.input, additive, &w);
    icl_selection selection = { 0 };
    assert_int_equal(select_status(&selection, &w.input, "datamodels(subsets=2001, orders=2)"),
                     ICL_EINVAL);
    assert_string_equal(icl_error_message(),
                        "select method \"datamodels\" solves for at most 4000 prompts; subsets * "
                        "orders is 4002");
    w.input.pool_count = 2; /* one of each class */
    assert_int_equal(select_status(&selection, &w.input, "condacc(k=1)"), ICL_EINVAL);
    assert_string_equal(icl_error_message(),
                        "select method \"condacc\" measures on a part of the pool, but no class "
                        "of this pool of 2 has two items");
    w.input.pool_labels = NULL;
    assert_int_equal(select_status(&selection, &w.input, "influence(k=1)"), ICL_EINVAL);
    assert_string_equal(icl_error_message(), "select method \"influence\" needs a labelled pool");
    assert_int_equal(w.fake.calls, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_select_trials__prompts_are_balanced_subsets),
        cmocka_unit_test(test_select_trials__showings_add_up),
        cmocka_unit_test(test_select_trials__hidden_values_are_recovered),
        cmocka_unit_test(test_select_trials__the_best_have_only_positive_weights),
        cmocka_unit_test(test_select_trials__equal_scores_fall_to_the_lowest_index),
        cmocka_unit_test(test_select_trials__symmetric_data_prefer_nobody),
        cmocka_unit_test(test_select_trials__what_was_never_sampled_comes_last),
        cmocka_unit_test(test_select_trials__influence_needs_prompts_without_the_example),
        cmocka_unit_test(test_select_trials__draws_stay_among_the_best),
        cmocka_unit_test(test_select_trials__one_class_is_enough),
        cmocka_unit_test(test_select_trials__bad_input_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
