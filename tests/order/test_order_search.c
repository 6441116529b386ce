/* Orders that follow a number and orders that are searched for, against answers written out here.
 */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/array.h"
#include "math/logspace.h"
#include "near.h"
#include "order/groups.h"
#include "order/permutations.h"
#include "order/pool_probes.h"
#include "order_call.h"
#include "order_world.h"
#include "rows.h"

enum { POOL = 14, QUERIES = 4, K = 4, LABELS = 3, ORDERS = 24, ITEMS = 6 };

static const char *const pool_texts[POOL] = {
    "nine", "men",  "in",  "a",    "boat", "row", "to",
    "the",  "seas", "and", "sing", "of",   "red", "\xc3\xa9\xc3\xa9"
};
static const char *const query_texts[QUERIES] = { "storm", "calm", "fog", "wind" };
static const char *const query_ids[QUERIES] = { "q0", "q1", "q2", "q3" };
static const size_t pool_labels[POOL] = { 0, 1, 2, 0, 0, 0, 1, 0, 2, 1, 2, 0, 1, 2 };
static const size_t selves[QUERIES] = { SIZE_MAX, SIZE_MAX, 8, SIZE_MAX };
/* Queries 0 and 1 see the same set. */
static const size_t selected[QUERIES * K] = { 7,      2, 4, 6,  /**/ 4, 6, 7, 2,
                                              /**/ 1, 0, 5, 13, /**/ 7, 2, 4, 5 };
static const double scores[QUERIES * K] = { .9,     .5, .5, .1, /**/ 4,  3,  2,  1,
                                            /**/ 0, 0,  0,  0,  /**/ -1, -2, -2, -3 };

static void world_init(world *w, fake_model *model)
{
    w->input = ORDER_INPUT(.scores = scores, .query_self = selves, .task = "searching", .seed = 5);
    fake_asker_serve(&w->fake, &w->input, model, NULL);
}

/* The pool items of a query in the order of showing. */
static void shown_of(size_t *out, const world *w, const char *call, size_t query)
{
    icl_ordering ordering = order_well(&w->input, call);
    const size_t k = w->input.k;
    for (size_t place = 0; place < k; place++)
        out[place] = w->input.indices[query * k + ordering.permutations[query * k + place]];
    icl_ordering_deinit(&ordering);
}

static void assert_shown(const world *w, const char *call, size_t query, const size_t expected[K])
{
    size_t shown[K];
    shown_of(shown, w, call, query);
    for (size_t place = 0; place < K; place++)
        if (shown[place] != expected[place])
            fail_msg("%s, query %zu, place %zu: item %zu", call, query, place, shown[place]);
}

/* ---- by a number ---- */

static void test_order_search__nearest_first_is_nearest_last_mirrored(void **state)
{
    (void)state;
    world w;
    world_init(&w, fake_hashed);
    assert_shown(&w, "nearest-first", 0, (const size_t[K]){ 7, 2, 4, 6 });
    assert_shown(&w, "nearest-last", 0, (const size_t[K]){ 6, 4, 2, 7 });
    for (size_t q = 0; q < QUERIES; q++) {
        size_t first[K], last[K];
        shown_of(first, &w, "nearest-first", q);
        shown_of(last, &w, "nearest-last", q);
        for (size_t i = 0; i < K; i++) assert_int_equal(first[i], last[K - 1 - i]);
    }
}

/* A long prompt drops from its beginning: what is left of nearest-last are the k' nearest. */
static void test_order_search__the_last_of_nearest_last_are_the_nearest(void **state)
{
    (void)state;
    world w;
    world_init(&w, fake_hashed);
    const double shuffled[K] = { .2, .9, .2, .7 };
    w.input.query_count = 1;
    w.input.scores = shuffled;
    icl_ordering ordering = order_well(&w.input, "nearest-last");
    const size_t *line = ordering.permutations;
    assert_int_equal(line[K - 1], 1); /* the largest */
    for (size_t kept = 1; kept < K; kept++)
        for (size_t dropped = 0; dropped < K - kept; dropped++)
            assert_true(shuffled[line[dropped]] <= shuffled[line[K - kept]]);
    assert_true(line[0] == 2 &&
                line[1] == 0); /* of equal ones the one selected earlier is nearer */
    icl_ordering_deinit(&ordering);
}

