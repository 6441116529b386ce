/* Trained retrievers on clusters that words do not show and vectors show weakly: a language model
 * that answers well after a demonstration of the same cluster teaches them to find it. */
#include <math.h>

#include "base/rng.h"
#include "fake_asker.h"
#include "math/dpp.h"
#include "near.h"
#include "select/ceil_sets.h"
#include "select/learned.h"

enum { POOL = 160, QUERIES = 60, CLUSTERS = 4, COLUMNS = 12, TEXT_BYTES = 48 };

typedef struct clusters {
    char texts[POOL + QUERIES][TEXT_BYTES], ids[QUERIES][16];
    const char *pool_texts[POOL], *query_texts[QUERIES], *query_ids[QUERIES];
    size_t labels[POOL + QUERIES];
    float vectors[(POOL + QUERIES) * COLUMNS];
    icl_select_input input;
    fake_asker fake;
} clusters;

static size_t item_of_text(const clusters *world, const char *text)
{
    return (size_t)(text - world->texts[0]) / TEXT_BYTES;
}

/* Knows the clusters: the more of the demonstrations are of the input's, the better. A little of
 * the answer depends on which they are. */
static void oracle(void *context, fake_answer *answer, const fake_data *data,
                   const icl_ask_prompt *prompt, const icl_ask_generation *how)
{
    const clusters *world = context;
    (void)how;
    const size_t label = world->labels[item_of_text(world, fake_prompt_text(data, prompt))];
    double helps = 0, taste = 0;
    for (size_t i = 0; i < prompt->shown_count; i++) {
        assert_true(prompt->of != ICL_ASK_POOL || prompt->shown[i] != prompt->item);
        helps += data->pool_labels[prompt->shown[i]] == label;
        taste += 1e-3 * (double)(prompt->shown[i] % 17);
    }
    if (prompt->shown_count > 0) helps /= (double)prompt->shown_count;
    for (size_t l = 0; l < data->label_count; l++)
        answer->label_nats[l] = l == label ? -2 + 1.9 * helps - taste : -1.5 - 1.5 * helps;
}

/* Cluster c leans towards axis c; all other axes are noise of twice that size. */
static void fill(clusters *world)
{
    static const char *const words[] = { "red", "blue", "green", "one", "two", "three", "four" };
    icl_rng rng = icl_rng_new(4, "clusters", "", "fill");
    for (size_t i = 0; i < POOL + QUERIES; i++) {
        size_t used = 0;
        for (size_t w = 0; w < 5; w++)
            used += (size_t)snprintf(world->texts[i] + used, TEXT_BYTES - used, "%s ",
                                     words[icl_rng_below(&rng, 7)]);
        world->labels[i] = icl_rng_below(&rng, CLUSTERS);
        for (size_t c = 0; c < COLUMNS; c++)
            world->vectors[i * COLUMNS + c] =
                (float)(icl_rng_normal(&rng) * (c < CLUSTERS ? 0.5 : 1.5) +
                        (c == world->labels[i] ? 1.5 : 0));
    }
}

