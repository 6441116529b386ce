/* Decayed votes: the golden values of the method sheet and what the decay promises. */
#include "base/rng.h"
#include "math/topk.h"
#include "near.h"
#include "select/picks.h"
#include "select/votes.h"

enum { ITEMS = 60, COLUMNS = 5 };

/* Supporters 0: 1 2 3; 1: 0 2 3; 2: 0 1; 3: 4; 4: 3. */
static size_t sheet_first[] = { 0, 3, 6, 8, 9, 10 };
static uint32_t sheet_supporters[] = { 1, 2, 3, 0, 2, 3, 0, 1, 4, 3 };
static const icl_neighbour_graph sheet = {
    .count = 5, .k = 3, .first = sheet_first, .supporters = sheet_supporters
};

static void test_votes__have_the_golden_values_of_the_sheet(void **state)
{
    (void)state;
    icl_votes votes = { 0 };
    size_t picks[3];
    assert_int_equal(icl_votes_init(&votes, &sheet, 10), ICL_OK);
    assert_near(icl_votes_score(&votes, 0), 3, 0);
    assert_int_equal(icl_votes_pick(picks, 3, &votes, NULL), ICL_OK);
    assert_int_equal(picks[0], 0);
    assert_int_equal(picks[1], 3);
    assert_int_equal(picks[2], 1); /* 1 and 2 tie at 0.1 */
    icl_votes_deinit(&votes);
    assert_int_equal(icl_votes_init(&votes, &sheet, 10), ICL_OK);
    icl_votes_choose(&votes, 0);
    icl_votes_choose(&votes, 3);
    assert_near(icl_votes_score(&votes, 1), 0.1, 1e-15);
    assert_near(icl_votes_score(&votes, 2), 0.1, 1e-15);
    assert_near(icl_votes_score(&votes, 4), 0, 0);
    icl_votes_deinit(&votes);
}

static void fill(float *vectors, uint64_t seed)
{
    icl_rng rng = icl_rng_new(seed, "votes", "", "test");
    for (size_t i = 0; i < ITEMS * COLUMNS; i++) vectors[i] = (float)icl_rng_normal(&rng);
}

static icl_select_input input_of(const float *vectors)
{
    return (icl_select_input){
        .pool_count = ITEMS, .pool_vectors = vectors, .vector_size = COLUMNS, .task = "votes"
    };
}

/* Scores of all items that are free, most first, ties by index; whether the best one stands alone.
 */
static size_t best_free(icl_votes *votes, const bool *chosen, bool *out_alone)
{
    icl_scored free_items[ITEMS];
    size_t count = 0;
    for (size_t i = 0; i < ITEMS; i++)
        if (!chosen[i])
            free_items[count++] = (icl_scored){ .score = icl_votes_score(votes, i), .index = i };
    icl_topk(free_items, count, 2);
    *out_alone = free_items[0].score - free_items[1].score > 1e-9;
    return free_items[0].index;
}

/* Number of first picks, of at most 8, that no other item ties with. */
static size_t picks_without_ties(const float *vectors)
{
    icl_neighbour_graph graph = { 0 };
    icl_votes votes = { 0 };
    bool chosen[ITEMS] = { false }, alone = true;
    size_t count = 0;
    assert_int_equal(icl_neighbour_graph_init(
                         &graph,
                         &(icl_neighbour_graph_input){
                             .vectors = vectors, .count = ITEMS, .columns = COLUMNS, .k = 9 }),
                     ICL_OK);
    assert_int_equal(icl_votes_init(&votes, &graph, 10), ICL_OK);
    while (count < 8) {
        const size_t best = best_free(&votes, chosen, &alone);
        if (!alone) break;
        chosen[best] = true;
        icl_votes_choose(&votes, best);
        count++;
    }
    icl_votes_deinit(&votes);
    icl_neighbour_graph_deinit(&graph);
    return count;
}

static void test_votes__other_numbers_of_items_change_nothing(void **state)
{
    (void)state;
    size_t compared = 0;
    for (uint64_t seed = 0; seed < 30; seed++) {
        float vectors[ITEMS * COLUMNS], turned[ITEMS * COLUMNS];
        size_t picks[8], turned_picks[8];
        fill(vectors, seed);
        for (size_t i = 0; i < ITEMS; i++)
            memcpy(&turned[i * COLUMNS], &vectors[(ITEMS - 1 - i) * COLUMNS],
                   COLUMNS * sizeof(float));
        const icl_select_input input = input_of(vectors), other = input_of(turned);
        const size_t count = picks_without_ties(vectors);
        pick_well(picks, 8, &input, "votek(neighbours=9)");
        pick_well(turned_picks, 8, &other, "votek(neighbours=9)");
        for (size_t i = 0; i < count; i++) assert_int_equal(turned_picks[i], ITEMS - 1 - picks[i]);
        compared += count;
    }
    assert_true(compared > 60);
}

static void test_votes__without_decay_the_most_supported_are_picked(void **state)
{
    (void)state;
    float vectors[ITEMS * COLUMNS];
    size_t picks[20];
    bool chosen[ITEMS] = { false };
    icl_neighbour_graph graph = { 0 };
    fill(vectors, 1);
    const icl_select_input input = input_of(vectors);
    pick_well(picks, 20, &input, "votek(neighbours=9, rho=1)");
    assert_int_equal(icl_neighbour_graph_init(
                         &graph,
                         &(icl_neighbour_graph_input){
                             .vectors = vectors, .count = ITEMS, .columns = COLUMNS, .k = 9 }),
                     ICL_OK);
    for (size_t p = 0; p < 20; p++) {
        size_t best = SIZE_MAX, most = 0;
        for (size_t i = 0; i < ITEMS; i++) {
            size_t voters = 0;
            for (size_t e = graph.first[i]; e < graph.first[i + 1]; e++)
                voters += !chosen[graph.supporters[e]];
            if (chosen[i] || (best != SIZE_MAX && voters <= most)) continue;
            best = i;
            most = voters;
        }
        assert_int_equal(picks[p], best);
        chosen[best] = true;
    }
    icl_neighbour_graph_deinit(&graph);
}

static void test_votes__copies_of_a_point_are_not_picked_in_a_row(void **state)
{
    (void)state;
    float vectors[ITEMS * COLUMNS];
    size_t picks[15];
    fill(vectors, 2);
    for (size_t i = 0; i < ITEMS; i++)
        memmove(&vectors[i * COLUMNS], &vectors[i / 3 * 3 * COLUMNS], COLUMNS * sizeof(float));
    const icl_select_input input = input_of(vectors);
    pick_well(picks, 15, &input, "votek(neighbours=9)");
    for (size_t i = 1; i < 15; i++) assert_true(picks[i] / 3 != picks[i - 1] / 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_votes__have_the_golden_values_of_the_sheet),
        cmocka_unit_test(test_votes__other_numbers_of_items_change_nothing),
        cmocka_unit_test(test_votes__without_decay_the_most_supported_are_picked),
        cmocka_unit_test(test_votes__copies_of_a_point_are_not_picked_in_a_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
