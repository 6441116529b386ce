/* BERTScore recall: how well a pool item's tokens match each token of the query. With set=true the
 * demonstrations are chosen together, each to match what the earlier ones leave unmatched. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "math/matrix.h"
#include "math/topk.h"
#include "select/select.h"

enum { WEIGHTS_UNIFORM, WEIGHTS_IDF };
enum { RANK_COVER, RANK_RECALL };

/* Token ids by the number of pool items that hold them. */
typedef struct frequencies {
    size_t *counts; /* [id_count] */
    size_t id_count, item_count;
} frequencies;

typedef struct matcher {
    const icl_select_input *input;
    bool weigh, set, by_recall;
    frequencies seen;  /* when weighing */
    size_t tokens_max; /* of a query */
    double *weights;   /* [tokens_max] of the current query's tokens, sum 1 */
    float *matches;    /* [pool_count][tokens of the query] best cosine of an item's tokens */
    float *cosines;    /* [tokens of the longest pool item] */
    double *covered;   /* [tokens_max] best match of the chosen */
    icl_scored *items; /* [pool_count] the query's candidates: recall and pool index */
    bool *taken;       /* [pool_count] by place in items */
} matcher;

static size_t longest(const icl_token_vectors *texts, size_t count)
{
    size_t tokens = 0;
    for (size_t i = 0; i < count; i++)
        if (texts->first[i + 1] - texts->first[i] > tokens)
            tokens = texts->first[i + 1] - texts->first[i];
    return tokens;
}

/* ---- weights ---- */

