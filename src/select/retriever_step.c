#include "select/retriever_step.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "learn/graph.h"
#include "math/matrix.h"

/* The graph has fixed sizes. A pool item that several queries drew is mapped once: lists overlap,
 * and those of CEIL hold most of a small pool. `slope` is d loss / d scores, which is known only
 * when the scores are: the graph runs once with zeros for the scores and again for the gradients.
 */
struct icl_retriever_step {
    const icl_retriever_weights *weights;
    const icl_select_input *input;
    size_t query_count, list_length, columns;
    size_t distinct_max; /* rows of the graph's contexts */
    double temperature;
    icl_graph *graph;
    struct {
        icl_value *queries, *contexts, *labels, *slope, *scores;
    } values;
    size_t *items, *contexts;               /* [query_count], [columns] */
    size_t *distinct;                       /* [distinct_max] pool items among the contexts; what
                                               is unused is item 0 */
    size_t *places;                         /* [columns] of the contexts among them */
    size_t *place_of;                       /* [pool_count] of a pool item among them; SIZE_MAX:
                                               not there */
    float *query_vectors, *context_vectors; /* [query_count], [distinct_max] rows */
    float *numbers;                         /* [query_count][distinct_max] */
    int32_t *labels;                        /* [distinct_max] */
    double *scores, *gradient;              /* [query_count][columns] */
};

/* ---- the graph ---- */

static icl_value *build_map(icl_retriever_step *step, size_t slot, icl_value *x)
{
    icl_value *map = icl_graph_parameter(step->graph, step->weights->slots[slot].index);
    icl_value *change = step->weights->retriever.shape.diagonal
                            ? icl_op_multiply(step->graph, x, map)
                            : icl_op_linear(step->graph, map, x);
    return icl_op_add(step->graph, x, change);
}

static void build_scores(icl_retriever_step *step)
{
    static const float epsilon = 1e-12F; /* a zero vector stays zero */
    icl_graph *graph = step->graph;
    const icl_retriever_weights *weights = step->weights;
    const int64_t size = (int64_t)weights->retriever.shape.vector_size;
    const int64_t rows = (int64_t)step->query_count, columns = (int64_t)step->distinct_max;
    step->values.queries = icl_graph_input(graph, "queries", size, rows, false);
    step->values.contexts = icl_graph_input(graph, "contexts", size, columns, false);
    icl_value *query = build_map(step, ICL_RETRIEVER_QUERY_MAP, step->values.queries);
    icl_value *context =
        build_map(step, icl_retriever_context_slot(weights), step->values.contexts);
    if (weights->retriever.shape.labels) {
        icl_value *offsets =
            icl_graph_parameter(graph, weights->slots[ICL_RETRIEVER_OFFSETS].index);
        step->values.labels = icl_graph_input_ids(graph, "labels", columns);
        context = icl_op_add(graph, context, icl_op_rows(graph, offsets, step->values.labels));
    }
    query = icl_op_unit_rows(graph, query, epsilon);
    context = icl_op_unit_rows(graph, context, epsilon);
    step->values.scores =
        icl_op_scale(graph, icl_op_linear(graph, context, query), (float)(1 / step->temperature));
    icl_graph_keep(graph, step->values.scores);
}

/* The loss that is differentiated is slope . scores. */
static icl_status build_graph(icl_retriever_step *step)
{
    ICL_TRY(icl_graph_new(&step->graph, step->weights->parameters));
    icl_graph *graph = step->graph;
    build_scores(step);
    const int64_t count = (int64_t)(step->query_count * step->distinct_max);
    step->values.slope = icl_graph_input(graph, "slope", count, 1, false);
    icl_value *scores = icl_op_reshape(graph, step->values.scores, count, 1, 1, 1);
    icl_graph_add_loss(graph, "slope", icl_op_linear(graph, step->values.slope, scores), 1);
    return icl_graph_finish(graph, true);
}

/* ---- memory ---- */

static icl_status allocate(icl_retriever_step *step)
{
    const size_t rows = step->query_count, columns = step->columns, distinct = step->distinct_max;
    const size_t size = step->input->vector_size;
    step->items = calloc(rows, sizeof *step->items);
    step->contexts = calloc(columns, sizeof *step->contexts);
    step->distinct = calloc(distinct, sizeof *step->distinct);
    step->places = calloc(columns, sizeof *step->places);
    step->place_of = calloc(step->input->pool_count, sizeof *step->place_of);
    step->query_vectors = calloc(rows * size, sizeof *step->query_vectors);
    step->context_vectors = calloc(distinct * size, sizeof *step->context_vectors);
    step->numbers = calloc(rows * distinct, sizeof *step->numbers);
    step->labels = calloc(distinct, sizeof *step->labels);
    step->scores = calloc(rows * columns, sizeof *step->scores);
    step->gradient = calloc(rows * columns, sizeof *step->gradient);
    if (step->items == NULL || step->contexts == NULL || step->distinct == NULL ||
        step->places == NULL || step->place_of == NULL || step->query_vectors == NULL ||
        step->context_vectors == NULL || step->numbers == NULL || step->labels == NULL ||
        step->scores == NULL || step->gradient == NULL)
        return icl_error_set(
            ICL_ENOMEM, "out of memory for scores of %zu queries with %zu contexts", rows, columns);
    return ICL_OK;
}

