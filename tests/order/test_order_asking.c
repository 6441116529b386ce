/* Orders by what the model says, against brute force: for each method its objective is written down
 * again, plainly, and the best of all k! orders is compared with what the method shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/array.h"
#include "math/logspace.h"
#include "order/groups.h"
#include "order/label_distributions.h"
#include "order/permutations.h"
#include "order/pool_probes.h"
#include "order_call.h"
#include "order_world.h"

enum { POOL = 9, QUERIES = 3, K = 3, LABELS = 3, ORDERS = 6, PROBES = POOL - K - 1 };

static const char *const pool_texts[POOL] = { "nine", "men", "in",  "a",  "boat",
                                              "row",  "to",  "the", "sea" };
static const char *const query_texts[QUERIES] = { "storm", "calm", "fog" };
static const char *const query_ids[QUERIES] = { "q0", "q1", "q2" };
static const size_t pool_labels[POOL] = { 0, 1, 2, 0, 0, 0, 1, 0, 2 };
static const size_t selves[QUERIES] = { SIZE_MAX, SIZE_MAX, 8 };
/* Queries 0 and 1 see the same set. */
static const size_t selected[QUERIES * K] = { 7, 2, 4, /**/ 4, 7, 2, /**/ 1, 0, 5 };

static void world_init(world *w, fake_model *model)
{
    w->input = ORDER_INPUT(.query_self = selves, .task = "asking", .seed = 5);
    fake_asker_serve(&w->fake, &w->input, model, NULL);
}

/* ---- the plain objectives; every one is to be as large as can be ---- */

static void ask(double *row, const world *w, const size_t *shown, size_t count, icl_ask_of of,
                size_t item)
{
    const icl_ask_prompt prompt = { .shown = shown, .shown_count = count, .of = of, .item = item };
    fake_answer answer = { .label_nats = row };
    w->fake.model(w->fake.context, &answer, &w->fake.data, &prompt, NULL);
    icl_softmax(row, row, LABELS);
}

static void ask_neutral(double *row, const world *w, const size_t *shown, size_t count)
{
    double sum = 0, nats[LABELS];
    for (size_t label = 0; label < LABELS; label++) row[label] = 0;
    for (size_t i = 0; i < ICL_CONTENT_FREE_COUNT; i++) {
        const icl_ask_prompt prompt = {
            .shown = shown, .shown_count = count, .of = ICL_ASK_CONTENT_FREE, .item = i
        };
        fake_answer answer = { .label_nats = nats };
        w->fake.model(w->fake.context, &answer, &w->fake.data, &prompt, NULL);
        for (size_t label = 0; label < LABELS; label++) row[label] += exp(nats[label]);
    }
    for (size_t label = 0; label < LABELS; label++) sum += row[label];
    for (size_t label = 0; label < LABELS; label++) row[label] /= sum;
}

static double evenness(const world *w, const size_t *shown, size_t count)
{
    double row[LABELS];
    ask_neutral(row, w, shown, count);
    return icl_entropy_nats(row, LABELS);
}

/* rows [PROBES][LABELS] over the pool items that methods probe with. */
static void ask_probes(double *rows, const world *w, const size_t *shown, size_t query)
{
    icl_order_groups groups = { 0 };
    icl_pool_probes probes = { 0 };
    assert_int_equal(icl_order_groups_make(&groups, &w->input, ICL_GROUP_BY_SET), ICL_OK);
    assert_int_equal(icl_pool_probes_draw(&probes, &w->input, &groups, PROBES), ICL_OK);
    assert_int_equal(probes.count, PROBES);
    for (size_t i = 0; i < PROBES; i++)
        ask(rows + i * LABELS, w, shown, K, ICL_ASK_POOL,
            probes.items[groups.of[query] * PROBES + i]);
    icl_pool_probes_deinit(&probes);
    icl_order_groups_deinit(&groups);
}

static double global_entropy(const world *w, const size_t *shown, size_t query)
{
    double rows[PROBES * LABELS], histogram[LABELS] = { 0 };
    ask_probes(rows, w, shown, query);
    for (size_t i = 0; i < PROBES; i++)
        histogram[icl_argmax(rows + i * LABELS, LABELS)] += 1. / PROBES;
    return icl_entropy_nats(histogram, LABELS);
}

static double local_entropy(const world *w, const size_t *shown, size_t query)
{
    double rows[PROBES * LABELS], sum = 0;
    ask_probes(rows, w, shown, query);
    for (size_t i = 0; i < PROBES; i++) sum += icl_entropy_nats(rows + i * LABELS, LABELS);
    return sum;
}