static icl_status count_ids(frequencies *out, const icl_token_vectors *pool, size_t count)
{
    const size_t total = pool->first[count] - pool->first[0];
    const int32_t *ids = &pool->ids[pool->first[0]];
    out->item_count = count;
    for (size_t i = 0; i < total; i++)
        if ((size_t)ids[i] >= out->id_count) out->id_count = (size_t)ids[i] + 1;
    out->counts = calloc(out->id_count + 1, sizeof *out->counts);
    size_t *last_item = calloc(out->id_count + 1, sizeof *last_item); /* one above its index */
    icl_status status = ICL_OK;
    if (out->counts == NULL || last_item == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu token ids", out->id_count);
    for (size_t i = 0; status == ICL_OK && i < count; i++)
        for (size_t t = pool->first[i]; t < pool->first[i + 1]; t++) {
            const size_t id = (size_t)pool->ids[t];
            out->counts[id] += last_item[id] != i + 1;
            last_item[id] = i + 1;
        }
    free(last_item);
    return status;
}

static double rarity(const frequencies *seen, size_t id)
{
    const size_t count = id < seen->id_count ? seen->counts[id] : 0;
    return log((double)(seen->item_count + 1) / (double)(count + 1));
}

/* Weights of the query's tokens; equal ones where every token stands in every item. */
static void weigh_tokens(const matcher *m, size_t first, size_t tokens)
{
    double sum = 0;
    for (size_t t = 0; t < tokens; t++) {
        const size_t id = (size_t)m->input->query_tokens.ids[first + t];
        m->weights[t] = m->weigh ? rarity(&m->seen, id) : 1;
        sum += m->weights[t];
    }
    for (size_t t = 0; t < tokens; t++)
        m->weights[t] = sum > 0 ? m->weights[t] / sum : 1 / (double)tokens;
}

/* ---- matches ---- */

/* Best cosine of each query token with a token of the pool item; -1, the least, where it has none.
 */
static void match_item(float *out, const matcher *m, size_t first, size_t tokens, size_t item)
{
    const icl_token_vectors *pool = &m->input->pool_tokens;
    const size_t size = m->input->vector_size, from = pool->first[item];
    const size_t count = pool->first[item + 1] - from;
    for (size_t t = 0; t < tokens; t++) {
        out[t] = -1;
        icl_vector_dots(m->cosines, &pool->vectors[from * size], count, size,
                        &m->input->query_tokens.vectors[(first + t) * size]);
        for (size_t u = 0; u < count; u++) out[t] = fmaxf(out[t], m->cosines[u]);
    }
}

/* Matches and recall of all items but the query itself; how many these are. */
static size_t match_pool(const matcher *m, size_t query, size_t first, size_t tokens)
{
    const size_t self = icl_select_self(m->input, query);
    size_t count = 0;
    for (size_t i = 0; i < m->input->pool_count; i++) {
        if (i == self) continue;
        float *matches = &m->matches[i * tokens];
        match_item(matches, m, first, tokens, i);
        double recall = 0;
        for (size_t t = 0; t < tokens; t++) recall += m->weights[t] * (double)matches[t];
        m->items[count++] = (icl_scored){ .score = recall, .index = i };
    }
    return count;
}

/* ---- choosing ---- */

/* Recall of the chosen items together with one more. */
static double recall_with(const matcher *m, size_t item, size_t tokens)
{
    const float *matches = &m->matches[item * tokens];
    double recall = 0;
    for (size_t t = 0; t < tokens; t++)
        recall += m->weights[t] * fmax(m->covered[t], (double)matches[t]);
    return recall;
}

static void uncover(const matcher *m, size_t tokens)
{
    for (size_t t = 0; t < tokens; t++) m->covered[t] = -(double)INFINITY;
}

static size_t best_addition(const matcher *m, size_t count, size_t tokens, double *out_recall)
{
    size_t best = count;
    for (size_t i = 0; i < count; i++) {
        if (m->taken[i]) continue;
        const double recall = recall_with(m, m->items[i].index, tokens);
        if (best != count && recall <= *out_recall) continue;
        *out_recall = recall;
        best = i;
    }
    return best;
}

/* Greedy: when no item adds anything the cover is complete, and the next layer begins from none. */
static void choose_set(icl_scored *line, const matcher *m, size_t k, size_t count, size_t tokens)
{
    double covered = -(double)INFINITY;
    memset(m->taken, 0, count * sizeof *m->taken);
    uncover(m, tokens);
    for (size_t chosen = 0; chosen < k;) {
        double recall = 0;
        const size_t best = best_addition(m, count, tokens, &recall);
        if (recall <= covered) {
            uncover(m, tokens);
            covered = -(double)INFINITY;
            continue;
        }
        covered = recall;
        m->taken[best] = true;
        line[chosen++] = m->items[best];
        const float *matches = &m->matches[m->items[best].index * tokens];
        for (size_t t = 0; t < tokens; t++) m->covered[t] = fmax(m->covered[t], (double)matches[t]);
    }
}

static icl_status choose_for(icl_selection *out, const matcher *m, icl_scored *line, size_t query)
{
    const size_t first = m->input->query_tokens.first[query];
    const size_t tokens = m->input->query_tokens.first[query + 1] - first, k = out->k;
    weigh_tokens(m, first, tokens);
    const size_t count = match_pool(m, query, first, tokens);
    if (m->set) {
        choose_set(line, m, k, count, tokens);
        if (m->by_recall) icl_topk(line, k, k);
    } else {
        icl_topk(m->items, count, k);
        memcpy(line, m->items, k * sizeof *line);
    }
    for (size_t i = 0; i < k; i++) {
        out->indices[query * k + i] = line[i].index;
        out->scores[query * k + i] = m->set && !m->by_recall ? 0 : line[i].score;
    }
    return icl_cancel_check(m->input->cancelled);
}

/* A cosine that is no number would be passed over without a word. */
static icl_status check_vectors(const icl_token_vectors *texts, size_t count, size_t size,
                                const char *what)
{
    for (size_t i = 0; i < count; i++) {
        const size_t first = texts->first[i], tokens = texts->first[i + 1] - first;
        const size_t token = icl_matrix_finite_rows(&texts->vectors[first * size], tokens, size);
        if (token < tokens)
            return icl_error_set(ICL_EINVAL, "the vector of token %zu of %s %zu is not finite",
                                 token, what, i);
    }
    return ICL_OK;
}

static icl_status matcher_init(matcher *m)
{
    const icl_select_input *input = m->input;
    const size_t size = input->vector_size;
    ICL_TRY(check_vectors(&input->pool_tokens, input->pool_count, size, "pool item"));
    ICL_TRY(check_vectors(&input->query_tokens, input->query_count, size, "query"));
    m->tokens_max = longest(&input->query_tokens, input->query_count);
    const size_t pool_tokens = longest(&input->pool_tokens, input->pool_count);
    m->weights = malloc((m->tokens_max + 1) * sizeof *m->weights);
    m->matches = malloc((input->pool_count * m->tokens_max + 1) * sizeof *m->matches);
    m->cosines = malloc((pool_tokens + 1) * sizeof *m->cosines);
    m->covered = malloc((m->tokens_max + 1) * sizeof *m->covered);
    m->items = malloc(input->pool_count * sizeof *m->items);
    m->taken = malloc(input->pool_count * sizeof *m->taken);
    if (m->weights == NULL || m->matches == NULL || m->cosines == NULL || m->covered == NULL ||
        m->items == NULL || m->taken == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for matches of %zu pool items",
                             input->pool_count);
    return m->weigh ? count_ids(&m->seen, &input->pool_tokens, input->pool_count) : ICL_OK;
}

static void matcher_deinit(matcher *m)
{
    free(m->taken);
    free(m->items);
    free(m->covered);
    free(m->cosines);
    free(m->matches);
    free(m->weights);
    free(m->seen.counts);
}

static icl_status select_bsr(icl_selection *out, const icl_select_input *input,
                             const icl_options *options)
{
    matcher m = { .input = input,
                  .weigh = icl_options_int(options, "weights") == WEIGHTS_IDF,
                  .set = icl_options_bool(options, "set"),
                  .by_recall = icl_options_int(options, "rank") == RANK_RECALL };
    icl_status status = matcher_init(&m);
    icl_scored *line = malloc(out->k * sizeof *line);
    if (status == ICL_OK && line == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for k=%zu demonstrations", out->k);
    for (size_t q = 0; status == ICL_OK && q < input->query_count; q++)
        status = choose_for(out, &m, line, q);
    free(line);
    matcher_deinit(&m);
    return status;
}

static const char *const weights[] = { [WEIGHTS_UNIFORM] = "uniform", [WEIGHTS_IDF] = "idf", NULL };
static const char *const ranks[] = { [RANK_COVER] = "cover", [RANK_RECALL] = "recall", NULL };

static const icl_option options[] = {
    ICL_SELECT_OPTION_K,
    { .name = "weights",
      .type = ICL_OPTION_CHOICE,
      .fallback = "uniform",
      .choices = weights,
      .help = "idf: a query token counts more the fewer pool items hold it" },
    { .name = "set",
      .type = ICL_OPTION_BOOL,
      .fallback = "false",
      .help = "true: Set-BSR, together they match the query; false: each alone" },
    { .name = "rank",
      .type = ICL_OPTION_CHOICE,
      .fallback = "cover",
      .choices = ranks,
      .help = "of a set, cover: in the order of choosing; recall: by what each matches alone" },
};

const icl_select_method icl_select_bsr = {
    .card = { .name = "bsr",
              .summary = "Demonstrations whose tokens match every token of the query, alone or as "
                         "a set. The authors use deberta-base-mnli; here it is the run's encoder.",
              .paper = "Gupta et al. 2023, \"Coverage-based Example Selection for In-Context "
                       "Learning\"",
              .cost = "none; one vector per token of pool and queries, all in memory, and a cosine "
                      "per pair of a query's and a pool item's tokens",
              .needs = ICL_NEEDS_TOKEN_VECTORS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = select_bsr,
};
