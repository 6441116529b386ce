/* latent-concept: what the ranking makes of scores, on files written by hand, and a fit of a small
 * model. */
#include <math.h>

#include "math/logspace.h"
#include "near.h"
#include "fake_trainable.h"
#include "select/learned.h"

enum { POOL = 9, QUERIES = 2, LABELS = 3 };

typedef struct world {
    const char *pool_texts[POOL];
    size_t labels[POOL];
    icl_select_input input;
    fake_trainable fake;
} world;

static int set_up(void **state)
{
    static const char *const texts[POOL] = { "a", "be", "see", "the", "of", "x", "yes", "no", "" };
    static const char *const query_texts[QUERIES] = { "one", "two" };
    static const char *const query_ids[QUERIES] = { "1", "2" };
    world *w = calloc(1, sizeof *w);
    if (w == NULL) return -1;
    for (size_t i = 0; i < POOL; i++) {
        w->pool_texts[i] = texts[i];
        w->labels[i] = i < 5 ? 0 : 1 + i % 2;
    }
    w->input = (icl_select_input){ .pool_count = POOL,
                                   .query_count = QUERIES,
                                   .label_count = LABELS,
                                   .pool_texts = w->pool_texts,
                                   .query_texts = query_texts,
                                   .query_ids = query_ids,
                                   .pool_labels = w->labels,
                                   .model_identity = "small",
                                   .task = "words",
                                   .seed = 4 };
    fake_trainable_serve(&w->fake, &w->input);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

/* A file as a fit would leave it, with these scores [groups][POOL]. */
static void write_scores(char path[LEARNED_PATH_BYTES], const world *w, const float *nats,
                         size_t groups)
{
    char pool[33];
    icl_fit_file *file = NULL;
    icl_fit_hash_pool(pool, &w->input);
    const icl_fit_origin origin = { "latent-concept", "", "words", "", "small", pool, POOL, 4 };
    assert_int_equal(icl_fit_file_new(&file, &origin), ICL_OK);
    assert_int_equal(icl_fit_file_add(file, &(icl_fit_array){ "nats", groups, POOL, nats }),
                     ICL_OK);
    save_well(path, file);
    icl_fit_file_free(file);
}

static icl_selection run_well(const world *w, const char *path, const char *more)
{
    char text[256];
    snprintf(text, sizeof text, "latent-concept(file=\"%s\"%s)", path, more);
    return select_well(&w->input, text);
}

static void assert_line(const icl_selection *selection, size_t query, const size_t *expected)
{
    for (size_t i = 0; i < selection->k; i++)
        assert_int_equal(selection->indices[query * selection->k + i], expected[i]);
}

static const float one_concept[POOL] = { -3, -1, -2, -9, -8, -4, -7, -5, -6 };

static void test_select_latent_concept__one_concept_ranks_by_its_log_probability(void **state)
{
    world *w = *state;
    char path[LEARNED_PATH_BYTES];
    write_scores(path, w, one_concept, 1);
    icl_selection selection = run_well(w, path, ",k=4");
    assert_line(&selection, 0, (const size_t[]){ 1, 2, 0, 5 });
    assert_line(&selection, 1, (const size_t[]){ 1, 2, 0, 5 });
    assert_near(selection.scores[0], -1.0, 0.0);
    icl_selection_deinit(&selection);
    double certain = -17.0; /* the posterior of the only concept there is */
    icl_softmax(&certain, &certain, 1);
    assert_near(certain, 1.0, 0.0);
    unlink(path);
}

/* k = 4 of three labels: two of each at most, by the examples' own scores. */
static void test_select_latent_concept__balanced_takes_the_best_of_each_label(void **state)
{
    world *w = *state;
    char path[LEARNED_PATH_BYTES];
    write_scores(path, w, one_concept, 1);
    icl_selection selection = run_well(w, path, ",k=4,balanced=true");
    /* Labels: 0 0 0 0 0 2 1 2 1. */
    assert_line(&selection, 0, (const size_t[]){ 1, 2, 5, 7 });
    icl_selection_deinit(&selection);
    /* Three of each: of labels 1 and 2 there are two, so the others fill up. */
    selection = run_well(w, path, ",k=8,balanced=true");
    assert_line(&selection, 0, (const size_t[]){ 1, 2, 0, 5, 7, 8, 6, 4 });
    icl_selection_deinit(&selection);
    unlink(path);
}

static void test_select_latent_concept__a_query_in_the_pool_is_replaced(void **state)
{
    world *w = *state;
    char path[LEARNED_PATH_BYTES];
    const size_t selves[QUERIES] = { SIZE_MAX, 2 };
    write_scores(path, w, one_concept, 1);
    w->input.query_self = selves;
    icl_selection selection = run_well(w, path, ",k=3");
    assert_line(&selection, 0, (const size_t[]){ 1, 2, 0 });
    assert_line(&selection, 1, (const size_t[]){ 1, 0, 5 });
    icl_selection_deinit(&selection);
    unlink(path);
}

static void test_select_latent_concept__concepts_of_labels_compete(void **state)
{
    world *w = *state;
    char path[LEARNED_PATH_BYTES];
    float nats[LABELS][POOL];
    for (size_t i = 0; i < POOL; i++)
        for (size_t g = 0; g < LABELS; g++) nats[g][i] = -1.0f;
    nats[0][3] = 3.0f; /* example 3 has label 0: its own concept */
    nats[1][5] = 9.0f; /* example 5 has label 2: another's */
    nats[2][7] = 1.0f; /* example 7 has label 2 */
    write_scores(path, w, nats[0], LABELS);
    icl_selection selection = run_well(w, path, ",k=9,temperature=2");
    assert_int_equal(selection.indices[0], 3);
    assert_int_equal(selection.indices[1], 7);
    assert_int_equal(selection.indices[8], 5);
    assert_near(selection.scores[0], exp(1.5) / (exp(1.5) + 2.0 * exp(-0.5)), 1e-12);
    assert_near(selection.scores[2], 1.0 / 3.0, 1e-12);
    icl_selection_deinit(&selection);
    unlink(path);
}

/* --- a fit --- */

static void test_select_latent_concept__the_loss_falls(void **state)
{
    world *w = *state;
    char path[LEARNED_PATH_BYTES];
    for (int labels = 0; labels < 2; labels++) {
        icl_fit_file *file =
            fit_well(path, &w->input,
                     labels == 0 ? "latent-concept(tokens=4,steps=60,batch=3)"
                                 : "latent-concept(tokens=4,steps=60,batch=3,concepts=labels)");
        assert_true(measure_of(file, "loss_last") < 0.5 * measure_of(file, "loss_first"));
        const size_t groups = labels == 0 ? 1 : LABELS;
        assert_int_equal(icl_fit_file_array(file, "concepts")->rows, 4 * groups);
        const icl_fit_array *nats = icl_fit_file_array(file, "nats");
        assert_int_equal(nats->rows, groups);
        for (size_t i = 0; i < groups * POOL; i++) assert_true(nats->values[i] < 0.0f);
        icl_fit_file_free(file);
        icl_selection selection = run_well(w, path, ",k=9");
        for (size_t i = 1; i < 9; i++) assert_true(selection.scores[i] <= selection.scores[i - 1]);
        icl_selection_deinit(&selection);
        unlink(path);
    }
}

/* Of examples longer than `length` the end is read, so what is before it does not matter. */
static void test_select_latent_concept__reads_the_end_of_long_examples(void **state)
{
    world *w = *state;
    char path[LEARNED_PATH_BYTES];
    float nats[2];
    for (size_t i = 0; i < 2; i++) {
        w->fake.pool_texts = w->input.pool_texts;
        w->pool_texts[0] = i == 0 ? "some words at the end" : "other words at the end";
        icl_fit_file *file =
            fit_well(path, &w->input, "latent-concept(tokens=4,steps=2,batch=3,length=10)");
        nats[i] = icl_fit_file_array(file, "nats")->values[0];
        icl_fit_file_free(file);
        unlink(path);
    }
    assert_true(nats[0] == nats[1]);
}

static void test_select_latent_concept__says_how_many_tokens_it_reads(void **state)
{
    world *w = *state;
    static const char text[] = "latent-concept(tokens=4,steps=2,batch=3,concepts=labels)";
    icl_call call = { 0 };
    icl_options options = { 0 };
    const icl_select_method *method = NULL;
    uint64_t tokens = 0;
    assert_int_equal(icl_select_find(&method, "latent-concept"), ICL_OK);
    assert_int_equal(icl_call_parse(&call, text, strlen(text)), ICL_OK);
    assert_int_equal(icl_options_read(&options, &method->card, &call), ICL_OK);
    assert_int_equal(method->fit_tokens(&tokens, &w->input, &options), ICL_OK);
    /* The longest is BOS, "yes", and the two words of label 1. */
    assert_int_equal(tokens, (2 * 3 + POOL * LABELS) * (6 + 4));
    icl_options_deinit(&options);
    icl_call_deinit(&call);
}

static void test_select_latent_concept__refuses_by_name(void **state)
{
    world *w = *state;
    icl_fit_file *file = NULL;
    icl_selection selection = { 0 };
    char path[LEARNED_PATH_BYTES], text[64];
    w->fake.trainable.path = ICL_SOURCE_DIR "/tests/golden/README.md";
    assert_int_not_equal(fit_status(&file, &w->input, "latent-concept(steps=1)", NULL), ICL_OK);
    assert_non_null(strstr(icl_error_message(), "tests/golden/README.md"));
    fake_trainable_serve(&w->fake, &w->input);
    assert_int_equal(fit_status(&file, &w->input, "latent-concept(steps=1,tokens=500)", NULL),
                     ICL_EINVAL);
    assert_non_null(strstr(icl_error_message(), "1 x 500 concept tokens"));
    w->input.trainable = NULL;
    assert_int_equal(fit_status(&file, &w->input, "latent-concept", NULL), ICL_EINVAL);
    assert_non_null(strstr(icl_error_message(), "follows the gradients"));
    assert_null(file);
    write_scores(path, w, one_concept, 1);
    w->input.model_identity = "large";
    snprintf(text, sizeof text, "latent-concept(file=\"%s\")", path);
    assert_int_equal(select_status(&selection, &w->input, text), ICL_EINVAL);
    assert_non_null(strstr(icl_error_message(), "\"large\""));
    unlink(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_select_latent_concept__one_concept_ranks_by_its_log_probability),
        TEST(test_select_latent_concept__balanced_takes_the_best_of_each_label),
        TEST(test_select_latent_concept__a_query_in_the_pool_is_replaced),
        TEST(test_select_latent_concept__concepts_of_labels_compete),
        TEST(test_select_latent_concept__the_loss_falls),
        TEST(test_select_latent_concept__reads_the_end_of_long_examples),
        TEST(test_select_latent_concept__says_how_many_tokens_it_reads),
        TEST(test_select_latent_concept__refuses_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