static double few_shot(const world *w, const size_t *shown, size_t query)
{
    (void)query;
    return evenness(w, shown, K);
}

static void mean_of_probes(double *mean, const world *w, const size_t *shown, size_t query)
{
    double rows[PROBES * LABELS];
    ask_probes(rows, w, shown, query);
    for (size_t label = 0; label < LABELS; label++) {
        mean[label] = 0;
        for (size_t i = 0; i < PROBES; i++) mean[label] += rows[i * LABELS + label] / PROBES;
    }
}

static double few_shot_u(const world *w, const size_t *shown, size_t query)
{
    double mean[LABELS];
    mean_of_probes(mean, w, shown, query);
    return icl_entropy_nats(mean, LABELS);
}

static double few_shot_up(const world *w, const size_t *shown, size_t query)
{
    static const double prior[LABELS] = { 5 / 9., 2 / 9., 2 / 9. };
    double mean[LABELS], divergence = 0;
    mean_of_probes(mean, w, shown, query);
    for (size_t label = 0; label < LABELS; label++)
        divergence += mean[label] * log(mean[label] / prior[label]);
    return -divergence;
}

static double sureness(const world *w, const size_t *shown, size_t query)
{
    double row[LABELS];
    ask(row, w, shown, K, ICL_ASK_QUERY, query);
    return -icl_entropy_nats(row, LABELS);
}

static double calibrated_sureness(const world *w, const size_t *shown, size_t query)
{
    double row[LABELS], neutral[LABELS], sum = 0;
    ask(row, w, shown, K, ICL_ASK_QUERY, query);
    ask_neutral(neutral, w, shown, K);
    for (size_t label = 0; label < LABELS; label++) sum += row[label] /= neutral[label];
    for (size_t label = 0; label < LABELS; label++) row[label] /= sum;
    return -icl_entropy_nats(row, LABELS);
}

static double movement(const world *w, const size_t *shown, size_t query)
{
    double row[LABELS], neutral[LABELS], sum = 0;
    ask(row, w, shown, K, ICL_ASK_QUERY, query);
    ask_neutral(neutral, w, shown, K);
    for (size_t label = 0; label < LABELS; label++) sum += fabs(row[label] - neutral[label]);
    return sum;
}

static double largest_rise(const world *w, const size_t *shown, size_t query)
{
    double row[LABELS], neutral[LABELS], largest = -1;
    ask(row, w, shown, K, ICL_ASK_QUERY, query);
    ask_neutral(neutral, w, shown, K);
    for (size_t label = 0; label < LABELS; label++)
        largest = fmax(largest, row[label] - neutral[label]);
    return largest;
}

/* Half of the orders is fair. */
static double movement_of_fair(const world *w, const size_t *shown, size_t query)
{
    size_t order[K], fairer = 0;
    memcpy(order, shown, sizeof order);
    qsort(order, K, sizeof *order, icl_array_compare_sizes);
    do {
        fairer += evenness(w, order, K) > evenness(w, shown, K);
    } while (icl_permutation_next(order, K));
    return fairer < ORDERS / 2 ? movement(w, shown, query) : -1;
}

/* ---- brute force ---- */

typedef double objective(const world *w, const size_t *shown, size_t query);

/* The pool items of a query in the order of showing. */
static void shown_of(size_t *out, const icl_ordering *ordering, size_t query)
{
    for (size_t place = 0; place < K; place++)
        out[place] = selected[query * K + ordering->permutations[query * K + place]];
}

static void assert_best(const world *w, const char *call, objective *value)
{
    icl_ordering ordering = order_well(&w->input, call);
    for (size_t q = 0; q < QUERIES; q++) {
        size_t shown[K], order[K];
        shown_of(shown, &ordering, q);
        const double reached = value(w, shown, q);
        memcpy(order, shown, sizeof order);
        qsort(order, K, sizeof *order, icl_array_compare_sizes);
        do {
            if (value(w, order, q) > reached + 1e-12)
                fail_msg("%s, query %zu: %g, but another order has %g", call, q, reached,
                         value(w, order, q));
        } while (icl_permutation_next(order, K));
    }
    icl_ordering_deinit(&ordering);
}