static void test_order_search__interleaved_takes_labels_in_turn(void **state)
{
    (void)state;
    world w;
    world_init(&w, fake_hashed);
    /* Labels by rank 0 2 0 1: from the query back 7 (0), 2 (2), 6 (1), then 4 (0). */
    assert_shown(&w, "interleaved", 0, (const size_t[K]){ 4, 6, 2, 7 });
    /* Labels 1 0 0 2: 1 (1), 0 (0), 13 (2), 5 (0). */
    assert_shown(&w, "interleaved", 2, (const size_t[K]){ 5, 13, 0, 1 });
    /* Balanced classes: no two neighbours agree. */
    const size_t balanced[] = { 0, 3, 4, 5, 1, 6, 9, 12, 2, 8, 10, 13 };
    const double equal[12] = { 0 };
    w.input.k = 12;
    w.input.query_count = 1;
    w.input.indices = balanced;
    w.input.scores = equal;
    icl_ordering ordering = order_well(&w.input, "interleaved");
    for (size_t i = 1; i < 12; i++)
        assert_true(pool_labels[balanced[ordering.permutations[i]]] !=
                    pool_labels[balanced[ordering.permutations[i - 1]]]);
    icl_ordering_deinit(&ordering);
}

/* The label's words after "men" take 5 nats in 2 tokens, those after "boat" 1 nat in 2, all others
 * 2 nats; inputs take a nat a byte. */
static void some_are_hard(void *context, fake_answer *answer, const fake_data *data,
                          const icl_ask_prompt *prompt, const icl_ask_generation *how)
{
    (void)how;
    const double scale = context == NULL ? 1 : *(const double *)context;
    const char *text = fake_prompt_text(data, prompt);
    assert_int_equal(prompt->shown_count, 0);
    assert_int_equal(prompt->of, ICL_ASK_POOL);
    const double nats = strcmp(text, "men") == 0 ? 5 : strcmp(text, "boat") == 0 ? 1 : 2;
    answer->label_tokens = 2;
    for (size_t label = 0; label < LABELS; label++)
        answer->label_nats[label] = label == data->pool_labels[prompt->item] ? -nats * scale : -99;
    answer->input = (icl_ask_text){ .nats = -scale * (double)strlen(text), .tokens = 2 };
}

static void test_order_search__iccl_goes_from_easy_to_hard(void **state)
{
    (void)state;
    world w;
    world_init(&w, some_are_hard);
    /* boat (4) is easiest; of equally hard ones the lower index comes first. */
    assert_shown(&w, "iccl", 0, (const size_t[K]){ 4, 2, 6, 7 });
    assert_shown(&w, "iccl(reversed=true)", 0, (const size_t[K]){ 7, 6, 2, 4 });
    assert_shown(&w, "iccl", 2, (const size_t[K]){ 0, 5, 13, 1 });
    /* (2 + 4) / 4, (5 + 3) / 4, (2 + 3) / 4, (2 + 4) / 4 for nine, men, row and two letters. */
    assert_shown(&w, "iccl(difficulty=ppl-all)", 2, (const size_t[K]){ 5, 0, 13, 1 });
    /* Characters, not bytes: 4, 3, 3, 2. */
    assert_shown(&w, "iccl(difficulty=length)", 2, (const size_t[K]){ 13, 1, 5, 0 });
    assert_shown(&w, "iccl(difficulty=similarity)", 0, (const size_t[K]){ 6, 4, 2, 7 });
    assert_shown(&w, "iccl(difficulty=similarity,reversed=true)", 0,
                 (const size_t[K]){ 7, 2, 4, 6 });
}

/* The order hangs on the set alone, whatever the query's ranks; scaling the nats changes nothing;
 * each demonstration is asked about once. */
