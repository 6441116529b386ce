/* The laws of the selection stage, for every registered method and every value of its switches and
 * choices. A new method is covered by being registered; one that needs what this test's world lacks
 * fails test_select_conformance__the_world_serves_every_method until the world is extended. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <icl/dataset.h>

#include "base/file.h"
#include "base/rng.h"
#include "base/text.h"
#include "fake_asker.h"
#include "math/matrix.h"
#include "select/fake_embedder.h"
#include "fake_trainable.h"
#include "select/fit.h"
#include "select/select.h"
#include "select/subset.h"

enum {
    POOL = 40,
    QUERIES = 12,
    LABELS = 4,
    COLUMNS = 16,
    LONG_TEXT_BYTES = 40000,
    WORDS = 9,        /* of the encoder's vocabulary */
    TEXT_TOKENS = 30, /* of the longest text */
    ASKS = ICL_NEEDS_LOGPROBS | ICL_NEEDS_GENERATION,
    WORLD_GIVES = ICL_NEEDS_EMBEDDINGS | ICL_NEEDS_TOKEN_VECTORS | ICL_NEEDS_LABELS |
                  ICL_NEEDS_TRAINING | ICL_NEEDS_GRADIENTS | ASKS,
    PATH_BYTES = 128,
};

/* Where the files lie that learned methods were fitted into. */
static char fitted_folder[] = "/tmp/icl-conformance-XXXXXX";

typedef struct world {
    char *long_text;
    char texts[POOL + QUERIES][64], ids[QUERIES][32];
    const char *pool_texts[POOL], *query_texts[QUERIES], *query_ids[QUERIES];
    size_t labels[POOL], self[QUERIES];
    float vectors[(POOL + QUERIES) * COLUMNS];
    size_t first_tokens[POOL + QUERIES + 1];
    int32_t token_ids[(POOL + QUERIES) * TEXT_TOKENS];
    float token_vectors[(POOL + QUERIES) * TEXT_TOKENS * COLUMNS];
    icl_select_input input;
    icl_embedder embedder; /* made by the same world for every method that embeds texts */
} world;

static void fill_text(char *out, size_t bytes, icl_rng *rng)
{
    static const char *const words[] = { "play", "book", "the", "weather", "in", "Rome", "jazz" };
    size_t used = 0;
    for (size_t i = 0; i < 6; i++)
        used += (size_t)snprintf(out + used, bytes - used, "%s ", words[icl_rng_below(rng, 7)]);
}

/* The tokens of a text depend on its length alone, so some texts have equal ones; a word's vector
 * is the same everywhere. */
static void fill_tokens(world *w, icl_rng *rng)
{
    float words[WORDS * COLUMNS];
    for (size_t i = 0; i < WORDS * COLUMNS; i++) words[i] = (float)icl_rng_normal(rng);
    icl_matrix_normalise_rows(words, words, WORDS, COLUMNS);
    size_t count = 0;
    for (size_t i = 0; i < POOL + QUERIES; i++) {
        const size_t length = strlen(i < POOL ? w->pool_texts[i] : w->query_texts[i - POOL]);
        const size_t tokens = length == LONG_TEXT_BYTES ? TEXT_TOKENS : length / 4;
        w->first_tokens[i] = count;
        for (size_t t = 0; t < tokens; t++, count++) {
            const size_t word = (length * 7 + t * t) % WORDS;
            w->token_ids[count] = (int32_t)word;
            memcpy(&w->token_vectors[count * COLUMNS], &words[word * COLUMNS],
                   COLUMNS * sizeof *words);
        }
    }
    w->first_tokens[POOL + QUERIES] = count;
    w->input.pool_tokens = w->input.query_tokens = (icl_token_vectors){
        .first = w->first_tokens, .ids = w->token_ids, .vectors = w->token_vectors
    };
    w->input.query_tokens.first += POOL;
}

/* Every third query is the pool item of the same number; some texts are empty, one is very long,
 * and some vectors are zero or equal. Labels are skewed: class 3 has two members. */
