/* index/neighbour_graph.h - the graph in which every vector points to its nearest others, by
 * cosine.
 *
 *   icl_neighbour_graph graph = { 0 };
 *   icl_status status = icl_neighbour_graph_init(&graph, &(icl_neighbour_graph_input){
 *       .vectors = vectors, .count = n, .columns = 384, .k = 150 });
 *   for (size_t e = graph.first[u]; e < graph.first[u + 1]; e++) ... graph.supporters[e] ...
 *   icl_neighbour_graph_deinit(&graph);
 */
#ifndef ICL_INDEX_NEIGHBOUR_GRAPH_H
#define ICL_INDEX_NEIGHBOUR_GRAPH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <icl/status.h>

/* Everything is borrowed. */
typedef struct icl_neighbour_graph_input {
    const float *vectors; /* [count][columns] */
    size_t count, columns;
    size_t k;                     /* neighbours of a vector; at most the other vectors are used */
    const atomic_bool *cancelled; /* may be NULL */
} icl_neighbour_graph_input;

typedef struct icl_neighbour_graph {
    size_t count, k;      /* k after clipping to count - 1 */
    uint32_t *neighbours; /* [count][k] nearest first, equal ones by lower index, never itself */
    size_t *first;        /* [count + 1] where the supporters of a vector begin */
    uint32_t *supporters; /* [count * k] those it is a neighbour of, ascending */
} icl_neighbour_graph;

/* ICL_EINVAL: a component is not finite, or more vectors than 32 bits count; ICL_ECANCELLED;
 * ICL_ENOMEM. On failure `out` is untouched. */
icl_status icl_neighbour_graph_init(icl_neighbour_graph *out,
                                    const icl_neighbour_graph_input *input);
void icl_neighbour_graph_deinit(icl_neighbour_graph *graph);

#endif
