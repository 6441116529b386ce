/* learn/graph_internal.h - for the files of operations and losses: the tape behind a graph.
 *
 * Every operation appends a value to the tape: its ggml tensor, its parents, and a function that
 * builds the gradient nodes of its parents. icl_graph_finish walks the tape backwards. A forward or
 * backward part is composed of ggml's operations, or one ggml node that runs a kernel of ours.
 */
#ifndef ICL_LEARN_GRAPH_INTERNAL_H
#define ICL_LEARN_GRAPH_INTERNAL_H

#include <stddef.h>

#include <ggml.h>

#include "learn/graph.h"

enum { ICL_PARENTS_MAX = 5, ICL_NOTES_BYTES = 96 };

typedef void icl_backward(icl_graph *graph, icl_value *value);

struct icl_value {
    struct ggml_tensor *tensor;
    struct ggml_tensor *gradient; /* while the backward part is built; NULL: nothing arrived */
    icl_value *parents[ICL_PARENTS_MAX];
    icl_backward *backward;
    bool needs_gradient;
    bool is_parameter; /* its gradient is an accumulator, updated in place */
    bool kept, reached;
    bool unread;      /* its own backward part does not read its numbers */
    size_t use_count; /* as a parent of values that are computed */
    double flops;     /* of the forward part */
    /* What the kernels and the backward function must know; lives as long as the graph. */
    _Alignas(max_align_t) unsigned char notes[ICL_NOTES_BYTES];
};

/* The ggml context in which operations make their tensors. */
struct ggml_context *icl_graph_context(icl_graph *graph);
bool icl_graph_fused(const icl_graph *graph);
void icl_graph_count_flops(icl_graph *graph, double flops);

/* A new value; it needs a gradient when a parent does. NULL parents are skipped. */
icl_value *icl_graph_push(icl_graph *graph, struct ggml_tensor *tensor, icl_value *const *parents,
                          size_t parent_count, icl_backward *backward);
#define icl_graph_push_of(graph, tensor, backward, ...)                                            \
    icl_graph_push((graph), (tensor), (icl_value *[]){ __VA_ARGS__ },                              \
                   sizeof((icl_value *[]){ __VA_ARGS__ }) / sizeof(icl_value *), (backward))

/* Notes of the value that is pushed next, for the kernel that makes it. */
void *icl_graph_next_notes(icl_graph *graph);
/* Notes of a value as a struct of the operation; checked to fit. */
#define icl_value_notes(type, value)                                                               \
    ((type *)(void *)((value)->notes + 0 * sizeof(char[sizeof(type) <= ICL_NOTES_BYTES ? 1 : -1])))

/* Adds a contribution to a value's gradient; nothing where none is needed. */
void icl_gradient_add(icl_graph *graph, icl_value *value, struct ggml_tensor *contribution);

/* --- nodes that run a kernel; CPU only --- */

enum { ICL_SOURCES_MAX = GGML_MAX_SRC - 2 };

/* One of the threads that run a node together. Its work is cut into units whose size does not
 * depend on the number of threads, so neither do the bits; whoever is free takes the next one:
 *
 *   for (int64_t unit; (unit = icl_crew_take(crew, unit_count)) < unit_count;) ...
 */
typedef struct icl_crew {
    icl_graph *graph;
    int thread, thread_count;
} icl_crew;

/* Every thread of a node must take until it gets `unit_count`. */
int64_t icl_crew_take(const icl_crew *crew, int64_t unit_count);
/* Floats that this thread may use as it likes: as many as the graph wants at most. */
float *icl_crew_workspace(const icl_crew *crew);
void icl_graph_want_workspace(icl_graph *graph, size_t floats);

typedef void icl_kernel(struct ggml_tensor *out, const icl_crew *crew, const void *notes);

/* A node of `ne` that runs `kernel` on all threads; `notes` live as long as the graph. */
struct ggml_tensor *icl_kernel_node(icl_graph *graph, const int64_t ne[4],
                                    struct ggml_tensor *const *sources, size_t source_count,
                                    icl_kernel *kernel, const void *notes);
/* A node whose result is the gradient of `value`: src[0] is what it was before (NULL: nothing; the
 * result's own memory for a parameter), the sources follow. */
void icl_gradient_kernel(icl_graph *graph, icl_value *value, struct ggml_tensor *const *sources,
                         size_t source_count, icl_kernel *kernel, const void *notes);
/* The same for a value that nobody reads after the kernel: the gradient may take its place. */
void icl_gradient_kernel_over(icl_graph *graph, icl_value *value,
                              struct ggml_tensor *const *sources, size_t source_count,
                              icl_kernel *kernel, const void *notes);
/* Part of a contiguous tensor, from number `offset` on, in the shape of `like`. */
struct ggml_tensor *icl_slice(icl_graph *graph, struct ggml_tensor *packed, int64_t offset,
                              const struct ggml_tensor *like);

/* --- constants, made once and shared --- */

typedef void icl_fill(float *out, int64_t n0, int64_t n1, float argument);
struct ggml_tensor *icl_graph_constant(icl_graph *graph, int64_t n0, int64_t n1, icl_fill *fill,
                                       float argument);
/* Rows of a gradient added up to one row like `row`. */
struct ggml_tensor *icl_sum_rows_to(icl_graph *graph, struct ggml_tensor *gradient,
                                    const struct ggml_tensor *row);
/* Weights over their sum, or over norm_value when that is > 0; all zero when all are. */
struct ggml_tensor *icl_normalised_weights(icl_graph *graph, const icl_value *weights,
                                           float norm_value);

#endif
