#include "select/votes.h"

#include <stdlib.h>

#include "base/error.h"
#include "select/greedy.h"

icl_status icl_votes_graph(icl_graph *out, const icl_select_input *input,
                           const icl_options *options)
{
    return icl_graph_init(out,
                          &(icl_graph_input){ .vectors = input->pool_vectors,
                                              .count = input->pool_count,
                                              .columns = input->vector_size,
                                              .k = (size_t)icl_options_int(options, "neighbours"),
                                              .cancelled = input->cancelled });
}

icl_status icl_votes_init(icl_votes *out, const icl_graph *graph, double rho)
{
    icl_votes votes = { .graph = graph, .rho = rho };
    votes.weights = malloc((graph->count + 1) * sizeof *votes.weights);
    if (votes.weights == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu votes", graph->count);
    for (size_t i = 0; i < graph->count; i++) votes.weights[i] = 1;
    *out = votes;
    return ICL_OK;
}

void icl_votes_deinit(icl_votes *votes)
{
    free(votes->weights);
    *votes = (icl_votes){ 0 };
}

double icl_votes_score(const icl_votes *votes, size_t item)
{
    const icl_graph *graph = votes->graph;
    double score = 0;
    for (size_t e = graph->first[item]; e < graph->first[item + 1]; e++)
        score += votes->weights[graph->supporters[e]];
    return score;
}

void icl_votes_choose(icl_votes *votes, size_t item)
{
    const icl_graph *graph = votes->graph;
    for (size_t e = graph->first[item]; e < graph->first[item + 1]; e++)
        votes->weights[graph->supporters[e]] /= votes->rho;
    votes->weights[item] = 0;
}

static icl_status score_all(void *user, double *out, const size_t *candidates, size_t count)
{
    for (size_t i = 0; i < count; i++) out[i] = icl_votes_score(user, candidates[i]);
    return ICL_OK;
}

static void choose(void *user, size_t candidate)
{
    icl_votes_choose(user, candidate);
}

icl_status icl_votes_pick(size_t *out, size_t count, icl_votes *votes, const atomic_bool *cancelled)
{
    return icl_greedy_run(out, count,
                          &(icl_greedy){ .candidate_count = votes->graph->count,
                                         .user = votes,
                                         .gains = score_all,
                                         .add = choose,
                                         .cancelled = cancelled });
}
