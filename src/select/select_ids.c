/* Iterative demonstration selection: the model reasons about the query without demonstrations; the
 * pool items nearest to that reasoning become its demonstrations; under them it answers and reasons
 * again; and so on. The majority of the answers wins.
 *
 * A selector hands over demonstrations, not answers: those of the last iteration that gave the
 * majority's answer, so that a run that scores as this method does predicts it. Pool items have
 * labels but no reasoning to show, so the answer is scored directly after the demonstrations. A
 * query whose demonstrations stay the same has reached its end: the same prompt would follow. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "index/dense.h"
#include "math/logspace.h"
#include "template/ask.h"
#include "select/embedder.h"
#include "select/select.h"

static const char cue[] = " Let's think step by step.";

typedef struct ids {
    const icl_select_input *input;
    size_t k, iterations, tokens_max;
    icl_scored *retrieved; /* [query_count][iterations][k] nearest first */
    size_t *shown;         /* the same in order of showing: nearest last */
    size_t *used;          /* [query_count] iterations until the end or the fixed point */
    size_t *active;        /* [active_count] queries that go on */
    size_t active_count;
} ids;

static size_t cell_of(const ids *s, size_t query, size_t iteration)
{
    return (query * s->iterations + iteration) * s->k;
}

/* ---- reasoning ---- */

