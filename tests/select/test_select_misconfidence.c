/* In-Context Reflection on a model whose misconfidence of each pool item is set by hand. */
#include "fake_asker.h"
#include "near.h"
#include "select/select_call.h"

enum { POOL = 24, LABELS = 2 };

typedef struct world {
    char texts[POOL][16];
    const char *pool_texts[POOL], *query_texts[1], *query_ids[1];
    size_t labels[POOL];
    double misconfidence[POOL]; /* nats */
    double shift;               /* the same for all labels of a prompt */
    icl_select_input input;
    fake_asker fake;
} world;

static void setup_world(world *w)
{
    *w = (world){ 0 };
    for (size_t i = 0; i < POOL; i++) {
        snprintf(w->texts[i], sizeof w->texts[i], "%zu", i);
        w->pool_texts[i] = w->texts[i];
        w->labels[i] = i % LABELS;
        w->misconfidence[i] = (double)(i * 7 % POOL) / 4 - 3;
    }
    w->query_texts[0] = w->query_ids[0] = "query";
    w->input = (icl_select_input){ .pool_count = POOL,
                                   .query_count = 1,
                                   .label_count = LABELS,
                                   .pool_texts = w->pool_texts,
                                   .query_texts = w->query_texts,
                                   .pool_labels = w->labels,
                                   .query_ids = w->query_ids,
                                   .task = "misconfidence",
                                   .seed = 1 };
}

/* Whatever the demonstrations; and nobody is asked while he is shown. */
static void given(void *context, fake_answer *answer, const fake_data *data,
                  const icl_ask_prompt *prompt, const icl_ask_generation *how)
{
    (void)how;
    const world *w = context;
    for (size_t i = 0; i < prompt->shown_count; i++) assert_true(prompt->shown[i] != prompt->item);
    const size_t gold = data->pool_labels[prompt->item];
    answer->label_nats[gold] = -20 + w->shift;
    answer->label_nats[1 - gold] = -20 + w->shift + w->misconfidence[prompt->item];
}

static icl_selection run(world *w, const char *text)
{
    fake_asker_serve(&w->fake, &w->input, given, w);
    return select_well(&w->input, text);
}

static bool holds(const icl_selection *selection, size_t item)
{
    bool found = false;
    for (size_t i = 0; i < selection->k; i++) found |= selection->indices[i] == item;
    return found;
}

/* Who stands at a place, in order of showing; rank 0 is shown last. */
static size_t shown(const icl_selection *selection, size_t place)
{
    return selection->indices[selection->k - 1 - place];
}

/* Algorithm 1 by brute force: the first places take the highest of those outside. */
static void refill(const world *w, size_t *set, size_t k, size_t replaced, bool same_class)
{
    bool free[POOL];
    for (size_t i = 0; i < POOL; i++) free[i] = true;
    for (size_t p = 0; p < k; p++) free[set[p]] = false;
    for (size_t p = 0; p < replaced; p++) {
        size_t best = POOL;
        for (size_t i = 0; i < POOL; i++)
            if (free[i] && (!same_class || w->labels[i] == w->labels[set[p]]) &&
                (best == POOL || w->misconfidence[i] > w->misconfidence[best]))
                best = i;
        set[p] = best;
        free[best] = false;
    }
}

static void check_rounds(world *w, size_t k, size_t replaced, bool same_class)
{
    icl_selection start =
        run(w, k == 6 ? "misconfidence(k=6,rounds=0)" : "misconfidence(k=4,rounds=0)");
    assert_int_equal(w->fake.calls, 0);
    size_t set[8];
    for (size_t p = 0; p < k; p++) set[p] = shown(&start, p);
    for (size_t rounds = 1; rounds <= 3; rounds++) {
        char call[128];
        snprintf(call, sizeof call, "misconfidence(k=%zu,rounds=%zu,replaced=%zu,same_class=%s)", k,
                 rounds, replaced, same_class ? "true" : "false");
        refill(w, set, k, replaced, same_class);
        icl_selection got = run(w, call);
        for (size_t p = 0; p < k; p++) {
            assert_int_equal(shown(&got, p), set[p]);
            assert_near(got.scores[p], 0, 0);
        }
        assert_int_equal(w->fake.prompts, rounds * (POOL - k));
        icl_selection_deinit(&got);
    }
    icl_selection_deinit(&start);
}

