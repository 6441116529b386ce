/* latent-concept: the order that is shown is the best of all by scores taken one by one, and what
 * is no concept of this model is refused. */
#include <unistd.h>

#include "fake_trainable.h"
#include "learn/concept.h"
#include "learn/fit_file.h"
#include "math/logspace.h"
#include "order/permutations.h"
#include "order_call.h"
#include "order_world.h"

enum {
    POOL = 6,
    QUERIES = 2,
    K = 3,
    LABELS = 2,
    ORDERS = 6,
    TOKENS = 3,
    WIDTH = 64, /* of fake_trainable.h's model */
    WINDOW = 128,
    PATH_BYTES = 32,
};

static const char *const pool_texts[POOL] = { "a storm", "calm", "the fog", "wind", "a", "" };
static const char *const query_texts[QUERIES] = { "rain", "sun" };
static const char *const query_ids[QUERIES] = { "q0", "q1" };
static const size_t pool_labels[POOL] = { 0, 1, 0, 1, 1, 0 };
/* The same set twice. */
static const size_t selected[QUERIES * K] = { 4, 0, 2, /**/ 2, 4, 0 };

static const icl_fit_origin origin = { "latent-concept", "", "weather", "", "small", "", POOL, 3 };

typedef struct concept_world {
    icl_order_input input;
    fake_trainable fake;
    float vectors[2 * TOKENS * WIDTH];
} concept_world;

static void world_init(concept_world *w)
{
    w->input = ORDER_INPUT(.task = "weather", .seed = 3, .model_identity = "small");
    fake_trainable_serve(&w->fake, &w->input);
    for (size_t i = 0; i < sizeof w->vectors / sizeof *w->vectors; i++)
        w->vectors[i] = (float)(i * 59 % 83) / 83 - 0.5f;
}

/* A file with `groups` concepts of `tokens` tokens. */
static void write_concepts(char path[PATH_BYTES], const concept_world *w,
                           const icl_fit_origin *from, size_t groups, size_t tokens, size_t width)
{
    const float nats[2 * POOL] = { 0 };
    icl_fit_file *file = NULL;
    strcpy(path, "/tmp/icl-concept-XXXXXX");
    const int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    const icl_fit_array concepts = { "concepts", groups * tokens, width, w->vectors };
    assert_int_equal(icl_fit_file_new(&file, from), ICL_OK);
    assert_int_equal(icl_fit_file_add(file, &concepts), ICL_OK);
    assert_int_equal(icl_fit_file_add(file, &(icl_fit_array){ "nats", groups, POOL, nats }),
                     ICL_OK);
    assert_int_equal(icl_fit_file_save(file, path), ICL_OK);
    icl_fit_file_free(file);
}

static icl_status order_status(icl_ordering *out, const icl_order_input *input, const char *path)
{
    char text[96];
    const icl_order_method *method = NULL;
    snprintf(text, sizeof text, "latent-concept(file=\"%s\")", path);
    icl_options options = order_options(&method, text);
    const icl_status status = icl_order_run(out, method, input, &options);
    icl_options_deinit(&options);
    return status;
}

/* Mean log P of the concept's tokens after the pool items in this order. */
static double likelihood(concept_world *w, const size_t *shown, size_t count)
{
    icl_frozen_model frozen = { 0 };
    icl_concepts *concepts = NULL;
    icl_labelled_tokens tokens = { 0 };
    double nats = 0;
    assert_int_equal(icl_frozen_model_open(&frozen, &w->fake.trainable), ICL_OK);
    assert_int_equal(
        w->fake.trainable.tokens(&w->fake, &tokens, shown, count - 1, shown[count - 1]), ICL_OK);
    const icl_concepts_shape shape = { .concept_tokens = TOKENS,
                                       .group_count = 1,
                                       .tokens_max = tokens.token_count };
    assert_int_equal(icl_concepts_new(&concepts, frozen.model, &shape, w->vectors), ICL_OK);
    assert_int_equal(icl_concepts_score(&nats, concepts, &tokens, 0), ICL_OK);
    icl_concepts_free(concepts);
    icl_frozen_model_close(&frozen);
    return nats;
}

static void test_order_latent_concept__is_the_likeliest_of_all_orders(void **state)
{
    (void)state;
    static const size_t set[K] = { 0, 2, 4 };
    concept_world w;
    char path[PATH_BYTES];
    icl_permutations all = { 0 };
    double scores[ORDERS];
    world_init(&w);
    assert_int_equal(icl_permutations_all(&all, K), ICL_OK);
    for (size_t i = 0; i < ORDERS; i++) {
        size_t shown[K];
        for (size_t place = 0; place < K; place++) shown[place] = set[all.rows[i * K + place]];
        scores[i] = likelihood(&w, shown, K);
    }
    const size_t *best = all.rows + icl_argmax(scores, ORDERS) * K;

    write_concepts(path, &w, &origin, 1, TOKENS, WIDTH);
    icl_ordering ordering = { 0 };
    assert_int_equal(order_status(&ordering, &w.input, path), ICL_OK);
    for (size_t q = 0; q < QUERIES; q++) /* whatever the ranks and the query */
        for (size_t place = 0; place < K; place++)
            assert_int_equal(selected[q * K + ordering.permutations[q * K + place]],
                             set[best[place]]);
    icl_ordering_deinit(&ordering);
    icl_permutations_deinit(&all);
    unlink(path);
}