/* texts [active_count]: what the model says after the demonstrations of the iteration before. */
static icl_status reason(char **texts, const ids *s, size_t iteration)
{
    icl_ask_prompt *prompts = malloc(s->active_count * sizeof *prompts);
    if (prompts == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu queries", s->active_count);
    for (size_t i = 0; i < s->active_count; i++) {
        prompts[i] = (icl_ask_prompt){ .of = ICL_ASK_QUERY, .item = s->active[i] };
        if (iteration == 0) continue; /* zero-shot */
        prompts[i].shown = &s->shown[cell_of(s, s->active[i], iteration - 1)];
        prompts[i].shown_count = s->k;
    }
    const icl_status status =
        s->input->asker->generate(s->input->asker->user, texts, prompts, s->active_count,
                                  &(icl_ask_generation){ .cue = cue, .tokens_max = s->tokens_max });
    free(prompts);
    return status;
}

/* vectors [active_count]: of what was said, or of the query where nothing was. */
static icl_status embed_reasoning(float *vectors, const ids *s, char *const *texts)
{
    const icl_select_input *input = s->input;
    ICL_TRY(icl_cancel_check(input->cancelled));
    ICL_TRY(input->embedder->embed(input->embedder->user, vectors, (const char *const *)texts,
                                   s->active_count));
    for (size_t i = 0; i < s->active_count; i++)
        if (texts[i][0] == '\0')
            memcpy(&vectors[i * input->vector_size],
                   &input->query_vectors[s->active[i] * input->vector_size],
                   input->vector_size * sizeof *vectors);
    return ICL_OK;
}

/* found [active_count][k]. */
static icl_status retrieve(icl_scored *found, const ids *s, const float *vectors, size_t *selves)
{
    for (size_t i = 0; i < s->active_count; i++)
        selves[i] = icl_select_self(s->input, s->active[i]);
    return icl_dense_search(found, &(icl_dense_input){ .pool = s->input->pool_vectors,
                                                       .queries = vectors,
                                                       .pool_count = s->input->pool_count,
                                                       .query_count = s->active_count,
                                                       .columns = s->input->vector_size,
                                                       .exclude = selves,
                                                       .k = s->k,
                                                       .metric = ICL_METRIC_COSINE,
                                                       .cancelled = s->input->cancelled });
}

/* Stores what was retrieved; queries that were given the same as before leave the active ones. */
static void take_retrieved(ids *s, const icl_scored *found, size_t iteration)
{
    size_t going_on = 0;
    for (size_t i = 0; i < s->active_count; i++) {
        const size_t query = s->active[i], cell = cell_of(s, query, iteration);
        bool same = iteration > 0;
        for (size_t r = 0; r < s->k; r++) {
            s->retrieved[cell + r] = found[i * s->k + r];
            s->shown[cell + s->k - 1 - r] = found[i * s->k + r].index;
        }
        for (size_t r = 0; same && r < s->k; r++)
            same = s->shown[cell + r] == s->shown[cell - s->k + r];
        if (same) continue;
        s->used[query] = iteration + 1;
        s->active[going_on++] = query;
    }
    s->active_count = going_on;
}

static icl_status iterate(ids *s, size_t iteration)
{
    const size_t count = s->active_count;
    char **texts = calloc(count, sizeof *texts);
    float *vectors = malloc(count * s->input->vector_size * sizeof *vectors);
    icl_scored *found = malloc(count * s->k * sizeof *found);
    size_t *selves = malloc(count * sizeof *selves);
    icl_status status = ICL_OK;
    if (texts == NULL || vectors == NULL || found == NULL || selves == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu queries", count);
    if (status == ICL_OK) status = reason(texts, s, iteration);
    if (status == ICL_OK) status = embed_reasoning(vectors, s, texts);
    if (status == ICL_OK) status = retrieve(found, s, vectors, selves);
    if (status == ICL_OK) take_retrieved(s, found, iteration);
    for (size_t i = 0; texts != NULL && i < count; i++) free(texts[i]);
    free(selves);
    free(found);
    free(vectors);
    free(texts);
    return status;
}

/* ---- voting ---- */

/* The last iteration that gave the answer with most votes; of answers with as many votes, that
 * which was given last. After a fixed point the last answer has the votes of what is left out. */
static size_t winning_iteration(const size_t *answers, size_t used, size_t iterations)
{
    size_t winner = 0, most = 0;
    for (size_t t = 0; t < used; t++) {
        size_t votes = 0;
        for (size_t other = 0; other < iterations; other++)
            votes += answers[other < used ? other : used - 1] == answers[t];
        if (votes < most) continue;
        most = votes;
        winner = t;
    }
    return winner;
}

/* Asks for the answers of all queries and iterations in one call. answers: a row of `iterations`
 * for each query. */
static icl_status ask_answers(size_t *answers, const ids *s)
{
    const icl_select_input *input = s->input;
    const size_t room = input->query_count * s->iterations;
    icl_ask_prompt *prompts = malloc(room * sizeof *prompts);
    double *nats = malloc(room * input->label_count * sizeof *nats);
    icl_status status = ICL_OK;
    if (prompts == NULL || nats == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu answers", room);
    size_t count = 0;
    for (size_t q = 0; status == ICL_OK && q < input->query_count; q++)
        for (size_t t = 0; t < s->used[q]; t++)
            prompts[count++] = (icl_ask_prompt){ .shown = &s->shown[cell_of(s, q, t)],
                                                 .shown_count = s->k,
                                                 .of = ICL_ASK_QUERY,
                                                 .item = q };
    if (status == ICL_OK) status = icl_ask_labels(nats, input->asker, "ids", prompts, count);
    const double *answer = nats;
    for (size_t q = 0; status == ICL_OK && q < input->query_count; q++)
        for (size_t t = 0; t < s->used[q]; t++, answer += input->label_count)
            answers[q * s->iterations + t] = icl_argmax(answer, input->label_count);
    free(nats);
    free(prompts);
    return status;
}

static icl_status vote(icl_selection *out, const ids *s)
{
    size_t *answers = malloc(s->input->query_count * s->iterations * sizeof *answers);
    if (answers == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu queries", s->input->query_count);
    const icl_status status = ask_answers(answers, s);
    for (size_t q = 0; status == ICL_OK && q < s->input->query_count; q++) {
        const size_t winner =
            winning_iteration(&answers[q * s->iterations], s->used[q], s->iterations);
        const icl_scored *chosen = &s->retrieved[cell_of(s, q, winner)];
        for (size_t r = 0; r < s->k; r++) {
            out->indices[q * s->k + r] = chosen[r].index;
            out->scores[q * s->k + r] = chosen[r].score;
        }
    }
    free(answers);
    return status;
}

static icl_status select_ids(icl_selection *out, const icl_select_input *input,
                             const icl_options *options)
{
    const size_t queries = input->query_count;
    ids s = { .input = input,
              .k = out->k,
              .iterations = (size_t)icl_options_int(options, "iterations"),
              .tokens_max = (size_t)icl_options_int(options, "tokens"),
              .active_count = queries };
    s.retrieved = malloc(queries * s.iterations * s.k * sizeof *s.retrieved);
    s.shown = malloc(queries * s.iterations * s.k * sizeof *s.shown);
    s.used = calloc(queries, sizeof *s.used);
    s.active = malloc(queries * sizeof *s.active);
    icl_status status = ICL_OK;
    if (s.retrieved == NULL || s.shown == NULL || s.used == NULL || s.active == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu queries", queries);
    for (size_t q = 0; status == ICL_OK && q < queries; q++) s.active[q] = q;
    for (size_t t = 0; status == ICL_OK && t < s.iterations && s.active_count > 0; t++)
        status = iterate(&s, t);
    if (status == ICL_OK) status = vote(out, &s);
    free(s.active);
    free(s.used);
    free(s.shown);
    free(s.retrieved);
    return status;
}

static const icl_option options[] = {
    ICL_SELECT_OPTION_K,
    { .name = "iterations",
      .type = ICL_OPTION_INT,
      .fallback = "3",
      .minimum = 1,
      .maximum = 100,
      .help = "retrievals of demonstrations and votes (Qin et al.: 3); fewer when they stay the "
              "same" },
    { .name = "tokens",
      .type = ICL_OPTION_INT,
      .fallback = "48",
      .minimum = 1,
      .maximum = 4096,
      .help = "tokens of reasoning at most" },
};

const icl_select_method icl_select_ids = {
    .card = { .name = "ids",
              .summary = "Nearest to the model's own reasoning, again and again: the "
                         "demonstrations of the last iteration that gave the answer of the "
                         "majority. They show labels, no reasoning.",
              .paper = "Qin et al. 2024, \"In-Context Learning with Iterative Demonstration "
                       "Selection\"",
              .cost = "iterations generations of at most `tokens` tokens and as many prompts of k, "
                      "for each query",
              .needs = ICL_NEEDS_EMBEDDINGS | ICL_NEEDS_LOGPROBS | ICL_NEEDS_GENERATION |
                       ICL_NEEDS_LABELS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = select_ids,
};