static void test_order_search__iccl_asks_once_and_decides_by_the_set(void **state)
{
    (void)state;
    static const char *const calls[] = { "iccl", "iccl(difficulty=ppl-all)",
                                         "iccl(difficulty=length)" };
    const double scale = 3;
    world w, scaled;
    world_init(&w, some_are_hard);
    world_init(&scaled, some_are_hard);
    scaled.fake.context = (void *)(uintptr_t)&scale;
    for (size_t i = 0; i < 3; i++) {
        size_t first[K], second[K], third[K];
        shown_of(first, &w, calls[i], 0);
        shown_of(second, &w, calls[i], 1);
        shown_of(third, &scaled, calls[i], 0);
        assert_memory_equal(first, second, sizeof first);
        assert_memory_equal(first, third, sizeof first);
    }
    w.fake.calls = w.fake.prompts = 0;
    icl_ordering ordering = order_well(&w.input, "iccl");
    icl_ordering_deinit(&ordering);
    assert_int_equal(w.fake.calls, 1);
    assert_int_equal(w.fake.prompts, 8); /* 7 2 4 6, 1 0 5 13; 7 2 4 5 holds nothing new */
}

/* Rates "men" 5, "boat" 1, and cannot tell of all others. */
static void rates_some(void *context, fake_answer *answer, const fake_data *data,
                       const icl_ask_prompt *prompt, const icl_ask_generation *how)
{
    (void)context;
    (void)how;
    assert_int_equal(prompt->shown_count, 1);
    const char *text = data->pool_texts[prompt->shown[0]];
    const char rating = prompt->written[strlen(prompt->written) - 1];
    const char wanted = strcmp(text, "men") == 0 ? '5' : strcmp(text, "boat") == 0 ? '1' : rating;
    answer->input = (icl_ask_text){ .nats = rating == wanted ? -1 : -9, .tokens = 5 };
}

static void test_order_search__iccl_follows_the_model_s_ratings(void **state)
{
    (void)state;
    world w;
    world_init(&w, rates_some);
    assert_shown(&w, "iccl(difficulty=rated)", 0, (const size_t[K]){ 4, 2, 6, 7 });
    assert_shown(&w, "iccl(difficulty=rated)", 2, (const size_t[K]){ 0, 5, 13, 1 });
    assert_shown(&w, "iccl(difficulty=rated,reversed=true)", 2, (const size_t[K]){ 1, 13, 5, 0 });
    w.fake.calls = w.fake.prompts = 0;
    icl_ordering ordering = order_well(&w.input, "iccl(difficulty=rated)");
    icl_ordering_deinit(&ordering);
    assert_int_equal(w.fake.calls, 1);
    assert_int_equal(w.fake.prompts, 5 * 8); /* each demonstration once, five ratings of it */
}

/* Easy is 13, then down to 0, but for 4 and 6, which are equal; "grown" says so on another scale.
 */
static icl_dataset *rated_rows(void)
{
    char text[POOL * 80], *end = text;
    for (size_t i = 0; i < POOL; i++) {
        const size_t level = POOL - (i == 6 ? 4 : i);
        end += sprintf(end, "{\"text\":\"%zu\",\"label\":\"x\",\"level\":%zu,\"grown\":%zu}\n", i,
                       level, level * level * level);
    }
    return rows_of("pool.jsonl", text);
}

static void test_order_search__iccl_follows_an_expert_s_field(void **state)
{
    (void)state;
    icl_dataset *rows = rated_rows();
    world w;
    world_init(&w, NULL); /* asks nothing */
    w.input.pool_rows = rows;
    for (size_t query = 0; query < 2; query++) { /* the same set */
        assert_shown(&w, "iccl(difficulty=field,field=level)", query,
                     (const size_t[K]){ 7, 4, 6, 2 });
        assert_shown(&w, "iccl(difficulty=field,field=grown)", query,
                     (const size_t[K]){ 7, 4, 6, 2 });
    }
    assert_shown(&w, "iccl(difficulty=field,field=level,reversed=true)", 2,
                 (const size_t[K]){ 0, 1, 5, 13 });
    assert_int_equal(w.fake.calls, 0);
    icl_dataset_close(rows);
}

