/* InfoScore against brute force, and what the search of LENS takes of all that it tried. */
#include "fake_asker.h"
#include "near.h"
#include "select/select_call.h"

enum { POOL = 40, LABELS = 2, K = 4, TUPLES_MAX = 400 };

/* Prompts of K demonstrations that the model was asked, and what it said of the gold labels. */
typedef struct tuple {
    size_t shown[K];
    double right, gold, asked;
} tuple;

typedef struct world {
    char texts[POOL][16];
    const char *pool_texts[POOL], *query_texts[1], *query_ids[1];
    size_t labels[POOL];
    icl_select_input input;
    fake_asker fake;
    size_t tuple_count;
    tuple tuples[TUPLES_MAX];
} world;

static void setup_world(world *w)
{
    *w = (world){ 0 };
    for (size_t i = 0; i < POOL; i++) {
        snprintf(w->texts[i], sizeof w->texts[i], "item %zu", i);
        w->pool_texts[i] = w->texts[i];
        w->labels[i] = i / 3 % LABELS;
    }
    w->query_texts[0] = w->query_ids[0] = "query";
    w->input = (icl_select_input){ .pool_count = POOL,
                                   .query_count = 1,
                                   .label_count = LABELS,
                                   .pool_texts = w->pool_texts,
                                   .query_texts = w->query_texts,
                                   .pool_labels = w->labels,
                                   .query_ids = w->query_ids,
                                   .task = "infoscore",
                                   .seed = 3 };
}

static icl_selection run(world *w, fake_model *model, const char *text)
{
    fake_asker_serve(&w->fake, &w->input, model, w);
    return select_well(&w->input, text);
}

/* P(gold) or -(share of gold in the negative log-probabilities) that fake_hashed gives. */
static double value(const world *w, const size_t *shown, size_t count, size_t item, bool code)
{
    double nats[LABELS];
    fake_answer answer = { .label_nats = nats };
    const icl_ask_prompt prompt = {
        .shown = shown, .shown_count = count, .of = ICL_ASK_POOL, .item = item
    };
    fake_hashed(NULL, &answer, &fake_data_of(&w->input), &prompt, NULL);
    const double gold = nats[w->labels[item]], other = nats[1 - w->labels[item]];
    return code ? -gold / (gold + other) : exp(gold) / (exp(gold) + exp(other));
}

static double brute_score(const world *w, size_t i, bool code)
{
    double sum = 0;
    for (size_t j = 0; j < POOL; j++)
        if (j != i) sum += value(w, &i, 1, j, code) - value(w, NULL, 0, j, code);
    return sum / (POOL - 1);
}

/* With everyone a probe of the first round, that round alone decides. */
static void test_select_infoscore__one_full_round_is_brute_force(void **state)
{
    (void)state;
    static const char *const calls[] = { "infoscore(k=4, n0=40, p=10, m=4, metric=paper)",
                                         "infoscore(k=4, n0=40, p=10, m=4, metric=code)" };
    for (size_t code = 0; code < 2; code++) {
        world w;
        setup_world(&w);
        icl_selection selection = run(&w, fake_hashed, calls[code]);
        assert_int_equal(w.fake.calls, 1);
        assert_int_equal(w.fake.prompts, POOL + POOL * (POOL - 1));
        double worst[LABELS] = { INFINITY, INFINITY };
        for (size_t r = 0; r < 4; r++) {
            const size_t i = selection.indices[r];
            assert_near(selection.scores[r], brute_score(&w, i, code), 1e-12);
            if (selection.scores[r] < worst[w.labels[i]]) worst[w.labels[i]] = selection.scores[r];
        }
        for (size_t i = 0; i < POOL; i++) { /* two of each class, and nobody better left out */
            bool chosen = false;
            for (size_t r = 0; r < 4; r++) chosen |= selection.indices[r] == i;
            assert_true(chosen || brute_score(&w, i, code) <= worst[w.labels[i]]);
        }
        icl_selection_deinit(&selection);
    }
}

/* 40 candidates on 4 probes, 20 on 4 more, 10 on 8 more, down to 8; a probe is not asked under
 * itself. */
static void test_select_infoscore__rounds_halve_and_double(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    icl_selection selection = run(&w, fake_hashed, "infoscore(k=4, n0=4, p=2, m=8)");
    assert_int_equal(w.fake.calls, 3);
    const size_t pairs = 40 * 4 + 20 * 4 + 10 * 8, zero_shot = 16;
    assert_in_range(w.fake.prompts, pairs + zero_shot - 16, pairs + zero_shot - 4);
    icl_selection_deinit(&selection);
}

static void blind(void *context, fake_answer *answer, const fake_data *data,
                  const icl_ask_prompt *prompt, const icl_ask_generation *how)
{
    (void)context, (void)how;
    answer->label_nats[data->pool_labels[prompt->item]] = -0.25;
}

/* A model that does not look at demonstrations: nobody adds anything, the lowest indices win. */
static void test_select_infoscore__no_change_is_worth_nothing(void **state)
{
    (void)state;
    static const char *const calls[] = { "infoscore(k=4)", "infoscore(k=4, metric=code)" };
    for (size_t c = 0; c < 2; c++) {
        world w;
        setup_world(&w);
        icl_selection selection = run(&w, blind, calls[c]);
        assert_memory_equal(selection.indices, ((const size_t[]){ 0, 1, 3, 4 }),
                            4 * sizeof(size_t));
        for (size_t i = 0; i < 4; i++) assert_near(selection.scores[i], 0, 0);
        icl_selection_deinit(&selection);
    }
}