static int setup(void **state)
{
    world *w = calloc(1, sizeof *w);
    if (w == NULL) return -1;
    w->long_text = malloc(LONG_TEXT_BYTES + 1);
    if (w->long_text == NULL) return -1;
    for (size_t i = 0; i < LONG_TEXT_BYTES; i++)
        w->long_text[i] = i % 7 == 6 ? ' ' : "jazzRo"[i % 7];
    w->long_text[LONG_TEXT_BYTES] = 0;

    icl_rng rng = icl_rng_new(6, "conformance", "", "select");
    for (size_t i = 0; i < POOL + QUERIES; i++) fill_text(w->texts[i], sizeof w->texts[i], &rng);
    for (size_t i = 0; i < (POOL + QUERIES) * COLUMNS; i++)
        w->vectors[i] = (float)icl_rng_normal(&rng);
    for (size_t i = 0; i < POOL; i++) {
        w->pool_texts[i] = i % 11 == 5 ? "" : i == 7 ? w->long_text : w->texts[i];
        w->labels[i] = i < 2 ? 3 : i % 3;
        if (i % 11 == 5) memset(&w->vectors[i * COLUMNS], 0, COLUMNS * sizeof(float));
        if (i % 4 == 3)
            memcpy(&w->vectors[i * COLUMNS], &w->vectors[(i - 1) * COLUMNS],
                   COLUMNS * sizeof(float));
    }
    for (size_t q = 0; q < QUERIES; q++) {
        snprintf(w->ids[q], sizeof w->ids[q], "query-%zu", q);
        w->query_ids[q] = w->ids[q];
        w->query_texts[q] = q == 4 ? "" : q == 5 ? w->long_text : w->texts[POOL + q];
        w->self[q] = q % 3 == 0 ? q : SIZE_MAX;
        if (q == 4) memset(&w->vectors[(POOL + q) * COLUMNS], 0, COLUMNS * sizeof(float));
    }
    w->input = (icl_select_input){
        .pool_count = POOL,
        .query_count = QUERIES,
        .label_count = LABELS,
        .pool_texts = w->pool_texts,
        .query_texts = w->query_texts,
        .pool_labels = w->labels,
        .query_self = w->self,
        .query_ids = w->query_ids,
        .pool_vectors = w->vectors,
        .query_vectors = &w->vectors[POOL * COLUMNS],
        .vector_size = COLUMNS,
        .embedder = &w->embedder,
        .task = "conformance",
        .seed = 13,
    };
    w->embedder = (icl_embedder){ .user = &w->input.vector_size, .embed = fake_embed };
    fill_tokens(w, &rng);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world *w = *state;
    free(w->long_text);
    free(w);
    return 0;
}

typedef void law(const world *w, const icl_select_method *method, const char *arguments);

static void fitted_path(char out[PATH_BYTES], const icl_select_method *method)
{
    snprintf(out, PATH_BYTES, "%s/%s", fitted_folder, method->card.name);
}

/* Options of one call: "k=K", the file of a learned method and, after a comma, `arguments`. */
static icl_options options_of(const icl_select_method *method, size_t k, const char *arguments)
{
    icl_text text = { 0 };
    icl_text_printf(&text, "%s(k=%zu%s%s", method->card.name, k, *arguments == 0 ? "" : ",",
                    arguments);
    if ((method->card.needs & ICL_NEEDS_TRAINING) != 0) {
        char path[PATH_BYTES];
        fitted_path(path, method);
        icl_text_printf(&text, ",file=\"%s\"", path);
    }
    icl_text_append_char(&text, ')');
    icl_call call = { 0 };
    icl_options options = { 0 };
    if (icl_call_parse(&call, icl_text_string(&text), text.length) != ICL_OK ||
        icl_options_read(&options, &method->card, &call) != ICL_OK)
        fail_msg("%s: %s", icl_text_string(&text), icl_error_message());
    icl_call_deinit(&call);
    icl_text_deinit(&text);
    return options;
}

