/* cover-ls: which structures the chosen items hold, by hand and against a search over words. */
#include <stdio.h>

#include "base/rng.h"
#include "select/select_call.h"

enum { POOL = 14, QUERIES = 6, WORDS = 8, TEXT_BYTES = 64 };

static const char *const query_ids[QUERIES] = { "a", "b", "c", "d", "e", "f" };

static icl_select_input input_of(const char *const *pool, size_t pool_count,
                                 const char *const *queries, size_t query_count)
{
    return (icl_select_input){ .pool_count = pool_count,
                               .query_count = query_count,
                               .pool_texts = pool,
                               .query_texts = queries,
                               .query_ids = query_ids,
                               .task = "cover" };
}

static void assert_line(const icl_select_input *input, const char *call, const size_t *expected,
                        size_t k)
{
    icl_selection selection = select_well(input, call);
    for (size_t i = 0; i < k; i++) assert_int_equal(selection.indices[i], expected[i]);
    for (size_t i = 1; i < k; i++) assert_true(selection.scores[i - 1] >= selection.scores[i]);
    icl_selection_deinit(&selection);
}

/* The nearest by BM25 are two texts alike; the cover takes one of them and the long one that holds
 * the rest of the query. */
static void test_select_cover_ls__covers_more_than_the_nearest(void **state)
{
    (void)state;
    const char *const pool[] = {
        "play jazz",
        "play jazz",
        "one two",
        "three four",
        "five six",
        "seven eight",
        "nine ten",
        "tell me what the weather will be like on the first sunny day of june in rome, and the last"
    };
    const char *const queries[] = { "play jazz in rome" };
    const icl_select_input input = input_of(pool, 8, queries, 1);
    assert_line(&input, "bm25(k=2)", (const size_t[]){ 0, 1 }, 2);
    assert_line(&input, "cover-ls(k=2)", (const size_t[]){ 0, 7 }, 2);
}

/* "b c" is the largest structure: of its two holders the shorter, which BM25 prefers. Then "a";
 * then the cover begins again with the other holder of "b c"; at last what shares nothing. */
static void test_select_cover_ls__begins_again_when_all_is_covered(void **state)
{
    (void)state;
    const char *const pool[] = { "z z", "b c q q q", "a q", "b c", "w w", "v v" };
    const char *const queries[] = { "a b c" };
    const icl_select_input input = input_of(pool, 6, queries, 1);
    assert_line(&input, "cover-ls(k=1)", (const size_t[]){ 3 }, 1);
    assert_line(&input, "cover-ls(k=2)", (const size_t[]){ 2, 3 }, 2);
    assert_line(&input, "cover-ls(k=3)", (const size_t[]){ 2, 3, 1 }, 3);
    assert_line(&input, "cover-ls(k=4)", (const size_t[]){ 2, 3, 1, 0 }, 4);
}

static void test_select_cover_ls__without_structures_it_is_bm25(void **state)
{
    (void)state;
    const char *const pool[] = { "one", "two", "three" }, *const queries[] = { "", "four" };
    const icl_select_input input = input_of(pool, 3, queries, 2);
    icl_selection cover = select_well(&input, "cover-ls(k=3)");
    for (size_t i = 0; i < 6; i++) assert_int_equal(cover.indices[i], i % 3);
    icl_selection_deinit(&cover);
}

/* Words are letters; a text is a string of them with blanks between. */
static void fill_texts(char texts[][TEXT_BYTES], size_t count, icl_rng *rng)
{
    for (size_t i = 0; i < count; i++) {
        const size_t length = icl_rng_below(rng, 7);
        size_t used = 0;
        texts[i][0] = '\0';
        for (size_t word = 0; word < length; word++)
            used += (size_t)snprintf(texts[i] + used, TEXT_BYTES - used, "%c ",
                                     'a' + (int)icl_rng_below(rng, WORDS));
    }
}

/* Marks the runs of one and two of the query's words that a text holds, by length and place. Words
 * are letters, so a run is a substring. */
static void mark_held(bool held[2][8], const char *query, const char *text)
{
    for (size_t words = 1; words <= 2; words++)
        for (size_t word = 0; 2 * (word + words) <= strlen(query); word++) {
            char run[8];
            snprintf(run, sizeof run, "%.*s", (int)(2 * words), query + 2 * word);
            held[words - 1][word] |= strstr(text, run) != NULL;
        }
}

/* With more picks than structures, all that the pool can show is shown. */
static void test_select_cover_ls__all_that_can_be_covered_is(void **state)
{
    (void)state;
    icl_rng rng = icl_rng_new(5, "cover", "", "test");
    for (int round = 0; round < 50; round++) {
        char pool_texts[POOL][TEXT_BYTES], query_texts[QUERIES][TEXT_BYTES];
        const char *pool[POOL], *queries[QUERIES];
        fill_texts(pool_texts, POOL, &rng);
        fill_texts(query_texts, QUERIES, &rng);
        for (size_t i = 0; i < POOL; i++) pool[i] = pool_texts[i];
        for (size_t q = 0; q < QUERIES; q++) queries[q] = query_texts[q];
        const icl_select_input input = input_of(pool, POOL, queries, QUERIES);
        icl_selection selection = select_well(&input, "cover-ls(k=11, words=2)");
        for (size_t q = 0; q < QUERIES; q++) {
            bool all[2][8] = { { false } }, shown[2][8] = { { false } };
            for (size_t i = 0; i < POOL; i++) mark_held(all, queries[q], pool[i]);
            for (size_t i = 0; i < 11; i++)
                mark_held(shown, queries[q], pool[selection.indices[q * 11 + i]]);
            assert_memory_equal(shown, all, sizeof all);
        }
        icl_selection_deinit(&selection);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_select_cover_ls__covers_more_than_the_nearest),
        cmocka_unit_test(test_select_cover_ls__begins_again_when_all_is_covered),
        cmocka_unit_test(test_select_cover_ls__without_structures_it_is_bm25),
        cmocka_unit_test(test_select_cover_ls__all_that_can_be_covered_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
