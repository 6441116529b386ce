/* The same vectors give the same choices in other people's programs: apricot's facility location
 * and FAISS's exact index, which OpenICL's TopK is; recipe in tests/golden/make_selection_peers.py.
 */
#include "select/golden_numbers.h"
#include "select/picks.h"

enum { POOL = 150, QUERIES = 20, COLUMNS = 12 };

typedef struct world {
    float pool[POOL * COLUMNS], queries[QUERIES * COLUMNS];
    const char *pool_texts[POOL], *query_texts[QUERIES], *query_ids[QUERIES];
    icl_select_input input;
} world;

static void read_world(world *w, const json_t *line)
{
    read_numbers(w->pool, POOL * COLUMNS, json_object_get(line, "pool"));
    read_numbers(w->queries, QUERIES * COLUMNS, json_object_get(line, "queries"));
    for (size_t i = 0; i < POOL; i++) w->pool_texts[i] = "a text";
    for (size_t q = 0; q < QUERIES; q++) w->query_texts[q] = w->query_ids[q] = "a query";
    w->input = (icl_select_input){ .pool_count = POOL,
                                   .query_count = QUERIES,
                                   .pool_texts = w->pool_texts,
                                   .query_texts = w->query_texts,
                                   .query_ids = w->query_ids,
                                   .pool_vectors = w->pool,
                                   .query_vectors = w->queries,
                                   .vector_size = COLUMNS,
                                   .task = "peers" };
}

static void check_picks(const world *w, const char *call, const json_t *expected)
{
    size_t picks[POOL];
    const size_t budget = json_array_size(expected);
    pick_well(picks, budget, &w->input, call);
    for (size_t i = 0; i < budget; i++)
        assert_int_equal(picks[i], json_integer_value(json_array_get(expected, i)));
}

static void check_rows(const world *w, const char *call, const json_t *expected)
{
    icl_selection selection = select_well(&w->input, call);
    assert_int_equal(json_array_size(expected), QUERIES);
    for (size_t q = 0; q < QUERIES; q++) {
        const json_t *row = json_array_get(expected, q);
        assert_int_equal(json_array_size(row), selection.k);
        for (size_t i = 0; i < selection.k; i++)
            assert_int_equal(selection.indices[q * selection.k + i],
                             json_integer_value(json_array_get(row, i)));
    }
    icl_selection_deinit(&selection);
}

static void test_select_peers__choose_the_same(void **state)
{
    (void)state;
    FILE *file = fopen(ICL_SOURCE_DIR "/tests/golden/selection_peers.jsonl", "r");
    assert_non_null(file);
    world w = { 0 };
    size_t lines = 0;
    for (json_t *line; (line = json_loadf(file, JSON_DISABLE_EOF_CHECK, NULL)) != NULL; lines++) {
        const char *call = json_string_value(json_object_get(line, "call"));
        if (lines == 0)
            read_world(&w, line);
        else if (json_object_get(line, "picks") != NULL)
            check_picks(&w, call, json_object_get(line, "picks"));
        else
            check_rows(&w, call, json_object_get(line, "rows"));
        json_decref(line);
    }
    assert_int_equal(lines, 8);
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_select_peers__choose_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