/* `input` with the fake model for a method that asks one; what its card does not need is left
 * out. */
static icl_select_input serve(fake_asker *fake, const icl_select_method *method,
                              const icl_select_input *input)
{
    icl_select_input served = *input;
    fake_asker_serve(fake, &served, fake_hashed, NULL);
    if ((method->card.needs & ICL_NEEDS_GENERATION) == 0) fake->asker.generate = NULL;
    if ((method->card.needs & ASKS) == 0) served.asker = NULL;
    return served;
}

/* One pass over the pool where a method has passes, and little of whatever else it repeats. */
static const char *short_fit(const icl_select_method *method)
{
    static const struct {
        const char *option, *arguments;
    } shorter[] = { { "epochs", "epochs=1" },
                    { "updates", "updates=20" },
                    { "length", "length=16,batch=2,steps=2" } };
    for (size_t i = 0; i < method->card.option_count; i++)
        for (size_t s = 0; s < sizeof shorter / sizeof *shorter; s++)
            if (strcmp(method->card.options[i].name, shorter[s].option) == 0)
                return shorter[s].arguments;
    return "";
}

static icl_status fit(icl_fit_file **out, fake_asker *fake, const icl_select_method *method,
                      icl_select_input input)
{
    fake_trainable trainable;
    fake_trainable_serve(&trainable, &input);
    fake_asker_serve(fake, &input, fake_hashed, NULL);
    icl_options options = options_of(method, 8, short_fit(method));
    const icl_status status = icl_fit_run(out, method, &input, &options, NULL);
    icl_options_deinit(&options);
    return status;
}

/* A file for every learned method. */
static int setup_fitted(void **state)
{
    const int failed = setup(state);
    const world *w = *state;
    size_t count = 0;
    const icl_select_method *const *methods = icl_select_methods(&count);
    if (failed != 0 || mkdtemp(fitted_folder) == NULL) return -1;
    for (size_t i = 0; i < count; i++) {
        if (methods[i]->fit == NULL) continue;
        fake_asker fake;
        icl_fit_file *file = NULL;
        char path[PATH_BYTES];
        fitted_path(path, methods[i]);
        if (fit(&file, &fake, methods[i], w->input) != ICL_OK ||
            icl_fit_file_save(file, path) != ICL_OK) {
            print_error("%s: %s\n", methods[i]->card.name, icl_error_message());
            return -1;
        }
        icl_fit_file_free(file);
    }
    return 0;
}

static int teardown_fitted(void **state)
{
    size_t count = 0;
    const icl_select_method *const *methods = icl_select_methods(&count);
    for (size_t i = 0; i < count; i++) {
        char path[PATH_BYTES];
        fitted_path(path, methods[i]);
        if (methods[i]->fit != NULL) unlink(path);
    }
    rmdir(fitted_folder);
    return teardown(state);
}

static icl_status run_served(icl_selection *out, const icl_select_method *method,
                             const icl_select_input *served, size_t k, const char *arguments)
{
    icl_options options = options_of(method, k, arguments);
    const icl_status status = icl_select_run(out, method, served, &options);
    icl_options_deinit(&options);
    return status;
}

static icl_status run(icl_selection *out, const icl_select_method *method,
                      const icl_select_input *input, size_t k, const char *arguments)
{
    fake_asker fake;
    const icl_select_input served = serve(&fake, method, input);
    return run_served(out, method, &served, k, arguments);
}

static icl_selection run_well(const icl_select_method *method, const icl_select_input *input,
                              size_t k, const char *arguments)
{
    icl_selection selection = { 0 };
    if (run(&selection, method, input, k, arguments) != ICL_OK)
        fail_msg("%s(k=%zu,%s): %s", method->card.name, k, arguments, icl_error_message());
    assert_int_equal(selection.query_count, input->query_count);
    assert_int_equal(selection.k, k);
    return selection;
}