static void test_order_search__iccl_names_an_item_without_a_number(void **state)
{
    (void)state;
    icl_dataset *rows = rated_rows();
    world w;
    world_init(&w, NULL);
    w.input.pool_rows = rows;
    const icl_order_method *method = NULL;
    icl_ordering ordering = { 0 };
    icl_options options = order_options(&method, "iccl(difficulty=field)");
    assert_int_equal(icl_order_run(&ordering, method, &w.input, &options), ICL_EINVAL);
    assert_string_equal(icl_error_message(), "item \"pool-1\" has no field \"difficulty\"");
    assert_null(ordering.permutations);
    icl_options_deinit(&options);
    icl_dataset_close(rows);
}

/* ---- the objectives written down again; each is to be low ---- */

typedef double objective(const world *w, const size_t *shown, size_t query);

static void ask(double *row, const world *w, const size_t *shown, icl_ask_of of, size_t item)
{
    const icl_ask_prompt prompt = { .shown = shown, .shown_count = K, .of = of, .item = item };
    fake_answer answer = { .label_nats = row };
    w->fake.model(w->fake.context, &answer, &w->fake.data, &prompt, NULL);
}

/* The items on which orders of the query's set are measured. */
static void probes_of(size_t *items, const world *w, size_t query, icl_group_by by)
{
    icl_order_groups groups = { 0 };
    icl_pool_probes probes = { 0 };
    assert_int_equal(icl_order_groups_make(&groups, &w->input, by), ICL_OK);
    assert_int_equal(icl_pool_probes_draw(&probes, &w->input, &groups, ITEMS), ICL_OK);
    assert_int_equal(probes.count, ITEMS);
    memcpy(items, &probes.items[groups.of[query] * ITEMS], ITEMS * sizeof *items);
    icl_pool_probes_deinit(&probes);
    icl_order_groups_deinit(&groups);
}

static double perplexity(const world *w, const size_t *shown, size_t query)
{
    (void)query;
    double row[LABELS];
    const icl_ask_prompt prompt = {
        .shown = shown, .shown_count = K, .of = ICL_ASK_WRITTEN, .written = ""
    };
    fake_answer answer = { .label_nats = row };
    w->fake.model(w->fake.context, &answer, &w->fake.data, &prompt, NULL);
    return exp(-answer.text.nats / (double)answer.text.tokens);
}

static double entropy_of_query(const world *w, const size_t *shown, size_t query)
{
    double row[LABELS];
    ask(row, w, shown, ICL_ASK_QUERY, query);
    icl_softmax(row, row, LABELS);
    return icl_entropy_nats(row, LABELS);
}

static double imbalance(const world *w, const size_t *shown, size_t query)
{
    size_t items[ITEMS];
    double row[LABELS], mean[LABELS] = { 0 }, divergence = 0;
    probes_of(items, w, query, ICL_GROUP_BY_SET);
    for (size_t i = 0; i < ITEMS; i++) {
        ask(row, w, shown, ICL_ASK_POOL, items[i]);
        icl_softmax(row, row, LABELS);
        for (size_t label = 0; label < LABELS; label++) mean[label] += row[label] / ITEMS;
    }
    for (size_t label = 0; label < LABELS; label++)
        divergence += mean[label] * log(mean[label] * LABELS);
    return divergence;
}

static double uneven_predictions(const world *w, const size_t *shown, size_t query)
{
    size_t items[ITEMS];
    double row[LABELS], histogram[LABELS] = { 0 };
    probes_of(items, w, query, ICL_GROUP_BY_SET);
    for (size_t i = 0; i < ITEMS; i++) {
        ask(row, w, shown, ICL_ASK_POOL, items[i]);
        histogram[icl_argmax(row, LABELS)] += 1. / ITEMS;
    }
    return -icl_entropy_nats(histogram, LABELS);
}