static tuple *find_tuple(world *w, const size_t *shown)
{
    for (size_t t = 0; t < w->tuple_count; t++)
        if (memcmp(w->tuples[t].shown, shown, K * sizeof *shown) == 0) return &w->tuples[t];
    assert_true(w->tuple_count < TUPLES_MAX);
    tuple *added = &w->tuples[w->tuple_count++];
    memcpy(added->shown, shown, K * sizeof *shown);
    return added;
}

static void recorded(void *context, fake_answer *answer, const fake_data *data,
                     const icl_ask_prompt *prompt, const icl_ask_generation *how)
{
    fake_hashed(NULL, answer, data, prompt, how);
    if (prompt->shown_count != K) return;
    tuple *asked = find_tuple(context, prompt->shown);
    const size_t gold_label = data->pool_labels[prompt->item];
    const double gold = answer->label_nats[gold_label], other = answer->label_nats[1 - gold_label];
    asked->right += gold_label == 0 ? gold >= other : gold > other;
    asked->gold += exp(gold) / (exp(gold) + exp(other));
    asked->asked++;
}

/* Of everything that was tried, the choice has most right answers, then most probability; it is
 * shown in the order in which it was tried, and nothing is tried twice. */
static void test_select_lens__takes_the_best_of_what_it_tried(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    icl_selection selection = run(&w, recorded, "lens(k=4, dev=10, n0=2, m=12)");
    size_t shown[K], counts[LABELS] = { 0 };
    for (size_t i = 0; i < K; i++) {
        shown[i] = selection.indices[K - 1 - i]; /* as order=nearest-last shows it */
        counts[w.labels[shown[i]]]++;
        assert_near(selection.scores[i], 0, 0);
    }
    assert_true(counts[0] == 2 && counts[1] == 2);
    const size_t tried = w.tuple_count;
    assert_in_range(tried, 20, 4 * (1 + 4 * 6));
    const tuple *chosen = find_tuple(&w, shown);
    assert_int_equal(w.tuple_count, tried); /* the choice is one of them */
    for (size_t t = 0; t < tried; t++) {
        const tuple *other = &w.tuples[t];
        assert_near(other->asked, 10, 0);
        assert_true(other->right < chosen->right ||
                    (other->right <= chosen->right && other->gold <= chosen->gold + 1e-9));
    }
    icl_selection_deinit(&selection);
}

static double found_after(const char *text, uint64_t seed)
{
    world w;
    setup_world(&w);
    w.input.seed = seed;
    icl_selection selection = run(&w, recorded, text);
    size_t shown[K];
    for (size_t i = 0; i < K; i++) shown[i] = selection.indices[K - 1 - i];
    const tuple *chosen = find_tuple(&w, shown);
    icl_selection_deinit(&selection);
    return chosen->right + 0.05 * chosen->gold;
}

static void test_select_lens__a_longer_search_loses_nothing(void **state)
{
    (void)state;
    double gained = 0;
    for (uint64_t seed = 0; seed < 5; seed++) {
        const double found[] = {
            found_after("lens(k=4, dev=10, n0=2, m=12, iterations=0)", seed),
            found_after("lens(k=4, dev=10, n0=2, m=12, iterations=1)", seed),
            found_after("lens(k=4, dev=10, n0=2, m=12, iterations=4)", seed),
            found_after("lens(k=4, dev=10, n0=2, m=12, iterations=8)", seed),
        };
        for (size_t i = 1; i < 4; i++) assert_true(found[i] >= found[i - 1] - 1e-12);
        gained += found[3] - found[0];
    }
    assert_true(gained > 0.5);
}

/* All items of one class: nothing to balance, and no error. */
static void test_select_lens__one_class_is_enough(void **state)
{
    (void)state;
    static const char *const calls[] = { "infoscore(k=4)", "lens(k=4, dev=10, n0=2, m=12)" };
    for (size_t c = 0; c < 2; c++) {
        world w;
        setup_world(&w);
        memset(w.labels, 0, sizeof w.labels);
        icl_selection selection = run(&w, fake_hashed, calls[c]);
        assert_true(selection.indices[0] != selection.indices[1]);
        icl_selection_deinit(&selection);
    }
}

static void test_select_lens__bad_input_is_named(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    fake_asker_serve(&w.fake, &w.input, blind, &w);
    w.input.pool_count = 1;
    icl_selection selection = { 0 };
    assert_int_equal(select_status(&selection, &w.input, "lens(k=1)"), ICL_EINVAL);
    assert_string_equal(icl_error_message(),
                        "select method \"lens\" measures on a part of the pool, but no class of "
                        "this pool of 1 has two items");
    selection = select_well(&w.input, "infoscore(k=1)"); /* its only probe is itself */
    assert_int_equal(selection.indices[0], 0);
    assert_near(selection.scores[0], 0, 0);
    icl_selection_deinit(&selection);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_select_infoscore__one_full_round_is_brute_force),
        cmocka_unit_test(test_select_infoscore__rounds_halve_and_double),
        cmocka_unit_test(test_select_infoscore__no_change_is_worth_nothing),
        cmocka_unit_test(test_select_lens__takes_the_best_of_what_it_tried),
        cmocka_unit_test(test_select_lens__a_longer_search_loses_nothing),
        cmocka_unit_test(test_select_lens__one_class_is_enough),
        cmocka_unit_test(test_select_lens__bad_input_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