/* Calls the law with the defaults and with each value of every switch and choice. */
static void for_every_setting(const world *w, const icl_select_method *method, law *holds)
{
    holds(w, method, "");
    for (size_t i = 0; i < method->card.option_count; i++) {
        const icl_option *option = &method->card.options[i];
        static const char *const switches[] = { "false", "true", NULL };
        const char *const *values = option->type == ICL_OPTION_BOOL     ? switches
                                    : option->type == ICL_OPTION_CHOICE ? option->choices
                                                                        : NULL;
        for (; values != NULL && *values != NULL; values++) {
            char arguments[128];
            snprintf(arguments, sizeof arguments, "%s=%s", option->name, *values);
            holds(w, method, arguments);
        }
    }
}

static void for_every_method(void **state, law *holds)
{
    size_t count = 0;
    const icl_select_method *const *methods = icl_select_methods(&count);
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) for_every_setting(*state, methods[i], holds);
}

static void assert_lines_lawful(const icl_selection *selection, const icl_select_input *input)
{
    for (size_t q = 0; q < selection->query_count; q++) {
        bool seen[POOL] = { false };
        for (size_t i = 0; i < selection->k; i++) {
            const size_t index = selection->indices[q * selection->k + i];
            assert_true(index < input->pool_count);
            assert_false(seen[index]);
            seen[index] = true;
            if (input->query_self != NULL) assert_true(index != input->query_self[q]);
            assert_true(isfinite(selection->scores[q * selection->k + i]));
        }
    }
}

static void assert_same_lines(const icl_selection *all, size_t all_query, const icl_selection *part,
                              size_t part_query)
{
    assert_int_equal(all->k, part->k);
    assert_memory_equal(&all->indices[all_query * all->k], &part->indices[part_query * part->k],
                        all->k * sizeof *all->indices);
    assert_memory_equal(&all->scores[all_query * all->k], &part->scores[part_query * part->k],
                        all->k * sizeof *all->scores);
}

static void k_distinct_others(const world *w, const icl_select_method *method,
                              const char *arguments)
{
    const size_t ks[] = { 0, 1, 2, 5, 8, POOL - 1 };
    for (size_t i = 0; i < sizeof ks / sizeof *ks; i++) {
        icl_selection selection = run_well(method, &w->input, ks[i], arguments);
        assert_lines_lawful(&selection, &w->input);
        icl_selection_deinit(&selection);
    }
}

static void whole_pool(const world *w, const icl_select_method *method, const char *arguments)
{
    icl_select_input input = w->input;
    input.query_self = NULL;
    icl_selection selection = run_well(method, &input, POOL, arguments);
    assert_lines_lawful(&selection, &input);
    icl_selection_deinit(&selection);
}

static void refuses_too_many(const world *w, const icl_select_method *method, const char *arguments)
{
    icl_selection selection = { .k = 77 };
    assert_int_equal(run(&selection, method, &w->input, POOL, arguments), ICL_EINVAL);
    assert_string_equal(icl_error_message(), "k=40 demonstrations asked, but the pool of 40 holds "
                                             "39 besides query \"query-0\" itself");
    assert_int_equal(run(&selection, method, &w->input, POOL + 1, arguments), ICL_EINVAL);
    assert_string_equal(icl_error_message(), "k=41 demonstrations asked, but the pool holds 40");
    icl_select_input empty = w->input;
    empty.pool_count = 0;
    empty.query_self = NULL;
    assert_int_equal(run(&selection, method, &empty, 1, arguments), ICL_EINVAL);
    assert_string_equal(icl_error_message(), "k=1 demonstrations asked, but the pool is empty");
    assert_true(selection.k == 77 && selection.indices == NULL); /* untouched */

    selection = run_well(method, &empty, 0, arguments); /* zero-shot needs no pool */
    icl_selection_deinit(&selection);
}

/* The card's own number makes way for a larger k, as whole_pool shows; a chosen one is refused.
 * What learned methods call candidates are those of their fit. */