static int setup(void **state)
{
    clusters *world = calloc(1, sizeof *world);
    if (world == NULL) return -1;
    fill(world);
    for (size_t i = 0; i < POOL; i++) world->pool_texts[i] = world->texts[i];
    for (size_t q = 0; q < QUERIES; q++) {
        world->query_texts[q] = world->texts[POOL + q];
        snprintf(world->ids[q], sizeof world->ids[q], "q%zu", q);
        world->query_ids[q] = world->ids[q];
    }
    world->input = (icl_select_input){ .pool_count = POOL,
                                       .query_count = QUERIES,
                                       .label_count = CLUSTERS,
                                       .pool_texts = world->pool_texts,
                                       .query_texts = world->query_texts,
                                       .pool_labels = world->labels,
                                       .query_ids = world->query_ids,
                                       .pool_vectors = world->vectors,
                                       .query_vectors = &world->vectors[POOL * COLUMNS],
                                       .vector_size = COLUMNS,
                                       .encoder_identity = "encoder",
                                       .model_identity = "model",
                                       .task = "clusters",
                                       .seed = 1 };
    fake_asker_serve(&world->fake, &world->input, oracle, world);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

/* Share of the chosen demonstrations that are of their query's cluster. */
static double recall(const clusters *world, const char *call)
{
    icl_selection selection = select_well(&world->input, call);
    const size_t count = QUERIES * selection.k;
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += world->labels[selection.indices[i]] == world->labels[POOL + i / selection.k];
    icl_selection_deinit(&selection);
    return (double)found / (double)count;
}

/* Fits "method(arguments)", prints what came of it and returns its recall; *out_file is yours. */
static double fitted_recall(icl_fit_file **out_file, const clusters *world, const char *method,
                            const char *arguments)
{
    char call[256], path[LEARNED_PATH_BYTES];
    snprintf(call, sizeof call, "%s(%s)", method, arguments);
    *out_file = fit_well(path, &world->input, call);
    snprintf(call, sizeof call, "%s(k=1,file=\"%s\")", method, path);
    const double found = recall(world, call);
    unlink(path);
    print_message("%s(%s): recall@1 %.3f, loss %.3f -> %.3f, dev mrr %.3f -> %.3f, nats %.3f -> "
                  "%.3f\n",
                  method, arguments, found, measure_of(*out_file, "loss_start"),
                  measure_of(*out_file, "loss"), measure_of(*out_file, "dev_mrr_start"),
                  measure_of(*out_file, "dev_mrr"), measure_of(*out_file, "dev_nats_start"),
                  measure_of(*out_file, "dev_nats"));
    return found;
}

static void test_retriever__training_beats_words_and_the_untrained_start(void **state)
{
    const clusters *world = *state;
    static const struct {
        const char *method, *arguments;
    } cases[] = { { "epr", "rate=0.03" },
                  { "epr", "rate=0.03,labels=false" },
                  { "epr", "rate=0.03,map=diagonal" },
                  { "epr", "rate=0.03,shared=true,labels=false" },
                  { "udr", "rate=0.03" },
                  { "llm-r", "rate=0.03" } };
    const double words = recall(world, "bm25(k=1)"), start = recall(world, "knn(k=1)");
    print_message("bm25: recall@1 %.3f; knn %.3f\n", words, start);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        icl_fit_file *file = NULL;
        const double found = fitted_recall(&file, world, cases[i].method, cases[i].arguments);
        assert_true(found > words + 0.1 && found > start + 0.1);
        assert_true(measure_of(file, "loss") < measure_of(file, "loss_start"));
        assert_true(measure_of(file, "dev_nats") > measure_of(file, "dev_nats_start"));
        icl_fit_file_free(file);
    }
}

/* The second stage learns from sets; the first is EPR's. */
static void test_retriever__ceil_learns_from_sets(void **state)
{
    const clusters *world = *state;
    char path[LEARNED_PATH_BYTES], call[64];
    icl_fit_file *file = fit_well(path, &world->input, "ceil(rate=0.01,epochs=20,sets=8,size=4)");
    snprintf(call, sizeof call, "ceil(k=4,file=\"%s\")", path);
    const double found = recall(world, call), start = recall(world, "dpp(k=4)");
    unlink(path);
    print_message("ceil(k=4): %.3f of the demonstrations are of the cluster, dpp %.3f; sets: loss "
                  "%.3f -> %.3f, nats %.3f -> %.3f\n",
                  found, start, measure_of(file, "round_2_loss_start"),
                  measure_of(file, "round_2_loss"), measure_of(file, "round_2_dev_nats_start"),
                  measure_of(file, "round_2_dev_nats"));
    assert_true(found > start + 0.1);
    assert_true(measure_of(file, "round_2_loss") < measure_of(file, "round_2_loss_start"));
    assert_true(measure_of(file, "round_2_dev_nats") >= measure_of(file, "round_2_dev_nats_start"));
    icl_fit_file_free(file);
}