icl_status icl_retriever_step_new(icl_retriever_step **out, const icl_retriever_weights *weights,
                                  const icl_select_input *input,
                                  const icl_retriever_step_options *options)
{
    icl_retriever_step *step = calloc(1, sizeof *step);
    if (step == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a step of training");
    step->weights = weights;
    step->input = input;
    step->query_count = options->query_count;
    step->list_length = options->list_length;
    step->columns = options->query_count * options->list_length;
    step->distinct_max = step->columns < input->pool_count ? step->columns : input->pool_count;
    step->temperature = options->temperature;
    icl_status status = build_graph(step);
    if (status == ICL_OK) status = allocate(step);
    if (status == ICL_OK)
        *out = step;
    else
        icl_retriever_step_free(step);
    return status;
}

void icl_retriever_step_free(icl_retriever_step *step)
{
    if (step == NULL) return;
    free(step->gradient);
    free(step->scores);
    free(step->labels);
    free(step->numbers);
    free(step->context_vectors);
    free(step->query_vectors);
    free(step->place_of);
    free(step->places);
    free(step->distinct);
    free(step->contexts);
    free(step->items);
    icl_graph_free(step->graph);
    free(step);
}

/* ---- scores and gradients ---- */

size_t *icl_retriever_step_put(icl_retriever_step *step, size_t query, size_t item)
{
    step->items[query] = item;
    return step->contexts + query * step->list_length;
}

static void find_distinct(icl_retriever_step *step)
{
    size_t count = 0;
    for (size_t i = 0; i < step->input->pool_count; i++) step->place_of[i] = SIZE_MAX;
    memset(step->distinct, 0, step->distinct_max * sizeof *step->distinct);
    for (size_t j = 0; j < step->columns; j++) {
        size_t *place = &step->place_of[step->contexts[j]];
        if (*place == SIZE_MAX) {
            *place = count;
            step->distinct[count++] = step->contexts[j];
        }
        step->places[j] = *place;
    }
}

static void set_inputs(icl_retriever_step *step)
{
    const icl_select_input *input = step->input;
    find_distinct(step);
    icl_matrix_gather_rows(step->query_vectors, input->pool_vectors, step->items, step->query_count,
                           input->vector_size);
    icl_matrix_gather_rows(step->context_vectors, input->pool_vectors, step->distinct,
                           step->distinct_max, input->vector_size);
    icl_graph_set(step->graph, step->values.queries, step->query_vectors);
    icl_graph_set(step->graph, step->values.contexts, step->context_vectors);
    if (step->values.labels == NULL) return;
    for (size_t i = 0; i < step->distinct_max; i++)
        step->labels[i] = (int32_t)input->pool_labels[step->distinct[i]];
    icl_graph_set_ids(step->graph, step->values.labels, step->labels);
}

static void clear_numbers(icl_retriever_step *step)
{
    memset(step->numbers, 0, step->query_count * step->distinct_max * sizeof *step->numbers);
}

icl_status icl_retriever_step_score(icl_lesson_step *out, icl_retriever_step *step)
{
    const size_t columns = step->columns;
    set_inputs(step);
    clear_numbers(step);
    icl_graph_set(step->graph, step->values.slope, step->numbers);
    ICL_TRY(icl_graph_run(step->graph));
    icl_graph_get(step->graph, step->values.scores, step->numbers);
    for (size_t q = 0; q < step->query_count; q++)
        for (size_t j = 0; j < columns; j++)
            step->scores[q * columns + j] = step->numbers[q * step->distinct_max + step->places[j]];
    memset(step->gradient, 0, step->query_count * columns * sizeof *step->gradient);
    *out = (icl_lesson_step){ .query_count = step->query_count,
                              .list_length = step->list_length,
                              .items = step->items,
                              .contexts = step->contexts,
                              .columns = columns,
                              .scores = step->scores,
                              .gradient = step->gradient };
    return ICL_OK;
}

icl_status icl_retriever_step_differentiate(icl_retriever_step *step)
{
    const size_t columns = step->columns;
    clear_numbers(step);
    for (size_t q = 0; q < step->query_count; q++)
        for (size_t j = 0; j < columns; j++)
            step->numbers[q * step->distinct_max + step->places[j]] +=
                (float)step->gradient[q * columns + j];
    icl_graph_set(step->graph, step->values.slope, step->numbers);
    return icl_graph_run(step->graph);
}