static void refuses_fewer_candidates_than_k(const world *w, const icl_select_method *method,
                                            const char *arguments)
{
    const icl_card *card = &method->card;
    bool has = false;
    for (size_t i = 0; i < card->option_count; i++)
        has |= strcmp(card->options[i].name, "candidates") == 0;
    if (!has || (card->needs & ICL_NEEDS_TRAINING) != 0) return;
    char more[160], sentence[160];
    icl_selection selection = { .k = 77 };
    snprintf(more, sizeof more, "%s%scandidates=4", arguments, *arguments == 0 ? "" : ",");
    assert_int_equal(run(&selection, method, &w->input, 5, more), ICL_EINVAL);
    snprintf(sentence, sizeof sentence, "select method \"%s\": candidates=4 are fewer than k=5",
             card->name);
    assert_string_equal(icl_error_message(), sentence);
    assert_true(selection.k == 77 && selection.indices == NULL); /* untouched */

    selection = run_well(method, &w->input, 4, more);
    assert_lines_lawful(&selection, &w->input);
    icl_selection_deinit(&selection);
}

static void same_seed_same_answer(const world *w, const icl_select_method *method,
                                  const char *arguments)
{
    icl_selection first = run_well(method, &w->input, 6, arguments);
    icl_selection again = run_well(method, &w->input, 6, arguments);
    for (size_t q = 0; q < QUERIES; q++) assert_same_lines(&first, q, &again, q);
    icl_selection_deinit(&again);
    icl_selection_deinit(&first);
}

/* The queries [first, first + count) of the world. */
static icl_select_input slice(const world *w, size_t first, size_t count)
{
    icl_select_input input = w->input;
    input.query_count = count;
    input.query_texts += first;
    input.query_ids += first;
    input.query_self += first;
    input.query_vectors += first * COLUMNS;
    input.query_tokens.first += first;
    return input;
}

static void batches_do_not_matter(const world *w, const icl_select_method *method,
                                  const char *arguments)
{
    icl_selection all = run_well(method, &w->input, 6, arguments);
    const size_t sizes[] = { 1, 5 };
    for (size_t s = 0; s < 2; s++) {
        for (size_t first = 0; first < QUERIES; first += sizes[s]) {
            const size_t left = QUERIES - first, count = left < sizes[s] ? left : sizes[s];
            const icl_select_input input = slice(w, first, count);
            icl_selection part = run_well(method, &input, 6, arguments);
            for (size_t q = 0; q < count; q++) assert_same_lines(&all, first + q, &part, q);
            icl_selection_deinit(&part);
        }
    }
    icl_selection_deinit(&all);
}

static void no_queries_no_answers(const world *w, const icl_select_method *method,
                                  const char *arguments)
{
    const icl_select_input input = slice(w, 0, 0);
    icl_selection selection = run_well(method, &input, 6, arguments);
    icl_selection_deinit(&selection);
}

static void stops_when_asked(const world *w, const icl_select_method *method, const char *arguments)
{
    const atomic_bool cancelled = true;
    fake_asker fake;
    icl_select_input input = w->input;
    input.cancelled = &cancelled;
    input = serve(&fake, method, &input);
    icl_selection selection = { .k = 77 };
    assert_int_equal(run_served(&selection, method, &input, 6, arguments), ICL_ECANCELLED);
    assert_true(selection.k == 77 && selection.indices == NULL);

    /* The method's own loop looks at the flag too, not only icl_select_run. */
    size_t indices[QUERIES * 6] = { 0 };
    double scores[QUERIES * 6] = { 0 };
    icl_selection raw = { .query_count = QUERIES, .k = 6, .indices = indices, .scores = scores };
    icl_options options = options_of(method, 6, arguments);
    assert_int_equal(method->run != NULL ? method->run(&raw, &input, &options)
                                         : icl_subset_run(&raw, &input, &options, method->pick),
                     ICL_ECANCELLED);
    icl_options_deinit(&options);
}