static void test_retriever__set_scores_are_log_determinants(void **state)
{
    (void)state;
    /* Vectors at 0, 10 and 80 degrees, the query at 0. */
    static const double degree = 3.14159265358979323846 / 180;
    const double angles[] = { 0, 10, 80 };
    float vectors[6];
    double cosines[3], relevance[3], expected = 0;
    for (size_t i = 0; i < 3; i++) {
        cosines[i] = cos(angles[i] * degree);
        vectors[2 * i] = (float)cosines[i];
        vectors[2 * i + 1] = (float)sin(angles[i] * degree);
    }
    const double lambdas[] = { 0.1, 1 };
    const double determinants[2][2] = { { 0.014027, 0.010526 }, { 0.015020, 0.433734 } };
    for (size_t l = 0; l < 2; l++) {
        double scores[2], plain;
        icl_dpp_relevance(relevance, cosines, 3, lambdas[l]);
        for (size_t pair = 0; pair < 2; pair++) {
            const size_t set[] = { 0, pair + 1 };
            const double ones[] = { 1, 1, 1 }, own[] = { cosines[0], cosines[pair + 1] };
            const icl_dpp_kernel similarity = { vectors, ones, 3, 2 };
            const icl_dpp_kernel kernel = { vectors, relevance, 3, 2 };
            assert_int_equal(icl_dpp_log_det(&plain, &similarity, set, 2), ICL_OK);
            assert_int_equal(icl_dpp_log_det(&expected, &kernel, set, 2), ICL_OK);
            assert_near(exp(expected), determinants[l][pair], 1e-6);
            /* The relevance in the kernel is divided by the greatest, which is that of cosine 1. */
            scores[pair] = icl_ceil_set_score(own, 2, plain, lambdas[l]);
            assert_near(scores[pair] - 2 / lambdas[l], expected, 1e-9);
        }
    }
}

static void test_retriever__an_untrained_one_is_knn(void **state)
{
    const clusters *world = *state;
    static const char *const calls[] = { "epr(epochs=0)", "epr(epochs=0,map=diagonal)",
                                         "epr(epochs=0,shared=true,labels=false)" };
    icl_selection nearest = select_well(&world->input, "knn(k=8)");
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        char path[LEARNED_PATH_BYTES], call[64];
        icl_fit_file_free(fit_well(path, &world->input, calls[i]));
        snprintf(call, sizeof call, "epr(file=\"%s\")", path);
        icl_selection selection = select_well(&world->input, call);
        unlink(path);
        assert_memory_equal(selection.indices, nearest.indices,
                            QUERIES * 8 * sizeof *nearest.indices);
        assert_memory_equal(selection.scores, nearest.scores, QUERIES * 8 * sizeof *nearest.scores);
        icl_selection_deinit(&selection);
    }
    icl_selection_deinit(&nearest);
}

static void test_retriever__every_candidate_is_asked_about_once(void **state)
{
    const clusters *world = *state;
    icl_select_input input = world->input;
    fake_asker fake;
    fake_asker_serve(&fake, &input, oracle, *state);
    icl_fit_file *file = NULL;
    assert_int_equal(fit_status(&file, &input, "epr(candidates=11,epochs=1)", NULL), ICL_OK);
    assert_int_equal(fake.prompts, POOL * 11);
    icl_fit_file_free(file);
}

static void count_words(void *user, const char *what, uint64_t done, uint64_t total)
{
    size_t *counts = user;
    assert_true(done <= total);
    if (strcmp(what, "prompts asked") == 0) counts[0] += done == total;
    if (strcmp(what, "epochs trained") == 0) counts[1] += done == total;
}

static void test_retriever__progress_ends_where_the_work_ends(void **state)
{
    const clusters *world = *state;
    size_t counts[2] = { 0 };
    const icl_fit_progress progress = { .say = count_words, .user = counts };
    icl_fit_file *file = NULL;
    assert_int_equal(fit_status(&file, &world->input, "epr(epochs=3)", &progress), ICL_OK);
    icl_fit_file_free(file);
    assert_true(counts[0] == 1 && counts[1] == 1);
}

/* ---- what is refused ---- */

static void indifferent(void *context, fake_answer *answer, const fake_data *data,
                        const icl_ask_prompt *prompt, const icl_ask_generation *how)
{
    (void)context, (void)answer, (void)data, (void)prompt, (void)how;
}

static void test_retriever__equal_answers_teach_nothing(void **state)
{
    const clusters *world = *state;
    icl_select_input input = world->input;
    fake_asker fake;
    fake_asker_serve(&fake, &input, indifferent, NULL);
    icl_fit_file *file = NULL;
    assert_int_equal(fit_status(&file, &input, "epr(candidates=10)", NULL), ICL_EINVAL);
    assert_string_equal(icl_error_message(),
                        "all 1600 answers of the model are the same (-1 nats): there is nothing "
                        "to learn");
    assert_null(file);
}

