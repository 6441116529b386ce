#include "select/annotate.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <icl/dataset.h>

#include "base/error.h"
#include "base/rng.h"
#include "index/dense.h"
#include "math/logspace.h"
#include "math/matrix.h"
#include "template/ask.h"
#include "select/unit_rows.h"

icl_status icl_annotation_init(icl_annotation *out, size_t *picked, const icl_select_input *input,
                               const icl_options *options)
{
    /* Later searches see some rows only, and would name an item by its place among them. */
    ICL_TRY(icl_unit_rows_check(input));
    icl_annotation a = { .input = input, .options = options, .picked = picked };
    a.is_picked = calloc(input->pool_count, sizeof *a.is_picked);
    a.rest = malloc(input->pool_count * sizeof *a.rest);
    a.nats = malloc(input->pool_count * sizeof *a.nats);
    if (a.is_picked == NULL || a.rest == NULL || a.nats == NULL) {
        icl_annotation_deinit(&a);
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu pool items", input->pool_count);
    }
    *out = a;
    return ICL_OK;
}

void icl_annotation_deinit(icl_annotation *annotation)
{
    free(annotation->nats);
    free(annotation->rest);
    free(annotation->is_picked);
    *annotation = (icl_annotation){ 0 };
}

void icl_annotation_pick(icl_annotation *annotation, size_t item)
{
    assert(!annotation->is_picked[item]);
    annotation->is_picked[item] = true;
    annotation->picked[annotation->picked_count++] = item;
}

void icl_annotation_pick_random(icl_annotation *annotation, size_t count)
{
    const icl_select_input *input = annotation->input;
    icl_rng rng = icl_rng_new(input->seed, input->task, "", annotation->options->card->name);
    while (annotation->picked_count < count) {
        size_t skip = icl_rng_below(&rng, input->pool_count - annotation->picked_count), item = 0;
        while (annotation->is_picked[item] || skip-- > 0) item++;
        icl_annotation_pick(annotation, item);
    }
}

/* ---- asking ---- */

static icl_status require_labels(const icl_annotation *a)
{
    const icl_select_input *input = a->input;
    size_t missing = 0;
    for (size_t i = 0; i < a->picked_count; i++)
        missing += input->pool_labels == NULL || input->pool_labels[a->picked[i]] == ICL_LABEL_NONE;
    if (missing == 0) return ICL_OK;
    if (input->wants != NULL) {
        memcpy(input->wants->items, a->picked, a->picked_count * sizeof *a->picked);
        input->wants->count = a->picked_count;
    }
    return icl_error_set(ICL_EINVAL,
                         "select method \"%s\" shows its first %zu picks to the model, and %zu of "
                         "them %s no label yet",
                         a->options->card->name, a->picked_count, missing,
                         missing == 1 ? "has" : "have");
}

/* The prompts of one call, with what they are made of. */
typedef struct interview {
    float *rest, *picked; /* [rest_count], [picked_count] rows */
    icl_scored *nearest;  /* [rest_count][k] */
    size_t *shown;        /* [rest_count][k] */
    icl_ask_prompt *prompts;
    double *label_nats; /* [rest_count][label_count] */
} interview;

static icl_status interview_init(interview *v, const icl_annotation *a, size_t k)
{
    const size_t count = a->rest_count, size = a->input->vector_size;
    v->rest = malloc(count * size * sizeof *v->rest);
    v->picked = malloc(a->picked_count * size * sizeof *v->picked);
    v->nearest = malloc((count * k + 1) * sizeof *v->nearest);
    v->shown = malloc((count * k + 1) * sizeof *v->shown);
    v->prompts = malloc(count * sizeof *v->prompts);
    v->label_nats = malloc(count * a->input->label_count * sizeof *v->label_nats);
    if (v->rest == NULL || v->picked == NULL || v->nearest == NULL || v->shown == NULL ||
        v->prompts == NULL || v->label_nats == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for questions about %zu items", count);
    return ICL_OK;
}

static void interview_deinit(interview *v)
{
    free(v->label_nats);
    free(v->prompts);
    free(v->shown);
    free(v->nearest);
    free(v->picked);
    free(v->rest);
}

static icl_status find_nearest(interview *v, const icl_annotation *a, size_t k)
{
    const icl_select_input *input = a->input;
    const size_t size = input->vector_size;
    icl_matrix_gather_rows(v->rest, input->pool_vectors, a->rest, a->rest_count, size);
    icl_matrix_gather_rows(v->picked, input->pool_vectors, a->picked, a->picked_count, size);
    return icl_dense_search(v->nearest, &(icl_dense_input){ .pool = v->picked,
                                                            .queries = v->rest,
                                                            .pool_count = a->picked_count,
                                                            .query_count = a->rest_count,
                                                            .columns = size,
                                                            .k = k,
                                                            .metric = ICL_METRIC_COSINE,
                                                            .cancelled = input->cancelled });
}

static void make_prompts(interview *v, const icl_annotation *a, size_t k)
{
    for (size_t i = 0; i < a->rest_count; i++) {
        size_t *shown = v->shown + i * k;
        for (size_t rank = 0; rank < k; rank++)
            shown[k - 1 - rank] = a->picked[v->nearest[i * k + rank].index];
        v->prompts[i] = (icl_ask_prompt){
            .shown = shown, .shown_count = k, .of = ICL_ASK_POOL, .item = a->rest[i]
        };
    }
}

static icl_status interview_all(interview *v, const icl_annotation *a)
{
    const size_t shots = (size_t)icl_options_int(a->options, "k");
    const size_t k = shots < a->picked_count ? shots : a->picked_count;
    const size_t label_count = a->input->label_count;
    ICL_TRY(interview_init(v, a, k));
    ICL_TRY(find_nearest(v, a, k));
    make_prompts(v, a, k);
    ICL_TRY(icl_ask_labels(v->label_nats, a->input->asker, a->options->card->name, v->prompts,
                           a->rest_count));
    for (size_t i = 0; i < a->rest_count; i++) {
        const double *nats = v->label_nats + i * label_count;
        a->nats[i] = -nats[icl_argmax(nats, label_count)];
    }
    return ICL_OK;
}

icl_status icl_annotation_ask(icl_annotation *annotation)
{
    ICL_TRY(require_labels(annotation));
    annotation->rest_count = 0;
    for (size_t i = 0; i < annotation->input->pool_count; i++)
        if (!annotation->is_picked[i]) annotation->rest[annotation->rest_count++] = i;
    if (annotation->rest_count == 0) return ICL_OK;
    interview v = { 0 };
    const icl_status status = interview_all(&v, annotation);
    interview_deinit(&v);
    return status;
}

void icl_annotation_rank(icl_scored *ranked, size_t count, const icl_annotation *annotation)
{
    for (size_t i = 0; i < annotation->rest_count; i++)
        ranked[i] = (icl_scored){ .score = annotation->nats[i], .index = annotation->rest[i] };
    icl_topk(ranked, annotation->rest_count, count);
}
