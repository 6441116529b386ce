/* From data to ordered demonstrations: sentence vectors, questions to the model, selection, order. */
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "model/interrupt.h"
#include "pipeline/run_state.h"

/* Sentence vectors of pool and queries, when the selector compares meanings. */
typedef struct run_vectors {
    float *pool, *queries;
    size_t size;
} run_vectors;

static const atomic_bool *cancel_flag(const icl_run *run)
{
    return icl_model_interrupt_flag(icl_engine_model(run->engine));
}

static icl_status embed_texts(icl_encoder *encoder, float *out, const char *const *texts,
                              size_t count, const atomic_bool *cancelled)
{
    enum { TEXTS_AT_ONCE = 64 }; /* a fraction of a second */
    const size_t size = icl_encoder_vector_size(encoder);
    for (size_t first = 0; first < count; first += TEXTS_AT_ONCE) {
        const size_t left = count - first, some = left < TEXTS_AT_ONCE ? left : TEXTS_AT_ONCE;
        ICL_TRY(icl_cancel_check(cancelled));
        ICL_TRY(icl_encoder_embed(encoder, out + first * size, texts + first, some));
    }
    return ICL_OK;
}

static icl_status embed(run_vectors *out, const icl_run *run)
{
    char *found = NULL;
    const char *path = run->options.encoder_path;
    if (path == NULL) {
        ICL_TRY(icl_encoder_default_path(&found));
        path = found;
    }
    icl_encoder *encoder = NULL;
    icl_status status = icl_encoder_open(&encoder, path, run->options.thread_count);
    free(found);
    if (status != ICL_OK) return status;
    out->size = icl_encoder_vector_size(encoder);
    out->pool = malloc(run->pool_count * out->size * sizeof(float));
    out->queries = malloc(run->query_count * out->size * sizeof(float));
    if (out->pool == NULL || out->queries == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for sentence vectors");
    if (status == ICL_OK)
        status =
            embed_texts(encoder, out->pool, run->pool_texts, run->pool_count, cancel_flag(run));
    if (status == ICL_OK)
        status = embed_texts(encoder, out->queries, run->query_texts, run->query_count,
                             cancel_flag(run));
    icl_encoder_close(encoder);
    return status;
}

/* Where a query also stands in the pool (the same file, or the same id), it never demonstrates
 * itself. */
static size_t *query_selves(const icl_run *run)
{
    size_t *selves = malloc((run->query_count + 1) * sizeof *selves);
    for (size_t q = 0; selves != NULL && q < run->query_count; q++) {
        selves[q] = icl_dataset_find(run->data.train, run->query_ids[q]);
        if (selves[q] != SIZE_MAX && strcmp(run->pool_texts[selves[q]], run->query_texts[q]) != 0)
            selves[q] = SIZE_MAX; /* another item that happens to carry the same id */
    }
    return selves;
}

static icl_status select_demonstrations(icl_run *run, const size_t *selves,
                                        const run_vectors *vectors, const icl_asker *asker)
{
    const icl_select_input input = { .pool_count = run->pool_count,
                                     .query_count = run->query_count,
                                     .label_count = run->label_count,
                                     .pool_texts = run->pool_texts,
                                     .query_texts = run->query_texts,
                                     .pool_labels = run->pool_labels,
                                     .query_self = selves,
                                     .query_ids = run->query_ids,
                                     .pool_vectors = vectors->pool,
                                     .query_vectors = vectors->queries,
                                     .vector_size = vectors->size,
                                     .task = icl_task_text(run->options.task, ICL_TASK_NAME),
                                     .seed = run->options.seed,
                                     .cancelled = cancel_flag(run),
                                     .asker = asker };
    return icl_select_run(&run->selection, run->strategy.select, &input,
                          &run->strategy.options[ICL_STAGE_SELECT]);
}

static icl_status order_demonstrations(icl_run *run)
{
    const icl_order_input input = { .query_count = run->query_count,
                                    .k = run->selection.k,
                                    .indices = run->selection.indices,
                                    .scores = run->selection.scores,
                                    .pool_count = run->pool_count,
                                    .label_count = run->label_count,
                                    .pool_texts = run->pool_texts,
                                    .query_texts = run->query_texts,
                                    .pool_labels = run->pool_labels,
                                    .query_ids = run->query_ids,
                                    .task = icl_task_text(run->options.task, ICL_TASK_NAME),
                                    .seed = run->options.seed,
                                    .cancelled = cancel_flag(run),
                                    .engine = run->engine };
    return icl_order_run(&run->ordering, run->strategy.order, &input,
                         &run->strategy.options[ICL_STAGE_ORDER]);
}

static icl_status select_and_order(icl_run *run)
{
    const unsigned needs = run->strategy.select->card.needs;
    run_vectors vectors = { 0 };
    icl_ask_service *service = NULL;
    size_t *selves = query_selves(run);
    icl_status status =
        selves == NULL ? icl_error_set(ICL_ENOMEM, "out of memory for queries") : ICL_OK;
    if (status == ICL_OK) status = icl_ask_service_new(&service, &run->source);
    if (status == ICL_OK && (needs & ICL_NEEDS_EMBEDDINGS) != 0) status = embed(&vectors, run);
    if (status == ICL_OK)
        status = select_demonstrations(run, selves, &vectors, icl_ask_service_asker(service));
    if (status == ICL_OK) status = order_demonstrations(run);
    icl_ask_service_free(service);
    free(vectors.pool);
    free(vectors.queries);
    free(selves);
    return status;
}

icl_status icl_run_choose_demonstrations(icl_run *run)
{
    ICL_TRY(select_and_order(run));
    const size_t k = run->selection.k;
    for (size_t q = 0; q < run->query_count; q++) {
        run_query *item = &run->queries[q];
        item->shown = malloc((k + 1) * sizeof *item->shown);
        if (item->shown == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for queries");
        item->shown_count = k;
        for (size_t p = 0; p < k; p++)
            item->shown[p] = run->selection.indices[q * k + run->ordering.permutations[q * k + p]];
    }
    return ICL_OK;
}
