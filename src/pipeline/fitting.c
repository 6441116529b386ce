#include <icl/fit.h>

#include <assert.h>
#include <stdlib.h>

#include "base/error.h"
#include "model/interrupt.h"
#include "pipeline/run_state.h"
#include "pipeline/text_vectors.h"
#include "pipeline/trainable.h"
#include "select/fit.h"

struct icl_fitting {
    icl_task_data data;               /* of the training file; the test file is not opened */
    icl_task_data shown;              /* the same with queries, which nobody looks at */
    icl_run *run;                     /* prepared */
    icl_trainable_service *trainable; /* NULL unless the method follows gradients */
    icl_fit_file *file;
    char *method;
    icl_fitting_summary summary;
};

static const icl_options *options_of(const icl_fitting *fitting)
{
    return &fitting->run->strategy.options[ICL_STAGE_SELECT];
}

/* All that does not have to be made. */
static icl_select_input input_of(const icl_fitting *fitting)
{
    const icl_run *run = fitting->run;
    const icl_model *model = icl_engine_model(run->engine);
    const icl_trainable_service *trainable = fitting->trainable;
    return (icl_select_input){ .pool_count = run->pool_count,
                               .label_count = run->label_count,
                               .pool_texts = run->pool_texts,
                               .pool_labels = run->pool_labels,
                               .model_identity = icl_model_get_info(model)->identity,
                               .task = icl_task_text(run->options.task, ICL_TASK_NAME),
                               .seed = run->options.seed,
                               .cancelled = icl_model_interrupt_flag(model),
                               .trainable = trainable != NULL ? icl_trainable_service_get(trainable)
                                                              : NULL };
}

static icl_status open_trainable(icl_fitting *fitting)
{
    const icl_run *run = fitting->run;
    if ((run->strategy.select->card.needs & ICL_NEEDS_GRADIENTS) == 0) return ICL_OK;
    return icl_trainable_service_new(&fitting->trainable, &run->source);
}

static icl_status summarise(icl_fitting *fitting)
{
    const icl_run *run = fitting->run;
    const icl_select_method *method = run->strategy.select;
    const icl_select_input input = input_of(fitting);
    uint64_t tokens = 0;
    size_t prompts = 0;
    icl_text line = { 0 };
    ICL_TRY(icl_fit_prompts(&prompts, method, &input, options_of(fitting)));
    if (method->fit_tokens != NULL)
        ICL_TRY(method->fit_tokens(&tokens, &input, options_of(fitting)));
    icl_options_format(&line, options_of(fitting));
    ICL_TRY(icl_text_status(&line));
    fitting->method = icl_text_take(&line, NULL);
    fitting->summary = (icl_fitting_summary){
        .task = input.task,
        .model = icl_model_get_info(icl_engine_model(run->engine))->description,
        .method = fitting->method,
        .cost = method->card.cost,
        .pool_count = run->pool_count,
        .label_count = run->label_count,
        .prompts = prompts,
        .tokens = tokens,
    };
    return ICL_OK;
}

static icl_status prepare(icl_fitting *fitting, icl_engine *engine, const icl_run_options *given)
{
    icl_run_options options = *given;
    ICL_TRY(icl_task_load_train(&fitting->data, options.task));
    fitting->shown = fitting->data;
    fitting->shown.test = fitting->data.train;
    options.data = &fitting->shown;
    options.limit = 1;
    return icl_run_prepare(&fitting->run, engine, &options);
}

icl_status icl_fitting_new(icl_fitting **out, icl_engine *engine, const icl_run_options *options)
{
    icl_fitting *fitting = calloc(1, sizeof *fitting);
    if (fitting == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a fitting");
    icl_status status = prepare(fitting, engine, options);
    if (status == ICL_OK) status = icl_fit_check_learns(fitting->run->strategy.select);
    if (status == ICL_OK) status = open_trainable(fitting);
    if (status == ICL_OK) status = summarise(fitting);
    if (status != ICL_OK) {
        icl_fitting_free(fitting);
        return status;
    }
    *out = fitting;
    return ICL_OK;
}

void icl_fitting_free(icl_fitting *fitting)
{
    if (fitting == NULL) return;
    icl_fit_file_free(fitting->file);
    free(fitting->method);
    icl_trainable_service_free(fitting->trainable);
    icl_run_free(fitting->run);
    icl_task_data_deinit(&fitting->data);
    free(fitting);
}

const icl_fitting_summary *icl_fitting_get_summary(const icl_fitting *fitting)
{
    return &fitting->summary;
}

static icl_status fit(icl_fitting *fitting, icl_select_input *input,
                      const icl_text_vectors *vectors, const icl_fitting_progress *progress)
{
    const icl_fit_progress told = { .say = progress != NULL ? progress->say : NULL,
                                    .user = progress != NULL ? progress->user : NULL };
    icl_fit_file *file = NULL;
    icl_text_vectors_serve(input, vectors);
    ICL_TRY(icl_fit_run(&file, fitting->run->strategy.select, input, options_of(fitting),
                        progress != NULL ? &told : NULL));
    icl_fit_file_free(fitting->file);
    fitting->file = file;
    return ICL_OK;
}

icl_status icl_fitting_execute(icl_fitting *fitting, const icl_fitting_progress *progress)
{
    const icl_run *run = fitting->run;
    icl_select_input input = input_of(fitting);
    const icl_text_vectors_source texts = { .encoder_path = run->options.encoder_path,
                                            .cache_path = run->options.vectors_path,
                                            .thread_count = run->options.thread_count,
                                            .pool_texts = run->pool_texts,
                                            .pool_count = run->pool_count,
                                            .cancelled = input.cancelled };
    icl_text_vectors vectors = { 0 };
    icl_ask_service *service = NULL;
    if (progress != NULL) progress->say(progress->user, "sentence vectors", 0, 0);
    ICL_TRY(icl_text_vectors_make(&vectors, &texts, run->strategy.select->card.needs));
    icl_status status = icl_ask_service_new(&service, &run->source);
    if (status == ICL_OK) {
        input.asker = icl_ask_service_asker(service);
        status = fit(fitting, &input, &vectors, progress);
    }
    icl_ask_service_free(service);
    icl_text_vectors_deinit(&vectors);
    return status;
}

size_t icl_fitting_measure_count(const icl_fitting *fitting)
{
    size_t count = 0;
    if (fitting->file != NULL) icl_fit_file_measures(fitting->file, &count);
    return count;
}

icl_fitting_measure icl_fitting_measure_at(const icl_fitting *fitting, size_t index)
{
    size_t count = 0;
    const icl_fit_measure *measures = icl_fit_file_measures(fitting->file, &count);
    assert(index < count);
    return (icl_fitting_measure){ .name = measures[index].name, .value = measures[index].value };
}

icl_status icl_fitting_save(const icl_fitting *fitting, const char *path)
{
    assert(fitting->file != NULL);
    return icl_fit_file_save(fitting->file, path);
}