/* A question that fails, the first or the last of a run, ends the run with its status. */
static void passes_on_what_asking_returns(const world *w, const icl_select_method *method,
                                          const char *arguments)
{
    fake_asker fake;
    icl_select_input input = serve(&fake, method, &w->input);
    icl_selection selection = { 0 };
    assert_int_equal(run_served(&selection, method, &input, 6, arguments), ICL_OK);
    icl_selection_deinit(&selection);
    if (fake.calls == 0) return;
    const size_t asked = fake.calls, fails_from[] = { 0, asked - 1 };
    const icl_status failures[] = { ICL_EMODEL, ICL_ECANCELLED };
    for (size_t i = 0; i < 4; i++) {
        selection.k = 77;
        input = serve(&fake, method, &w->input);
        fake.failure = failures[i / 2];
        fake.fails_from = fails_from[i % 2];
        assert_int_equal(run_served(&selection, method, &input, 6, arguments), fake.failure);
        assert_non_null(strstr(icl_error_message(), "the fake model fails"));
        assert_true(selection.k == 77 && selection.indices == NULL);
        assert_int_equal(fake.calls, fake.fails_from + 1); /* and nothing is asked after it */
    }
}

static void not_a_number(void *context, fake_answer *answer, const fake_data *data,
                         const icl_ask_prompt *prompt, const icl_ask_generation *how)
{
    fake_hashed(context, answer, data, prompt, how);
    answer->label_nats[0] = answer->input.nats = answer->text.nats = *(const double *)context;
}

static void refuses_scores_that_are_no_numbers(const world *w, const icl_select_method *method,
                                               const char *arguments)
{
    if ((method->card.needs & ICL_NEEDS_LOGPROBS) == 0) return;
    const double values[] = { NAN, -INFINITY };
    for (size_t i = 0; i < 2; i++) {
        fake_asker fake;
        const icl_select_input input = serve(&fake, method, &w->input);
        fake.model = not_a_number;
        fake.context = (void *)&values[i];
        icl_selection selection = { .k = 77 };
        const icl_status status = run_served(&selection, method, &input, 6, arguments);
        if (status == ICL_OK && fake.calls == 0) {
            icl_selection_deinit(&selection);
            return; /* this setting asks nothing */
        }
        assert_int_equal(status, ICL_EMODEL);
        assert_non_null(strstr(icl_error_message(), method->card.name));
        assert_true(selection.k == 77 && selection.indices == NULL);
    }
}

static void names_what_it_lacks(const world *w, const icl_select_method *method,
                                const char *arguments)
{
    icl_select_input input = w->input;
    input.pool_labels = NULL;
    input.pool_vectors = NULL;
    input.pool_tokens.first = NULL;
    icl_selection selection = { 0 };
    const icl_status status = run_served(&selection, method, &input, 6, arguments);
    const bool needs_any = (method->card.needs & WORLD_GIVES) != 0;
    assert_int_equal(status, needs_any ? ICL_EINVAL : ICL_OK);
    if (needs_any) assert_non_null(strstr(icl_error_message(), method->card.name));
    icl_selection_deinit(&selection);
}

/* ---- the laws of fitting ---- */

static void assert_same_bytes(const char *path, const icl_fit_file *file)
{
    char other[PATH_BYTES + 8];
    icl_text first = { 0 }, second = { 0 };
    snprintf(other, sizeof other, "%s.again", path);
    assert_int_equal(icl_fit_file_save(file, other), ICL_OK);
    assert_int_equal(icl_file_read(&first, path, 1 << 24), ICL_OK);
    assert_int_equal(icl_file_read(&second, other, 1 << 24), ICL_OK);
    unlink(other);
    assert_int_equal(first.length, second.length);
    assert_memory_equal(first.bytes, second.bytes, first.length);
    icl_text_deinit(&second);
    icl_text_deinit(&first);
}