static void test_select_misconfidence__first_places_take_the_most_misconfident(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    check_rounds(&w, 4, 2, false);
    check_rounds(&w, 6, 1, false);
    check_rounds(&w, 6, 6, false);
}

static void test_select_misconfidence__labels_can_stay_as_they_are(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    check_rounds(&w, 4, 2, true);
    check_rounds(&w, 6, 3, true);
}

/* One round and half of the set where nothing else is said; more than k is k. */
static void test_select_misconfidence__half_stays_random(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    icl_selection start = run(&w, "misconfidence(k=6,rounds=0)");
    icl_selection half = run(&w, "misconfidence(k=6)");
    icl_selection all = run(&w, "misconfidence(k=6,replaced=100)");
    for (size_t p = 0; p < 6; p++) {
        assert_int_equal(shown(&half, p) == shown(&start, p), p >= 3);
        assert_false(holds(&start, shown(&all, p)));
    }
    icl_selection_deinit(&all);
    icl_selection_deinit(&half);
    icl_selection_deinit(&start);
}

/* All of the pool is shown: nobody is left to ask. */
static void test_select_misconfidence__a_whole_pool_asks_nothing(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    icl_selection all = run(&w, "misconfidence(k=24)");
    assert_int_equal(w.fake.calls, 0);
    for (size_t i = 0; i < POOL; i++) assert_true(holds(&all, i));
    icl_selection_deinit(&all);
}

/* psi: above 1 where the answer is wrong, 1 at a tie, below where it is right. */
static void test_select_misconfidence__a_tie_is_between_right_and_wrong(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    for (size_t i = 0; i < POOL; i++) w.misconfidence[i] = i < 8 ? log(2) : i < 16 ? 0 : -1e-9;
    icl_selection six = run(&w, "misconfidence(k=6,replaced=6)");
    for (size_t i = 0; i < 6; i++) assert_in_range(six.indices[i], 0, 15);
    for (size_t i = 0; i < 8; i++) w.misconfidence[i] = -1;
    icl_selection tied = run(&w, "misconfidence(k=4,replaced=4)");
    for (size_t i = 0; i < 4; i++) assert_in_range(tied.indices[i], 8, 15);
    icl_selection_deinit(&tied);
    icl_selection_deinit(&six);
}

/* log P of all labels higher or lower by the same, as normalising over labels does. */
static void test_select_misconfidence__normalising_changes_nothing(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    icl_selection plain = run(&w, "misconfidence(k=4, rounds=2)");
    w.shift = 7.5;
    icl_selection shifted = run(&w, "misconfidence(k=4, rounds=2)");
    assert_memory_equal(plain.indices, shifted.indices, 4 * sizeof *plain.indices);
    icl_selection_deinit(&shifted);
    icl_selection_deinit(&plain);
}

/* One label in all: nothing can be wrong, all are equal. */
static void test_select_misconfidence__one_label_is_no_error(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    for (size_t i = 0; i < POOL; i++) w.labels[i] = 0;
    icl_selection selection = run(&w, "misconfidence(k=4)");
    assert_true(selection.indices[0] != selection.indices[1]);
    icl_selection_deinit(&selection);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_select_misconfidence__first_places_take_the_most_misconfident),
        cmocka_unit_test(test_select_misconfidence__labels_can_stay_as_they_are),
        cmocka_unit_test(test_select_misconfidence__half_stays_random),
        cmocka_unit_test(test_select_misconfidence__a_whole_pool_asks_nothing),
        cmocka_unit_test(test_select_misconfidence__a_tie_is_between_right_and_wrong),
        cmocka_unit_test(test_select_misconfidence__normalising_changes_nothing),
        cmocka_unit_test(test_select_misconfidence__one_label_is_no_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