static double dev_loss(const world *w, const size_t *shown, size_t query)
{
    size_t items[ITEMS];
    double row[LABELS], loss = 0;
    probes_of(items, w, query, ICL_GROUP_BY_SET_SELF);
    for (size_t i = 0; i < ITEMS; i++) {
        ask(row, w, shown, ICL_ASK_POOL, items[i]);
        loss -= row[pool_labels[items[i]]] - icl_logsumexp(row, LABELS);
    }
    return loss / ITEMS;
}

static double lowest(const world *w, size_t query, objective *value)
{
    size_t order[K];
    double least = INFINITY;
    memcpy(order, &selected[query * K], sizeof order);
    qsort(order, K, sizeof *order, icl_array_compare_sizes);
    do least = fmin(least, value(w, order, query));
    while (icl_permutation_next(order, K));
    return least;
}

static void assert_lowest(const world *w, const char *call, objective *value)
{
    for (size_t q = 0; q < QUERIES; q++) {
        size_t shown[K];
        shown_of(shown, w, call, q);
        assert_near(value(w, shown, q), lowest(w, q, value), 1e-9);
    }
}

static void test_order_search__exhaustive_objectives_are_those_of_brute_force(void **state)
{
    (void)state;
    world w;
    world_init(&w, fake_hashed);
    assert_lowest(&w, "perplexity", perplexity);
    assert_lowest(&w, "search(objective=perplexity)", perplexity);
    assert_lowest(&w, "search(objective=perplexity,engine=exact,budget=1)", perplexity);
    assert_lowest(&w, "search(objective=mdl)", entropy_of_query);
    assert_lowest(&w, "search(objective=balance,items=6)", imbalance);
    assert_lowest(&w, "search(objective=global-entropy,items=6)", uneven_predictions);
    assert_lowest(&w, "search(items=6)", dev_loss);
    assert_lowest(&w, "position(items=6)", dev_loss);
    assert_lowest(&w, "search(items=6,engine=beam,width=24)", dev_loss);
}

/* Never worse than the start: ascending pool indices, or nearest-last for a query's own. */
static void test_order_search__no_engine_is_worse_than_the_start(void **state)
{
    (void)state;
    static const char *const engines[] = { "exact",   "sampled",    "beam",     "annealing",
                                           "halving", "precedence", "position", "genetic" };
    world w;
    world_init(&w, fake_hashed);
    for (size_t e = 0; e < sizeof engines / sizeof *engines; e++) {
        for (int budget = 1; budget <= 16; budget += 5) {
            for (size_t q = 0; q < QUERIES; q++) {
                char call[96];
                size_t shown[K], start[K];
                snprintf(call, sizeof call, "search(items=6,engine=%s,budget=%d)", engines[e],
                         budget);
                shown_of(shown, &w, call, q);
                memcpy(start, &selected[q * K], sizeof start);
                qsort(start, K, sizeof *start, icl_array_compare_sizes);
                assert_true(dev_loss(&w, shown, q) <= dev_loss(&w, start, q) + 1e-12);
                snprintf(call, sizeof call, "search(objective=mdl,engine=%s,budget=%d)", engines[e],
                         budget);
                shown_of(shown, &w, call, q);
                shown_of(start, &w, "nearest-last", q);
                assert_true(entropy_of_query(&w, shown, q) <=
                            entropy_of_query(&w, start, q) + 1e-12);
            }
        }
    }
}

static void assert_prompts(world *w, const char *call, size_t least, size_t most)
{
    w->fake.prompts = 0;
    icl_ordering ordering = order_well(&w->input, call);
    icl_ordering_deinit(&ordering);
    if (w->fake.prompts < least || w->fake.prompts > most)
        fail_msg("%s: %zu prompts", call, w->fake.prompts);
}