static void fits_alike_within_its_cost(const world *w, const icl_select_method *method)
{
    fake_asker fake;
    icl_fit_file *file = NULL;
    char path[PATH_BYTES];
    fitted_path(path, method);
    assert_int_equal(fit(&file, &fake, method, w->input), ICL_OK);
    assert_same_bytes(path, file);
    icl_options options = options_of(method, 8, short_fit(method));
    size_t most = 0;
    assert_int_equal(method->fit_prompts(&most, &w->input, &options), ICL_OK);
    assert_true(fake.prompts <= most);
    const bool follows_gradients = (method->card.needs & ICL_NEEDS_GRADIENTS) != 0;
    assert_true(follows_gradients == (fake.prompts == 0));
    assert_true(follows_gradients == (method->fit_tokens != NULL));
    icl_options_deinit(&options);
    icl_fit_file_free(file);
}

static void refuses_pools_without_a_lesson(const world *w, const icl_select_method *method)
{
    static const size_t same[POOL];
    size_t gaps[POOL];
    fake_asker fake;
    icl_fit_file *file = NULL;
    icl_select_input input = w->input;
    input.pool_labels = NULL;
    assert_int_equal(fit(&file, &fake, method, input), ICL_EINVAL);
    assert_non_null(strstr(icl_error_message(), method->card.name));
    input.pool_labels = same;
    assert_int_equal(fit(&file, &fake, method, input), ICL_EINVAL);
    assert_non_null(strstr(icl_error_message(), "all 40 pool items have one and the same label"));
    memcpy(gaps, w->labels, sizeof gaps);
    gaps[7] = ICL_LABEL_NONE;
    input.pool_labels = gaps;
    assert_int_equal(fit(&file, &fake, method, input), ICL_EINVAL);
    assert_non_null(strstr(icl_error_message(), "pool item 7 has no label"));
    assert_null(file);
}

static void a_stopped_fit_leaves_nothing(const world *w, const icl_select_method *method)
{
    const atomic_bool cancelled = true;
    fake_asker fake;
    icl_fit_file *file = NULL;
    icl_select_input input = w->input;
    input.cancelled = &cancelled;
    assert_int_equal(fit(&file, &fake, method, input), ICL_ECANCELLED);

    fake_asker_serve(&fake, &input, fake_hashed, NULL);
    fake.data.cancelled = input.cancelled = NULL;
    fake.failure = ICL_EMODEL;
    fake_trainable trainable;
    fake_trainable_serve(&trainable, &input);
    trainable.failure = ICL_EMODEL;
    icl_options options = options_of(method, 8, short_fit(method));
    assert_int_equal(icl_fit_run(&file, method, &input, &options, NULL), ICL_EMODEL);
    icl_options_deinit(&options);
    assert_null(file);
}

static void uses_only_its_own_file(const world *w, const icl_select_method *method)
{
    fake_asker fake;
    icl_select_input input = serve(&fake, method, &w->input);
    icl_selection selection = { 0 };
    input.encoder_identity = "another encoder";
    if ((method->card.needs & ICL_NEEDS_EMBEDDINGS) != 0) {
        assert_int_equal(run_served(&selection, method, &input, 6, ""), ICL_EINVAL);
        assert_non_null(strstr(icl_error_message(), "\"another encoder\""));
    }
    input.encoder_identity = NULL;
    input.model_identity = "another model";
    assert_int_equal(run_served(&selection, method, &input, 6, ""), ICL_EINVAL);
    assert_non_null(strstr(icl_error_message(), "\"another model\""));
    input.model_identity = NULL;
    input.pool_count--;
    input.query_self = NULL;
    assert_int_equal(run_served(&selection, method, &input, 6, ""), ICL_EINVAL);
    assert_non_null(strstr(icl_error_message(), "(40 items)"));
    assert_null(selection.indices);
}

static void for_every_learned_method(void **state,
                                     void (*holds)(const world *w, const icl_select_method *method))
{
    size_t count = 0;
    const icl_select_method *const *methods = icl_select_methods(&count);
    for (size_t i = 0; i < count; i++) {
        const bool needs_file = (methods[i]->card.needs & ICL_NEEDS_TRAINING) != 0;
        assert_true(needs_file == (methods[i]->fit != NULL));
        assert_true(needs_file == (methods[i]->fit_prompts != NULL));
        if (needs_file) holds(*state, methods[i]);
    }
}

