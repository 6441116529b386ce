/* Iterative demonstration selection with reasoning, vectors and answers written by hand. */
#include <math.h>

#include "fake_asker.h"
#include "near.h"
#include "select/embedder.h"
#include "select/select_call.h"

enum { POOL = 6, QUERIES = 2, LABELS = 2, COLUMNS = 2, K = 2 };

/* Pool items stand on a half circle at 0, 20, 40, 100, 120 and 140 degrees. A text "at N" has its
 * vector at N degrees. */
typedef struct world {
    const char *pool_texts[POOL], *query_texts[QUERIES], *query_ids[QUERIES];
    size_t labels[POOL];
    float pool_vectors[POOL * COLUMNS], query_vectors[QUERIES * COLUMNS];
    icl_select_input input;
    icl_embedder embedder;
    fake_asker fake;
    size_t embedded; /* texts */
} world;

static void put_vector(float *out, double degrees)
{
    out[0] = (float)cos(degrees * 3.14159265358979 / 180);
    out[1] = (float)sin(degrees * 3.14159265358979 / 180);
}

static icl_status embed_degrees(void *user, float *out, const char *const *texts, size_t count)
{
    world *w = user;
    for (size_t i = 0; i < count; i++)
        put_vector(&out[i * COLUMNS], texts[i][0] == '\0' ? 90 : strtod(texts[i] + 3, NULL));
    w->embedded += count;
    return ICL_OK;
}

static void setup_world(world *w)
{
    static const double degrees[] = { 0, 20, 40, 100, 120, 140 };
    *w = (world){ 0 };
    for (size_t i = 0; i < POOL; i++) {
        w->pool_texts[i] = "pool";
        w->labels[i] = i >= 3;
        put_vector(&w->pool_vectors[i * COLUMNS], degrees[i]);
    }
    for (size_t q = 0; q < QUERIES; q++) {
        w->query_texts[q] = w->query_ids[q] = q == 0 ? "first" : "second";
        put_vector(&w->query_vectors[q * COLUMNS], 125);
    }
    w->embedder = (icl_embedder){ .user = w, .embed = embed_degrees };
    w->input = (icl_select_input){ .pool_count = POOL,
                                   .query_count = QUERIES,
                                   .label_count = LABELS,
                                   .pool_texts = w->pool_texts,
                                   .query_texts = w->query_texts,
                                   .pool_labels = w->labels,
                                   .query_ids = w->query_ids,
                                   .pool_vectors = w->pool_vectors,
                                   .query_vectors = w->query_vectors,
                                   .vector_size = COLUMNS,
                                   .task = "ids",
                                   .embedder = &w->embedder };
}

static icl_selection run(world *w, fake_model *model, const char *text)
{
    fake_asker_serve(&w->fake, &w->input, model, w);
    return select_well(&w->input, text);
}

static void assert_shown(const icl_selection *selection, size_t query, size_t nearest, size_t next)
{
    assert_int_equal(selection->indices[query * K], nearest);
    assert_int_equal(selection->indices[query * K + 1], next);
}

/* The same reasoning whatever is shown. */
static void one_thought(void *context, fake_answer *answer, const fake_data *data,
                        const icl_ask_prompt *prompt, const icl_ask_generation *how)
{
    (void)context;
    assert_int_equal(prompt->of, ICL_ASK_QUERY);
    if (how != NULL) assert_string_equal(how->cue, " Let's think step by step.");
    snprintf(answer->generation, sizeof answer->generation, "at %s",
             strcmp(fake_prompt_text(data, prompt), "first") == 0 ? "18" : "138");
}

/* Two calls of generation, zero-shot and under the demonstrations, and then no third: the same
 * demonstrations would follow. One call for the answers, a prompt a query. */
static void test_select_ids__the_same_reasoning_is_a_fixed_point(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    icl_selection selection = run(&w, one_thought, "ids(k=2, iterations=5)");
    assert_shown(&selection, 0, 1, 0);
    assert_shown(&selection, 1, 5, 4);
    assert_near(selection.scores[0], cos(2 * 3.14159265358979 / 180), 1e-6);
    assert_int_equal(w.fake.calls, 3);
    assert_int_equal(w.fake.prompts, 2 * QUERIES + QUERIES);
    assert_int_equal(w.embedded, 2 * QUERIES);
    icl_selection_deinit(&selection);
}

