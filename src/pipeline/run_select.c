/* From data to ordered demonstrations: vectors, questions to the model, selection, order. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "data/repeats.h"
#include "model/interrupt.h"
#include "pipeline/run_state.h"
#include "pipeline/text_vectors.h"
#include "pipeline/trainable.h"

static const atomic_bool *cancel_flag(const icl_run *run)
{
    return icl_model_interrupt_flag(icl_engine_model(run->engine));
}

static icl_status embed(icl_text_vectors *out, const icl_run *run)
{
    const icl_text_vectors_source source = { .encoder_path = run->options.encoder_path,
                                             .cache_path = run->options.vectors_path,
                                             .thread_count = run->options.thread_count,
                                             .pool_texts = run->pool_texts,
                                             .query_texts = run->query_texts,
                                             .pool_count = run->pool_count,
                                             .query_count = run->asked_count,
                                             .cancelled = cancel_flag(run) };
    return icl_text_vectors_make(out, &source, run->strategy.select->card.needs);
}

/* Where a query also stands in the pool (the same file, or the same id), it never demonstrates
 * itself. */
static size_t *query_selves(const icl_run *run)
{
    size_t *selves = malloc((run->asked_count + 1) * sizeof *selves);
    for (size_t q = 0; selves != NULL && q < run->query_count; q++) {
        selves[q] = icl_dataset_find(run->data.train, run->query_ids[q]);
        if (selves[q] != SIZE_MAX && strcmp(run->pool_texts[selves[q]], run->query_texts[q]) != 0)
            selves[q] = SIZE_MAX; /* another item that happens to carry the same id */
    }
    for (size_t v = 0; selves != NULL && v < run->calibrating.item_count; v++)
        selves[run->query_count + v] = run->calibrating.items[v];
    return selves;
}

static icl_status count_repeats(icl_run *run)
{
    icl_repeats repeats = { 0 };
    ICL_TRY(icl_repeats_count(&repeats, run->pool_texts, run->pool_labels, run->pool_count));
    run->summary.pool_repeats = repeats.count;
    run->summary.pool_relabelled = repeats.relabelled;
    return ICL_OK;
}

static icl_status select_demonstrations(icl_run *run, const size_t *selves,
                                        const icl_text_vectors *vectors, const icl_asker *asker)
{
    icl_select_input input = { .pool_count = run->pool_count,
                               .query_count = run->asked_count,
                               .label_count = run->label_count,
                               .pool_texts = run->pool_texts,
                               .query_texts = run->query_texts,
                               .pool_labels = run->pool_labels,
                               .query_self = selves,
                               .query_ids = run->query_ids,
                               .task = icl_task_text(run->options.task, ICL_TASK_NAME),
                               .seed = run->options.seed,
                               .model_identity =
                                   icl_model_get_info(icl_engine_model(run->engine))->identity,
                               .cancelled = cancel_flag(run),
                               .asker = asker };
    icl_text_vectors_serve(&input, vectors);
    ICL_TRY(icl_select_run(&run->selection, run->strategy.select, &input,
                           &run->strategy.options[ICL_STAGE_SELECT]));
    run->summary.queries_undecided =
        icl_select_undecided(&run->selection, run->strategy.select, &input, run->query_count);
    return ICL_OK;
}

static icl_status order_demonstrations(icl_run *run, const size_t *selves, const icl_asker *asker)
{
    icl_trainable_service *trainable = NULL;
    icl_order_input input = { .query_count = run->asked_count,
                              .k = run->selection.k,
                              .indices = run->selection.indices,
                              .scores = run->selection.scores,
                              .pool_count = run->pool_count,
                              .label_count = run->label_count,
                              .pool_texts = run->pool_texts,
                              .query_texts = run->query_texts,
                              .pool_labels = run->pool_labels,
                              .pool_rows = run->data.train,
                              .query_ids = run->query_ids,
                              .task = icl_task_text(run->options.task, ICL_TASK_NAME),
                              .seed = run->options.seed,
                              .query_self = selves,
                              .cancelled = cancel_flag(run),
                              .asker = asker,
                              .model_identity =
                                  icl_model_get_info(icl_engine_model(run->engine))->identity };
    if ((run->strategy.order->card.needs & ICL_NEEDS_GRADIENTS) != 0) {
        ICL_TRY(icl_trainable_service_new(&trainable, &run->source));
        input.trainable = icl_trainable_service_get(trainable);
    }
    const icl_status status = icl_order_run(&run->ordering, run->strategy.order, &input,
                                            &run->strategy.options[ICL_STAGE_ORDER]);
    icl_trainable_service_free(trainable);
    return status;
}

static icl_status select_and_order(icl_run *run)
{
    icl_text_vectors vectors = { 0 };
    icl_ask_service *service = NULL;
    size_t *selves = query_selves(run);
    icl_status status =
        selves == NULL ? icl_error_set(ICL_ENOMEM, "out of memory for queries") : ICL_OK;
    if (status == ICL_OK) status = icl_ask_service_new(&service, &run->source);
    if (status == ICL_OK) status = embed(&vectors, run);
    if (status == ICL_OK)
        status = select_demonstrations(run, selves, &vectors, icl_ask_service_asker(service));
    if (status == ICL_OK)
        status = order_demonstrations(run, selves, icl_ask_service_asker(service));
    icl_ask_service_free(service);
    icl_text_vectors_deinit(&vectors);
    free(selves);
    return status;
}

icl_status icl_run_choose_demonstrations(icl_run *run)
{
    ICL_TRY(count_repeats(run));
    ICL_TRY(select_and_order(run));
    const size_t k = run->selection.k;
    for (size_t q = 0; q < run->asked_count; q++) {
        run_query *item = &run->queries[q];
        item->shown = malloc((k + 1) * sizeof *item->shown);
        if (item->shown == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for queries");
        item->shown_count = k;
        for (size_t p = 0; p < k; p++)
            item->shown[p] = run->selection.indices[q * k + run->ordering.permutations[q * k + p]];
    }
    return ICL_OK;
}