/* One order needs no model. */
static void test_order_latent_concept__one_demonstration_stays(void **state)
{
    (void)state;
    concept_world w;
    char path[PATH_BYTES];
    icl_ordering ordering = { 0 };
    world_init(&w);
    w.input.k = 1;
    w.fake.failure = ICL_EMODEL;
    write_concepts(path, &w, &origin, 1, TOKENS, WIDTH);
    assert_int_equal(order_status(&ordering, &w.input, path), ICL_OK);
    assert_int_equal(ordering.permutations[0], 0);
    icl_ordering_deinit(&ordering);
    unlink(path);
}

static void assert_refused(concept_world *w, const char *path, icl_status status, const char *words)
{
    icl_ordering ordering = { 0 };
    assert_int_equal(order_status(&ordering, &w->input, path), status);
    if (strstr(icl_error_message(), words) == NULL) fail_msg("%s", icl_error_message());
    assert_null(ordering.permutations);
    if (*path != '\0') unlink(path);
}

static void test_order_latent_concept__refuses_by_name(void **state)
{
    (void)state;
    concept_world w;
    char path[PATH_BYTES];
    icl_fit_origin other = origin;
    world_init(&w);
    assert_refused(&w, "", ICL_EINVAL, "has to be fitted first");
    other.method = "epr";
    write_concepts(path, &w, &other, 1, TOKENS, WIDTH);
    assert_refused(&w, path, ICL_EINVAL, "select method \"epr\", not \"latent-concept\"");
    other = origin;
    other.model = "large";
    write_concepts(path, &w, &other, 1, TOKENS, WIDTH);
    assert_refused(&w, path, ICL_EINVAL, "language model \"large\", not \"small\"");
    write_concepts(path, &w, &origin, 2, TOKENS, WIDTH);
    assert_refused(&w, path, ICL_EINVAL, "holds 2 concepts, one for each label");
    write_concepts(path, &w, &origin, 1, TOKENS, WIDTH - 1);
    assert_refused(&w, path, ICL_EPARSE, "concepts");
    w.input.trainable = NULL;
    write_concepts(path, &w, &origin, 1, TOKENS, WIDTH);
    assert_refused(&w, path, ICL_EINVAL, "reads the weights of a language model");
}

/* Of five texts of 30 tokens and two concept tokens fewer than five fit; of a concept that leaves
 * no room for a single text none. */
static void test_order_latent_concept__leaves_out_what_does_not_fit(void **state)
{
    (void)state;
    static const char text[] = "a text of more than thirty bytes, all alike";
    static const char *const long_texts[] = { text, text, text, text, text, text };
    static const size_t five[] = { 0, 1, 2, 3, 4 };
    concept_world w;
    char path[PATH_BYTES];
    icl_ordering ordering = { 0 };
    world_init(&w);
    w.input.query_count = 1;
    w.input.indices = five;
    w.input.k = 5;
    w.input.pool_texts = long_texts;
    fake_trainable_serve(&w.fake, &w.input);
    write_concepts(path, &w, &origin, 1, TOKENS, WIDTH);
    assert_int_equal(order_status(&ordering, &w.input, path), ICL_OK);
    icl_ordering_deinit(&ordering);
    unlink(path);

    static float vectors[(WINDOW - 8) * WIDTH];
    const icl_fit_array wide = { "concepts", WINDOW - 8, WIDTH, vectors };
    const float nats[POOL] = { 0 };
    icl_fit_file *file = NULL;
    assert_int_equal(icl_fit_file_new(&file, &origin), ICL_OK);
    assert_int_equal(icl_fit_file_add(file, &wide), ICL_OK);
    assert_int_equal(icl_fit_file_add(file, &(icl_fit_array){ "nats", 1, POOL, nats }), ICL_OK);
    assert_int_equal(icl_fit_file_save(file, path), ICL_OK);
    icl_fit_file_free(file);
    assert_refused(&w, path, ICL_ECONTEXT, "a concept of 120 exceed the model's window of 128");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_latent_concept__is_the_likeliest_of_all_orders),
        cmocka_unit_test(test_order_latent_concept__one_demonstration_stays),
        cmocka_unit_test(test_order_latent_concept__refuses_by_name),
        cmocka_unit_test(test_order_latent_concept__leaves_out_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
