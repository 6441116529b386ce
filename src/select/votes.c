#include "select/votes.h"

#include <stdlib.h>

#include "base/error.h"
#include "select/greedy.h"

icl_status icl_votes_graph(icl_neighbour_graph *out, const icl_select_input *input,
                           const icl_options *options)
{
    return icl_neighbour_graph_init(
        out, &(icl_neighbour_graph_input){ .vectors = input->pool_vectors,
                                           .count = input->pool_count,
                                           .columns = input->vector_size,
                                           .k = (size_t)icl_options_int(options, "neighbours"),
                                           .cancelled = input->cancelled });
}

icl_status icl_votes_init(icl_votes *out, const icl_neighbour_graph *graph, double rho)
{
    icl_votes votes = { .graph = graph };
    votes.is_chosen = calloc(graph->count + 1, sizeof *votes.is_chosen);
    votes.heard = calloc(graph->count + 1, sizeof *votes.heard);
    votes.weights = malloc((graph->k + 1) * sizeof *votes.weights);
    votes.tally = calloc(graph->k + 1, sizeof *votes.tally);
    if (votes.is_chosen == NULL || votes.heard == NULL || votes.weights == NULL ||
        votes.tally == NULL) {
        icl_votes_deinit(&votes);
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu votes", graph->count);
    }
    votes.weights[0] = 1;
    for (size_t t = 1; t <= graph->k; t++) votes.weights[t] = votes.weights[t - 1] / rho;
    *out = votes;
    return ICL_OK;
}

void icl_votes_deinit(icl_votes *votes)
{
    free(votes->tally);
    free(votes->weights);
    free(votes->heard);
    free(votes->is_chosen);
    *votes = (icl_votes){ 0 };
}

double icl_votes_score(icl_votes *votes, size_t item)
{
    const icl_neighbour_graph *graph = votes->graph;
    size_t most_heard = 0;
    for (size_t e = graph->first[item]; e < graph->first[item + 1]; e++) {
        const uint32_t voter = graph->supporters[e], heard = votes->heard[voter];
        if (votes->is_chosen[voter]) continue;
        votes->tally[heard]++;
        if (heard > most_heard) most_heard = heard;
    }
    double score = 0;
    for (size_t t = 0; t <= most_heard; t++) {
        score += votes->tally[t] * votes->weights[t];
        votes->tally[t] = 0;
    }
    return score;
}

void icl_votes_choose(icl_votes *votes, size_t item)
{
    const icl_neighbour_graph *graph = votes->graph;
    for (size_t e = graph->first[item]; e < graph->first[item + 1]; e++)
        votes->heard[graph->supporters[e]]++;
    icl_votes_silence(votes, item);
}

void icl_votes_silence(icl_votes *votes, size_t item)
{
    votes->is_chosen[item] = true;
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