static void test_order_asking__objectives_are_those_of_brute_force(void **state)
{
    (void)state;
    world w;
    world_init(&w, fake_hashed);
    w.input.query_self = NULL; /* else the last query's probes and prior lack an item */
    assert_best(&w, "global-e", global_entropy);
    assert_best(&w, "local-e", local_entropy);
    assert_best(&w, "pdo(inputs=content-free)", few_shot);
    assert_best(&w, "pdo", few_shot_u);
    assert_best(&w, "pdo(prior=pool)", few_shot_up);
    assert_best(&w, "mdl", sureness);
    assert_best(&w, "mdl(calibrated=true)", calibrated_sureness);
    assert_best(&w, "demo(fair=1)", movement);
    assert_best(&w, "demo(fair=1,move=label)", largest_rise);
    assert_best(&w, "demo(fair=0.5)", movement_of_fair);
    assert_best(&w, "demo(fair=0)", few_shot); /* the fairest one is left */
}

static void test_order_asking__one_set_has_one_order(void **state)
{
    (void)state;
    static const char *const calls[] = { "global-e", "local-e", "pdo", "t-fair", "g-fair" };
    world w;
    world_init(&w, fake_hashed);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        size_t first[K], second[K];
        icl_ordering ordering = order_well(&w.input, calls[i]);
        shown_of(first, &ordering, 0);
        shown_of(second, &ordering, 1);
        assert_memory_equal(first, second, sizeof first);
        icl_ordering_deinit(&ordering);
    }
}

static void assert_cost(world *w, const char *call, size_t calls, size_t prompts)
{
    w->fake.calls = w->fake.prompts = 0;
    icl_ordering ordering = order_well(&w->input, call);
    icl_ordering_deinit(&ordering);
    if (w->fake.calls != calls || w->fake.prompts != prompts)
        fail_msg("%s: %zu calls, %zu prompts", call, w->fake.calls, w->fake.prompts);
}

/* Two sets of three, six orders each. */
static void test_order_asking__costs_what_the_card_says(void **state)
{
    (void)state;
    world w;
    world_init(&w, fake_hashed);
    assert_cost(&w, "mdl", 1, QUERIES * ORDERS);
    assert_cost(&w, "mdl(orders=4)", 1, QUERIES * 4);
    assert_cost(&w, "mdl(orders=1)", 0, 0);
    assert_cost(&w, "mdl(calibrated=true)", 2, QUERIES * ORDERS + 2 * ORDERS * 3);
    assert_cost(&w, "demo", 2, 2 * ORDERS * 3 + QUERIES * 2);
    assert_cost(&w, "demo(fair=0)", 1, 2 * ORDERS * 3);
    assert_cost(&w, "pdo(inputs=content-free)", 1, 2 * ORDERS * 3);
    assert_cost(&w, "pdo(input_count=4)", 2, 2 * ORDERS * 4);
    assert_cost(&w, "t-fair", 1, 2 * K * 3);
    assert_cost(&w, "g-fair", K - 1, 2 * (3 + 2) * 3);
    assert_cost(&w, "g-fair(insert=either)", K, 2 * (3 + 4 + 2) * 3);
    w.fake.asker.frame = (const char *const[]){ "", "" };
    w.fake.asker.frame_count = 2;
    w.fake.asker.answer_prefix = "";
    /* The fake model's texts have three words. */
    assert_cost(&w, "global-e(inputs=4)", 2 * 3, 2 * (2 * ORDERS + ORDERS * 4));
    assert_cost(&w, "local-e(inputs=4,probes=pool)", 2, 2 * ORDERS * 4);
    w.input.k = 1;
    assert_cost(&w, "mdl", 0, 0);
    assert_cost(&w, "t-fair", 0, 0);
    assert_cost(&w, "g-fair", 0, 0);
    assert_cost(&w, "global-e", 0, 0);
}

/* What the model writes is what it is asked about: texts of "four"s and of "six"es. */
static void writes_numbers(void *context, fake_answer *answer, const fake_data *data,
                           const icl_ask_prompt *prompt, const icl_ask_generation *how)
{
    const char *number = (answer->draw >> 1 & 1) != 0 ? "four" : "six";
    fake_hashed(context, answer, data, prompt, NULL);
    if (how != NULL)
        snprintf(answer->generation, sizeof answer->generation, " %s%s.", number,
                 how->no_repeat == 3 ? " men in a boat" : " men in the sea");
    else
        assert_true(prompt->of == ICL_ASK_WRITTEN && strncmp(prompt->written, "Text: ", 6) == 0 &&
                    strchr(prompt->written, '.') != NULL);
}