static void test_retriever__too_few_candidates_are_refused_before_asking(void **state)
{
    const clusters *world = *state;
    icl_select_input input = world->input;
    fake_asker fake;
    fake_asker_serve(&fake, &input, oracle, *state);
    icl_fit_file *file = NULL;
    assert_int_equal(fit_status(&file, &input, "epr(candidates=8)", NULL), ICL_EINVAL);
    assert_string_equal(icl_error_message(),
                        "select=epr: positives=5 and negatives=5 need 10 candidates, and each of "
                        "the 160 pool items has 8");
    input.pool_count = 7;
    assert_int_equal(fit_status(&file, &input, "epr(positives=4,negatives=4)", NULL), ICL_EINVAL);
    assert_string_equal(icl_error_message(),
                        "select=epr: positives=4 and negatives=4 need 8 candidates, and each of "
                        "the 7 pool items has 6");
    assert_int_equal(fit_status(&file, &input, "ceil(positives=1,negatives=1)", NULL), ICL_EINVAL);
    assert_string_equal(icl_error_message(), "select=ceil: sets of size=8 need as many candidates, "
                                             "and each of the 7 pool items has 6");
    assert_int_equal(fit_status(&file, &input, "ceil(shared=true)", NULL), ICL_EINVAL);
    assert_int_equal(fake.prompts, 0);
}

/* Runs with the file of another world, and expects this sentence. */
static void assert_refused(const icl_select_input *input, const char *path, const char *arguments,
                           const char *sentence)
{
    char call[128];
    icl_selection selection = { 0 };
    snprintf(call, sizeof call, "epr(file=\"%s\"%s)", path, arguments);
    const icl_status status = select_status(&selection, input, call);
    if (sentence == NULL) {
        assert_int_equal(status, ICL_OK);
        icl_selection_deinit(&selection);
        return;
    }
    assert_int_equal(status, ICL_EINVAL);
    const char *said = icl_error_message();
    if (strstr(said, path) == NULL || strstr(said, sentence) == NULL) fail_msg("%s", said);
}

static void test_retriever__a_file_of_others_is_refused_by_name(void **state)
{
    const clusters *world = *state;
    icl_select_input input = world->input;
    char path[LEARNED_PATH_BYTES];
    icl_fit_file_free(fit_well(path, &input, "epr(epochs=1)"));
    assert_refused(&input, path, "", NULL);
    input.encoder_identity = "lens";
    assert_refused(&input, path, "", "was fitted with sentence encoder \"encoder\", not \"lens\"");
    assert_refused(&input, path, ",transfer=true", "not \"lens\"");
    input.encoder_identity = world->input.encoder_identity;
    input.model_identity = "gpt";
    assert_refused(&input, path, "", "was fitted with language model \"model\", not \"gpt\"");
    assert_refused(&input, path, ",transfer=true", NULL);
    input.model_identity = world->input.model_identity;
    input.pool_count = 100;
    input.task = "squares";
    assert_refused(&input, path, "", "of task \"clusters\" (160 items), not to");
    assert_refused(&input, path, "", "of task \"squares\" (100 items)");
    assert_refused(&input, path, ",transfer=true", NULL);
    unlink(path);
}

static void test_retriever__without_a_file_it_says_how_to_make_one(void **state)
{
    const clusters *world = *state;
    icl_selection selection = { 0 };
    assert_int_equal(select_status(&selection, &world->input, "epr"), ICL_EINVAL);
    assert_string_equal(icl_error_message(),
                        "select method \"epr\" has to be fitted first: icl fit \"select=epr\" "
                        "TASK --out FILE, then select=epr(file=FILE)");
    icl_fit_file *file = NULL;
    assert_int_equal(fit_status(&file, &world->input, "knn", NULL), ICL_EINVAL);
    assert_string_equal(icl_error_message(),
                        "select method \"knn\" does not learn; \"icl methods select\" shows "
                        "which need a file made by icl fit");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_retriever__training_beats_words_and_the_untrained_start),
        cmocka_unit_test(test_retriever__ceil_learns_from_sets),
        cmocka_unit_test(test_retriever__set_scores_are_log_determinants),
        cmocka_unit_test(test_retriever__an_untrained_one_is_knn),
        cmocka_unit_test(test_retriever__every_candidate_is_asked_about_once),
        cmocka_unit_test(test_retriever__progress_ends_where_the_work_ends),
        cmocka_unit_test(test_retriever__equal_answers_teach_nothing),
        cmocka_unit_test(test_retriever__too_few_candidates_are_refused_before_asking),
        cmocka_unit_test(test_retriever__a_file_of_others_is_refused_by_name),
        cmocka_unit_test(test_retriever__without_a_file_it_says_how_to_make_one),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
