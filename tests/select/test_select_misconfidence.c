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

/* Ranks of misconfidence from above, within the class. */
static size_t class_rank(const world *w, size_t item)
{
    size_t above = 0;
    for (size_t i = 0; i < POOL; i++)
        above += w->labels[i] == w->labels[item] && w->misconfidence[i] > w->misconfidence[item];
    return above;
}

/* Two of four go in each round, so the end is the two most misconfident of each class; then nothing
 * changes and nothing more is asked. */
static void test_select_misconfidence__ends_with_the_most_misconfident(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    icl_selection selection = run(&w, "misconfidence(k=4, rounds=100)");
    for (size_t i = 0; i < 4; i++) {
        assert_true(class_rank(&w, selection.indices[i]) < 2);
        assert_near(selection.scores[i], 0, 0);
    }
    assert_in_range(w.fake.calls, 2, 4);
    assert_int_equal(w.fake.prompts, w.fake.calls * POOL);
    icl_selection_deinit(&selection);
}

static void test_select_misconfidence__without_classes_the_best_of_all(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    for (size_t i = 0; i < POOL; i++) w.misconfidence[i] = (double)(i % 2 * POOL + i);
    icl_selection selection = run(&w, "misconfidence(k=4, rounds=100, same_class=false)");
    for (size_t i = 0; i < 4; i++) assert_true(selection.indices[i] >= 17); /* 17 19 21 23 */
    icl_selection_deinit(&selection);
}

/* One round with one replacement: the weakest demonstration goes, the strongest outsider comes. */
static void test_select_misconfidence__a_round_replaces_as_many_as_asked(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    const double spread[POOL] = { 0 };
    double held[POOL];
    memcpy(held, w.misconfidence, sizeof held);
    memcpy(w.misconfidence, spread, sizeof spread); /* all equal: the random start stays */
    icl_selection start = run(&w, "misconfidence(k=6, rounds=5)");
    assert_int_equal(w.fake.calls, 1);
    memcpy(w.misconfidence, held, sizeof held);
    icl_selection after = run(&w, "misconfidence(k=6, rounds=1, replaced=1, same_class=false)");
    size_t gone = POOL, weakest = start.indices[0], strongest = POOL;
    for (size_t i = 0; i < 6; i++) {
        if (!holds(&after, start.indices[i])) gone = start.indices[i];
        if (held[start.indices[i]] < held[weakest]) weakest = start.indices[i];
    }
    for (size_t i = 0; i < POOL; i++)
        if (!holds(&start, i) && (strongest == POOL || held[i] > held[strongest])) strongest = i;
    assert_int_equal(gone, weakest);
    assert_true(holds(&after, strongest));
    for (size_t i = 0; i < 6; i++) /* in the place of whom it replaced */
        assert_int_equal(after.indices[i],
                         start.indices[i] == weakest ? strongest : start.indices[i]);
    icl_selection_deinit(&after);
    icl_selection_deinit(&start);
}

/* psi: 2 of an answer that is wrong, 1 at a tie, below where it is right. */
static void test_select_misconfidence__a_tie_is_between_right_and_wrong(void **state)
{
    world w;
    setup_world(&w);
    for (size_t i = 0; i < POOL; i++) w.misconfidence[i] = i < 4 ? 0 : -1e-9;
    icl_selection tied = run(&w, "misconfidence(k=4, rounds=100)");
    for (size_t i = 0; i < 4; i++) assert_in_range(tied.indices[i], 0, 3);
    for (size_t i = 20; i < POOL; i++) w.misconfidence[i] = log(2);
    icl_selection wrong = run(&w, "misconfidence(k=4, rounds=100)");
    for (size_t i = 0; i < 4; i++) assert_in_range(wrong.indices[i], 20, POOL - 1);
    icl_selection_deinit(&wrong);
    icl_selection_deinit(&tied);
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

/* One label in all: nothing can be wrong, the random start stays. */
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
        cmocka_unit_test(test_select_misconfidence__ends_with_the_most_misconfident),
        cmocka_unit_test(test_select_misconfidence__without_classes_the_best_of_all),
        cmocka_unit_test(test_select_misconfidence__a_round_replaces_as_many_as_asked),
        cmocka_unit_test(test_select_misconfidence__a_tie_is_between_right_and_wrong),
        cmocka_unit_test(test_select_misconfidence__normalising_changes_nothing),
        cmocka_unit_test(test_select_misconfidence__one_label_is_no_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