static void test_order_asking__written_texts_are_probed(void **state)
{
    (void)state;
    static const char *const frame[] = { "Text: ", "" };
    world w;
    world_init(&w, writes_numbers);
    w.fake.asker.frame = frame;
    w.fake.asker.frame_count = 2;
    w.fake.asker.answer_prefix = "";
    w.fake.calls = w.fake.prompts = 0;
    icl_ordering ordering = order_well(&w.input, "local-e");
    icl_ordering_deinit(&ordering);
    assert_int_equal(w.fake.calls, 2 * 3);
    /* Six draws of each kind: both numbers, or by chance of 1/32 only one, of each. */
    assert_true(w.fake.prompts <= 2 * (2 * ORDERS + ORDERS * 4));
    assert_true(w.fake.prompts >= 2 * (2 * ORDERS + ORDERS * 2));
}

/* The model is sure of every label after "sea boat", unsure otherwise. */
static void sure_after_sea(void *context, fake_answer *answer, const fake_data *data,
                           const icl_ask_prompt *prompt, const icl_ask_generation *how)
{
    (void)context, (void)data, (void)how;
    const bool sure = prompt->shown[0] == 7 && prompt->shown[1] == 4;
    for (size_t label = 0; label < LABELS; label++)
        answer->label_nats[label] = sure && label != 1 ? -9 : -1;
}

static void test_order_asking__mdl_wants_what_local_e_does_not(void **state)
{
    (void)state;
    world w;
    size_t shown[K];
    world_init(&w, sure_after_sea);
    icl_ordering ordering = order_well(&w.input, "mdl");
    shown_of(shown, &ordering, 0);
    assert_true(shown[0] == 7 && shown[1] == 4);
    icl_ordering_deinit(&ordering);
    ordering = order_well(&w.input, "local-e");
    shown_of(shown, &ordering, 0);
    assert_false(shown[0] == 7 && shown[1] == 4);
    icl_ordering_deinit(&ordering);
}

/* With one input the mean is that input's distribution: FewShot on it. */
static double few_shot_on_one(const world *w, const size_t *shown, size_t query)
{
    icl_order_groups groups = { 0 };
    icl_pool_probes probes = { 0 };
    double row[LABELS];
    assert_int_equal(icl_order_groups_make(&groups, &w->input, ICL_GROUP_BY_SET), ICL_OK);
    assert_int_equal(icl_pool_probes_draw(&probes, &w->input, &groups, 1), ICL_OK);
    ask(row, w, shown, K, ICL_ASK_POOL, probes.items[groups.of[query]]);
    icl_pool_probes_deinit(&probes);
    icl_order_groups_deinit(&groups);
    return icl_entropy_nats(row, LABELS);
}

static void test_order_asking__pdo_on_one_input_looks_at_it_alone(void **state)
{
    (void)state;
    world w;
    world_init(&w, fake_hashed);
    assert_best(&w, "pdo(input_count=1)", few_shot_on_one);
}

/* ---- fair prompting ---- */

static void test_order_asking__t_fair_ranks_single_demonstrations(void **state)
{
    (void)state;
    world w;
    world_init(&w, fake_hashed);
    for (int back = 0; back < 2; back++) {
        icl_ordering ordering = order_well(&w.input, back ? "t-fair(insert=back)" : "t-fair");
        for (size_t q = 0; q < QUERIES; q++) {
            size_t shown[K];
            shown_of(shown, &ordering, q);
            for (size_t i = 1; i < K; i++) {
                const double before = evenness(&w, &shown[i - 1], 1);
                const double after = evenness(&w, &shown[i], 1);
                assert_true(back ? before >= after : before <= after);
            }
        }
        icl_ordering_deinit(&ordering);
    }
}

static void insert(size_t *out, const size_t *order, size_t count, size_t item, bool front)
{
    memcpy(out + (front ? 1 : 0), order, count * sizeof *out);
    out[front ? 0 : count] = item;
}

/* The greedy search, written down for one query. */
static void greedy(size_t *order, const world *w, size_t query, bool front, bool back)
{
    size_t left[K];
    memcpy(left, &selected[query * K], sizeof left);
    qsort(left, K, sizeof *left, icl_array_compare_sizes);
    for (size_t count = 0; count < K; count++) {
        size_t best[K] = { 0 }, trial[K], taken = K;
        double highest = -1;
        for (size_t i = 0; i < K; i++) {
            for (int side = 0; side < 2; side++) {
                if (left[i] == SIZE_MAX || !(side == 0 ? front : back)) continue;
                insert(trial, order, count, left[i], side == 0);
                const double entropy = evenness(w, trial, count + 1);
                if (entropy <= highest) continue;
                highest = entropy;
                taken = i;
                memcpy(best, trial, sizeof best);
            }
        }
        left[taken] = SIZE_MAX;
        memcpy(order, best, sizeof best);
    }
}

