#include "index/neighbour_graph.h"

#include <stdlib.h>

#include "base/error.h"
#include "index/dense.h"

/* Queries of one search: bounds the memory of their scores. */
enum { SEARCHED_AT_ONCE = 1024 };

static icl_status search_some(icl_neighbour_graph *graph, const icl_neighbour_graph_input *input,
                              size_t begin, size_t count, icl_scored *found, size_t *selves)
{
    for (size_t i = 0; i < count; i++) selves[i] = begin + i;
    ICL_TRY(icl_dense_search(found, &(icl_dense_input){
                                        .pool = input->vectors,
                                        .queries = input->vectors + begin * input->columns,
                                        .pool_count = input->count,
                                        .query_count = count,
                                        .columns = input->columns,
                                        .exclude = selves,
                                        .k = graph->k,
                                        .metric = ICL_METRIC_COSINE,
                                        .cancelled = input->cancelled,
                                    }));
    for (size_t i = 0; i < count * graph->k; i++)
        graph->neighbours[begin * graph->k + i] = (uint32_t)found[i].index;
    return ICL_OK;
}

static icl_status find_neighbours(icl_neighbour_graph *graph,
                                  const icl_neighbour_graph_input *input)
{
    icl_scored *found = malloc((SEARCHED_AT_ONCE * graph->k + 1) * sizeof *found);
    size_t *selves = malloc(SEARCHED_AT_ONCE * sizeof *selves);
    icl_status status = ICL_OK;
    if (found == NULL || selves == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu neighbours of %d vectors",
                               graph->k, (int)SEARCHED_AT_ONCE);
    for (size_t begin = 0; status == ICL_OK && begin < input->count; begin += SEARCHED_AT_ONCE) {
        const size_t left = input->count - begin;
        status = search_some(graph, input, begin, left < SEARCHED_AT_ONCE ? left : SEARCHED_AT_ONCE,
                             found, selves);
    }
    free(selves);
    free(found);
    return status;
}

/* A counting sort of the edges by where they point. */
static void turn_edges(icl_neighbour_graph *graph)
{
    const size_t edges = graph->count * graph->k;
    for (size_t e = 0; e < edges; e++) graph->first[graph->neighbours[e] + 1]++;
    for (size_t i = 0; i < graph->count; i++) graph->first[i + 1] += graph->first[i];
    for (size_t e = edges; e-- > 0;)
        graph->supporters[--graph->first[graph->neighbours[e] + 1]] = (uint32_t)(e / graph->k);
    /* Every end has become its beginning: move them one place back. */
    for (size_t i = 0; i < graph->count; i++) graph->first[i] = graph->first[i + 1];
    graph->first[graph->count] = edges;
}

icl_status icl_neighbour_graph_init(icl_neighbour_graph *out,
                                    const icl_neighbour_graph_input *input)
{
    const size_t others = input->count > 0 ? input->count - 1 : 0;
    icl_neighbour_graph graph = { .count = input->count,
                                  .k = input->k < others ? input->k : others };
    if (input->count > UINT32_MAX)
        return icl_error_set(ICL_EINVAL, "a graph of %zu vectors is too large", input->count);
    icl_status status = ICL_OK;
    graph.neighbours = malloc((graph.count * graph.k + 1) * sizeof *graph.neighbours);
    graph.supporters = malloc((graph.count * graph.k + 1) * sizeof *graph.supporters);
    graph.first = calloc(graph.count + 1, sizeof *graph.first);
    if (graph.neighbours == NULL || graph.supporters == NULL || graph.first == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu neighbours of %zu vectors",
                               graph.k, graph.count);
    if (status == ICL_OK) status = find_neighbours(&graph, input);
    if (status != ICL_OK) {
        icl_neighbour_graph_deinit(&graph);
        return status;
    }
    turn_edges(&graph);
    *out = graph;
    return ICL_OK;
}

void icl_neighbour_graph_deinit(icl_neighbour_graph *graph)
{
    free(graph->first);
    free(graph->supporters);
    free(graph->neighbours);
    *graph = (icl_neighbour_graph){ 0 };
}