static void test_select_conformance__the_world_serves_every_method(void **state)
{
    (void)state;
    size_t count = 0;
    const icl_card *const *cards = icl_select_cards(&count);
    for (size_t i = 0; i < count; i++) {
        if ((cards[i]->needs & ~(unsigned)WORLD_GIVES) != 0)
            fail_msg("method %s needs what the conformance world does not give", cards[i]->name);
    }
}

static void test_select_conformance__every_card_is_complete_and_found_by_name(void **state)
{
    (void)state;
    size_t count = 0;
    const icl_card *const *cards = icl_select_cards(&count);
    for (size_t i = 0; i < count; i++) {
        const icl_card *card = cards[i];
        assert_true(strlen(card->name) > 0 && strlen(card->summary) > 0);
        assert_true(strlen(card->paper) > 0 && strlen(card->cost) > 0);
        assert_true(card->option_count > 0 && strcmp(card->options[0].name, "k") == 0);
        const icl_select_method *found = NULL;
        assert_int_equal(icl_select_find(&found, card->name), ICL_OK);
        assert_ptr_equal(&found->card, card); /* names are unique */
    }
}

#define LAW_TEST(law)                                                                              \
    static void test_select_conformance__##law(void **state)                                       \
    {                                                                                              \
        for_every_method(state, law);                                                              \
    }
LAW_TEST(k_distinct_others)
LAW_TEST(whole_pool)
LAW_TEST(refuses_too_many)
LAW_TEST(refuses_fewer_candidates_than_k)
LAW_TEST(same_seed_same_answer)
LAW_TEST(batches_do_not_matter)
LAW_TEST(no_queries_no_answers)
LAW_TEST(stops_when_asked)
LAW_TEST(passes_on_what_asking_returns)
LAW_TEST(refuses_scores_that_are_no_numbers)
LAW_TEST(names_what_it_lacks)

#define FIT_TEST(law)                                                                              \
    static void test_select_conformance__##law(void **state)                                       \
    {                                                                                              \
        for_every_learned_method(state, law);                                                      \
    }
FIT_TEST(fits_alike_within_its_cost)
FIT_TEST(refuses_pools_without_a_lesson)
FIT_TEST(a_stopped_fit_leaves_nothing)
FIT_TEST(uses_only_its_own_file)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_select_conformance__the_world_serves_every_method),
        cmocka_unit_test(test_select_conformance__every_card_is_complete_and_found_by_name),
        cmocka_unit_test(test_select_conformance__k_distinct_others),
        cmocka_unit_test(test_select_conformance__whole_pool),
        cmocka_unit_test(test_select_conformance__refuses_too_many),
        cmocka_unit_test(test_select_conformance__refuses_fewer_candidates_than_k),
        cmocka_unit_test(test_select_conformance__same_seed_same_answer),
        cmocka_unit_test(test_select_conformance__batches_do_not_matter),
        cmocka_unit_test(test_select_conformance__no_queries_no_answers),
        cmocka_unit_test(test_select_conformance__stops_when_asked),
        cmocka_unit_test(test_select_conformance__passes_on_what_asking_returns),
        cmocka_unit_test(test_select_conformance__refuses_scores_that_are_no_numbers),
        cmocka_unit_test(test_select_conformance__names_what_it_lacks),
        cmocka_unit_test(test_select_conformance__fits_alike_within_its_cost),
        cmocka_unit_test(test_select_conformance__refuses_pools_without_a_lesson),
        cmocka_unit_test(test_select_conformance__a_stopped_fit_leaves_nothing),
        cmocka_unit_test(test_select_conformance__uses_only_its_own_file),
    };
    return cmocka_run_group_tests(tests, setup_fitted, teardown_fitted);
}