static void test_order_asking__g_fair_is_the_greedy_search(void **state)
{
    (void)state;
    static const char *const calls[] = { "g-fair", "g-fair(insert=back)", "g-fair(insert=either)" };
    world w;
    world_init(&w, fake_hashed);
    for (size_t i = 0; i < 3; i++) {
        icl_ordering ordering = order_well(&w.input, calls[i]);
        for (size_t q = 0; q < QUERIES; q++) {
            size_t shown[K], expected[K];
            shown_of(shown, &ordering, q);
            greedy(expected, &w, q, i != 1, i != 0);
            assert_memory_equal(shown, expected, sizeof shown);
        }
        icl_ordering_deinit(&ordering);
    }
}

static void test_order_asking__g_fair_on_either_side_is_best_of_two(void **state)
{
    (void)state;
    for (uint64_t pair = 0; pair + 1 < POOL; pair++) {
        const size_t both[] = { pair, pair + 1 };
        size_t shown[2];
        world w;
        world_init(&w, fake_hashed);
        w.input.k = 2;
        w.input.query_count = 1;
        w.input.indices = both;
        icl_ordering ordering = order_well(&w.input, "g-fair(insert=either)");
        for (size_t i = 0; i < 2; i++) shown[i] = both[ordering.permutations[i]];
        const size_t turned[] = { shown[1], shown[0] };
        assert_true(evenness(&w, shown, 2) >= evenness(&w, turned, 2));
        icl_ordering_deinit(&ordering);
    }
}

/* Each demonstration of another label makes the labels more even. */
static void evens_out(void *context, fake_answer *answer, const fake_data *data,
                      const icl_ask_prompt *prompt, const icl_ask_generation *how)
{
    (void)context, (void)how;
    double count[LABELS] = { .1, .1, .1 };
    for (size_t i = 0; i < prompt->shown_count; i++) count[data->pool_labels[prompt->shown[i]]]++;
    for (size_t label = 0; label < LABELS; label++) answer->label_nats[label] = log(count[label]);
}

static void test_order_asking__g_fair_rises_while_it_can(void **state)
{
    (void)state;
    static const size_t set[] = { 0, 1, 2, 3, 6, 8 }; /* labels 0 1 2 0 1 2 */
    enum { SET = sizeof set / sizeof *set };
    size_t shown[SET];
    world w;
    world_init(&w, evens_out);
    w.input.k = SET;
    w.input.query_count = 1;
    w.input.indices = set;
    icl_ordering ordering = order_well(&w.input, "g-fair");
    for (size_t i = 0; i < SET; i++) shown[i] = set[ordering.permutations[i]];
    /* Inserted in front: the first three taken stand last, one of each label. */
    for (size_t taken = 2; taken <= 3; taken++)
        assert_true(evenness(&w, shown + SET - taken, taken) >
                    evenness(&w, shown + SET - taken + 1, taken - 1));
    bool seen[LABELS] = { false };
    for (size_t i = SET - 3; i < SET; i++) seen[pool_labels[shown[i]]] = true;
    for (size_t label = 0; label < LABELS; label++) assert_true(seen[label]);
    icl_ordering_deinit(&ordering);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_asking__objectives_are_those_of_brute_force),
        cmocka_unit_test(test_order_asking__one_set_has_one_order),
        cmocka_unit_test(test_order_asking__costs_what_the_card_says),
        cmocka_unit_test(test_order_asking__written_texts_are_probed),
        cmocka_unit_test(test_order_asking__mdl_wants_what_local_e_does_not),
        cmocka_unit_test(test_order_asking__pdo_on_one_input_looks_at_it_alone),
        cmocka_unit_test(test_order_asking__t_fair_ranks_single_demonstrations),
        cmocka_unit_test(test_order_asking__g_fair_is_the_greedy_search),
        cmocka_unit_test(test_order_asking__g_fair_on_either_side_is_best_of_two),
        cmocka_unit_test(test_order_asking__g_fair_rises_while_it_can),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