/* Nothing said: the query's own vector, at 125 degrees, stands in. */
static void silent(void *context, fake_answer *answer, const fake_data *data,
                   const icl_ask_prompt *prompt, const icl_ask_generation *how)
{
    (void)context, (void)answer, (void)data, (void)prompt, (void)how;
}

static void test_select_ids__silence_is_nearest_neighbours(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    icl_selection selection = run(&w, silent, "ids(k=2)");
    assert_shown(&selection, 0, 4, 5);
    icl_selection_deinit(&selection);
}

/* Reasoning wanders from 1 degree on by what stands nearest to the query, item 0, 2 and then 4: the
 * sets are (0 1), (2 1), (4 3) and for good (4 5). Label 1 is answered where 4 stands nearest. */
static void wandering(void *context, fake_answer *answer, const fake_data *data,
                      const icl_ask_prompt *prompt, const icl_ask_generation *how)
{
    (void)context, (void)data, (void)how;
    const size_t nearest = prompt->shown_count > 0 ? prompt->shown[prompt->shown_count - 1] : POOL;
    const char *said = nearest == POOL ? "at 1"
                       : nearest == 0  ? "at 38"
                       : nearest == 2  ? "at 118"
                                       : "at 122";
    snprintf(answer->generation, sizeof answer->generation, "%s", said);
    answer->label_nats[nearest == 4] = -0.5;
}

/* Three iterations: answers 0 0 1. The majority is 0, last given by the second set. */
static void test_select_ids__the_majority_chooses_the_iteration(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    icl_selection selection = run(&w, wandering, "ids(k=2, iterations=3)");
    assert_shown(&selection, 0, 2, 1);
    icl_selection_deinit(&selection);
}

/* Four: 0 0 1 1, a tie, and the answer given last wins. Seven: the fourth set (4 5) is a fixed
 * point whose answer has the votes of what would follow. */
static void test_select_ids__ties_and_fixed_points_go_to_the_last(void **state)
{
    (void)state;
    static const char *const calls[] = { "ids(k=2, iterations=4)", "ids(k=2, iterations=7)" };
    for (size_t c = 0; c < 2; c++) {
        world w;
        setup_world(&w);
        icl_selection selection = run(&w, wandering, calls[c]);
        assert_shown(&selection, 0, 4, 5);
        icl_selection_deinit(&selection);
    }
}

static void test_select_ids__a_query_is_not_retrieved_for_itself(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    const size_t self[] = { 1, SIZE_MAX };
    w.input.query_self = self;
    icl_selection selection = run(&w, one_thought, "ids(k=2)");
    assert_shown(&selection, 0, 0, 2);
    icl_selection_deinit(&selection);
}

static icl_status fails(void *user, float *out, const char *const *texts, size_t count)
{
    (void)user, (void)out, (void)texts, (void)count;
    return icl_error_set(ICL_EMODEL, "the fake encoder fails");
}

static void test_select_ids__what_it_lacks_is_named(void **state)
{
    (void)state;
    world w;
    setup_world(&w);
    fake_asker_serve(&w.fake, &w.input, silent, &w);
    icl_selection selection = { 0 };
    w.embedder.embed = fails;
    assert_int_equal(select_status(&selection, &w.input, "ids(k=2)"), ICL_EMODEL);
    assert_string_equal(icl_error_message(), "the fake encoder fails");
    w.input.embedder = NULL;
    assert_int_equal(select_status(&selection, &w.input, "ids(k=2)"), ICL_EINVAL);
    assert_string_equal(icl_error_message(), "select method \"ids\" needs a sentence encoder");
    assert_null(selection.indices);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_select_ids__the_same_reasoning_is_a_fixed_point),
        cmocka_unit_test(test_select_ids__silence_is_nearest_neighbours),
        cmocka_unit_test(test_select_ids__the_majority_chooses_the_iteration),
        cmocka_unit_test(test_select_ids__ties_and_fixed_points_go_to_the_last),
        cmocka_unit_test(test_select_ids__a_query_is_not_retrieved_for_itself),
        cmocka_unit_test(test_select_ids__what_it_lacks_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
