/* Rotary positions. */
#include "learn/graph_internal.h"

#include <assert.h>
#include <math.h>

#include "learn/kernel_rows.h"

/* Tokens that a thread takes at once. */
enum { CHUNK_TOKENS = 16 };

typedef struct rope_notes {
    float base;
    bool neox;
    struct ggml_tensor *table;
} rope_notes;

/* Kept in the notes of the positions, so that all layers share it. */
typedef struct table_notes {
    float base;
    int64_t width;
    struct ggml_tensor *table;
} table_notes;

/* --- fused --- */

/* Row of a token: cosines [width / 2], then sines. */
static void run_table(struct ggml_tensor *table, const icl_crew *crew, const void *notes)
{
    const table_notes *shape = notes;
    const int64_t half = shape->width / 2;
    const int32_t *positions = table->src[0]->data;
    for (int64_t t; (t = icl_crew_take(crew, table->ne[1])) < table->ne[1];) {
        float *cosines = (float *)table->data + t * shape->width, *sines = cosines + half;
        for (int64_t i = 0; i < half; i++) {
            const double exponent = -2.0 * (double)i / (double)shape->width;
            const double angle = positions[t] * pow((double)shape->base, exponent);
            cosines[i] = (float)cos(angle);
            sines[i] = (float)sin(angle);
        }
    }
}

/* NULL: these positions have a table of another kind. */
static struct ggml_tensor *table_of(icl_graph *graph, icl_value *positions, int64_t width,
                                    float base)
{
    table_notes *notes = icl_value_notes(table_notes, positions);
    const bool same = notes->width == width && !(notes->base < base) && !(notes->base > base);
    if (notes->table != NULL) return same ? notes->table : NULL;
    *notes = (table_notes){ base, width, NULL };
    notes->table =
        icl_kernel_node(graph, (int64_t[]){ width, ggml_nelements(positions->tensor), 1, 1 },
                        &positions->tensor, 1, run_table, notes);
    return notes->table;
}

static void turn(struct ggml_tensor *y, const icl_crew *crew, bool neox, bool back)
{
    const struct ggml_tensor *x = y->src[0], *table = y->src[1];
    const int64_t width = x->ne[0], heads = x->ne[1], tokens = x->ne[2];
    const int64_t chunks = (tokens + CHUNK_TOKENS - 1) / CHUNK_TOKENS;
    for (int64_t c; (c = icl_crew_take(crew, chunks)) < chunks;) {
        for (int64_t t = c * CHUNK_TOKENS; t < tokens && t < (c + 1) * CHUNK_TOKENS; t++) {
            const float *angles = (const float *)table->data + t * width;
            icl_rows_rope((float *)y->data + t * heads * width,
                          (const float *)x->data + t * heads * width, angles, angles + width / 2,
                          heads, width, neox, back);
        }
    }
}

static void run_rope(struct ggml_tensor *y, const icl_crew *crew, const void *notes)
{
    turn(y, crew, ((const rope_notes *)notes)->neox, false);
}

static void run_rope_gradient(struct ggml_tensor *dx, const icl_crew *crew, const void *notes)
{
    turn(dx, crew, ((const rope_notes *)notes)->neox, true);
}

/* --- graph --- */

static void backward(icl_graph *graph, icl_value *y)
{
    struct ggml_context *context = icl_graph_context(graph);
    icl_value *x = y->parents[0], *positions = y->parents[1];
    const rope_notes *notes = icl_value_notes(rope_notes, y);
    const int width = (int)x->tensor->ne[0];
    struct ggml_tensor *gradient = NULL;
    if (notes->table != NULL)
        gradient = icl_kernel_node(graph, x->tensor->ne,
                                   (struct ggml_tensor *[]){ y->gradient, notes->table }, 2,
                                   run_rope_gradient, y->notes);
    else
        gradient = ggml_rope_ext_back(context, y->gradient, positions->tensor, NULL, width,
                                      notes->neox ? GGML_ROPE_TYPE_NEOX : GGML_ROPE_TYPE_NORMAL, 0,
                                      notes->base, 1.0f, 0.0f, 1.0f, 0.0f, 0.0f);
    icl_gradient_add(graph, x, gradient);
}

icl_value *icl_op_rope(icl_graph *graph, icl_value *x, icl_value *positions, float base, bool neox)
{
    const int64_t width = x->tensor->ne[0];
    assert(width % 2 == 0 && x->tensor->ne[2] == ggml_nelements(positions->tensor));
    struct ggml_tensor *tensor = NULL, *table = NULL;
    if (icl_graph_fused(graph)) table = table_of(graph, positions, width, base);
    if (table != NULL) {
        tensor = icl_kernel_node(graph, x->tensor->ne, (struct ggml_tensor *[]){ x->tensor, table },
                                 2, run_rope, icl_graph_next_notes(graph));
    } else {
        tensor = ggml_rope_ext(icl_graph_context(graph), x->tensor, positions->tensor, NULL,
                               (int)width, neox ? GGML_ROPE_TYPE_NEOX : GGML_ROPE_TYPE_NORMAL, 0,
                               base, 1.0f, 0.0f, 1.0f, 0.0f, 0.0f);
    }
    icl_value *y = icl_graph_push_of(graph, tensor, backward, x, positions);
    *icl_value_notes(rope_notes, y) = (rope_notes){ base, neox, table };
    return y;
}