/* Three sets; by labels still three, since the query of the pool has a set of its own. */
static void test_order_search__costs_what_the_card_says(void **state)
{
    (void)state;
    world w;
    world_init(&w, fake_hashed);
    assert_prompts(&w, "perplexity", 3 * ORDERS, 3 * ORDERS);
    assert_prompts(&w, "perplexity(orders=10)", 3 * 9, 3 * 10); /* the start may be drawn again */
    assert_prompts(&w, "search(objective=mdl)", QUERIES * ORDERS, QUERIES * ORDERS);
    assert_prompts(&w, "search(items=6)", 3 * ORDERS * 6, 3 * ORDERS * 6);
    assert_prompts(&w, "search(items=6,engine=annealing,budget=10)", 1, 3 * 10 * 6);
    assert_prompts(&w, "search(items=6,engine=halving,budget=10)", 1, 3 * 10 * 6);
    assert_prompts(&w, "position(items=6,orders=12)", 3 * 11 * 6, 3 * 12 * 6);
    assert_prompts(&w, "pero(items=6,orders=12)", 1, 3 * 12 * 6);
    assert_prompts(&w, "search(budget=1)", 0, 0); /* the start, which nothing is compared with */
    w.input.k = 1;
    assert_prompts(&w, "perplexity", 0, 0);
}

/* Loss as a sum of what each demonstration adds at each place. */
static void adds_up(void *context, fake_answer *answer, const fake_data *data,
                    const icl_ask_prompt *prompt, const icl_ask_generation *how)
{
    (void)context, (void)how;
    double loss = 0.2;
    for (size_t place = 0; place < prompt->shown_count; place++)
        loss += (double)(prompt->shown[place] * 7919 % 13 * (place + 3) * (place + 3) % 11) / 40;
    const size_t own = data->pool_labels[prompt->item];
    /* -log softmax = loss: the others share what is left. */
    for (size_t label = 0; label < LABELS; label++)
        answer->label_nats[label] = label == own ? -loss : log((1 - exp(-loss)) / (LABELS - 1));
}

/* Eleven of 24 random orders tell the ten parts of an additive loss apart. */
static void test_order_search__position_finds_the_least_sum(void **state)
{
    (void)state;
    world w;
    world_init(&w, adds_up);
    for (uint64_t seed = 0; seed < 10; seed++) {
        w.input.seed = seed;
        assert_lowest(&w, "position(orders=18,items=6)", dev_loss);
    }
}

/* Where everything is shown nothing can be measured: the start stays, and nothing is asked. */
static void test_order_search__without_other_items_the_start_stays(void **state)
{
    (void)state;
    static const char *const calls[] = { "search", "search(objective=balance)", "position",
                                         "pero" };
    static const size_t everything[POOL] = { 3, 1, 0, 2, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4 };
    static const double equal[POOL] = { 0 };
    world w;
    world_init(&w, fake_hashed);
    w.input.query_count = 1;
    w.input.k = POOL;
    w.input.indices = everything;
    w.input.scores = equal;
    for (size_t i = 0; i < 4; i++) {
        w.fake.prompts = 0;
        icl_ordering ordering = order_well(&w.input, calls[i]);
        for (size_t place = 0; place < POOL; place++)
            assert_int_equal(everything[ordering.permutations[place]], place);
        icl_ordering_deinit(&ordering);
        assert_int_equal(w.fake.prompts, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_search__nearest_first_is_nearest_last_mirrored),
        cmocka_unit_test(test_order_search__the_last_of_nearest_last_are_the_nearest),
        cmocka_unit_test(test_order_search__interleaved_takes_labels_in_turn),
        cmocka_unit_test(test_order_search__iccl_goes_from_easy_to_hard),
        cmocka_unit_test(test_order_search__iccl_asks_once_and_decides_by_the_set),
        cmocka_unit_test(test_order_search__iccl_follows_the_model_s_ratings),
        cmocka_unit_test(test_order_search__iccl_follows_an_expert_s_field),
        cmocka_unit_test(test_order_search__iccl_names_an_item_without_a_number),
        cmocka_unit_test(test_order_search__exhaustive_objectives_are_those_of_brute_force),
        cmocka_unit_test(test_order_search__no_engine_is_worse_than_the_start),
        cmocka_unit_test(test_order_search__costs_what_the_card_says),
        cmocka_unit_test(test_order_search__position_finds_the_least_sum),
        cmocka_unit_test(test_order_search__without_other_items_the_start_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
