#include <icl/pick.h>

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/quote.h"
#include "data/example.h"
#include "data/repeats.h"
#include "model/interrupt.h"
#include "pipeline/ask.h"
#include "pipeline/prompting.h"
#include "pipeline/text_vectors.h"
#include "select/annotate.h"

struct icl_pick {
    const icl_task *task;
    icl_options options; /* of the method */
    const icl_select_method *method;
    icl_dataset *pool;
    icl_verbalizer *verbalizer;
    size_t pool_count, label_count;
    const char **texts, **ids; /* [pool_count] */
    size_t *labels;            /* [pool_count] */
    size_t *items;             /* [pool_count] the first summary.count are picked */
    char *method_line;
    icl_pick_summary summary;
};

/* What only picking needs. */
typedef struct picking {
    char **inputs; /* [pool_count] rendered */
    icl_jinja *template;
    icl_template_forms forms;
    icl_text_vectors vectors;
    icl_ask_service *service; /* NULL unless the method asks */
} picking;

icl_pick_options icl_pick_options_default(void)
{
    return (icl_pick_options){ .method = "votek", .budget = 100 };
}

/* ---- the method ---- */

static icl_status check_picks(const icl_select_method *method)
{
    if (method->pick != NULL) return ICL_OK;
    icl_text known = { 0 };
    size_t count = 0;
    const icl_select_method *const *methods = icl_select_methods(&count);
    for (size_t i = 0; i < count; i++)
        if (methods[i]->pick != NULL)
            icl_text_printf(&known, "%s%s", known.length > 0 ? ", " : "", methods[i]->card.name);
    icl_error_set(ICL_EINVAL,
                  "select method \"%s\" chooses for a query and picks nothing to label; %s do",
                  method->card.name, icl_text_string(&known));
    icl_text_deinit(&known);
    return ICL_EINVAL;
}

static icl_status find_method(const icl_select_method **out, icl_options *out_options,
                              const char *text)
{
    icl_call call = { 0 };
    const icl_select_method *method = NULL;
    icl_status status = icl_call_parse(&call, text, strlen(text));
    if (status == ICL_OK) status = icl_select_find(&method, call.name);
    if (status == ICL_OK) status = check_picks(method);
    if (status == ICL_OK) status = icl_options_read(out_options, &method->card, &call);
    if (status == ICL_OK) *out = method;
    icl_call_deinit(&call);
    return status;
}

static bool asks(const icl_select_method *method)
{
    return (method->card.needs & (ICL_NEEDS_LOGPROBS | ICL_NEEDS_GENERATION)) != 0;
}

icl_status icl_pick_asks(bool *out, const char *method)
{
    icl_options options = { 0 };
    const icl_select_method *found = NULL;
    ICL_TRY(find_method(&found, &options, method));
    *out = asks(found);
    icl_options_deinit(&options);
    return ICL_OK;
}

/* The budget of the call is the one that counts, whatever the method's option says. */
static icl_status name_method(icl_pick *pick, size_t budget)
{
    icl_text line = { 0 };
    for (size_t i = 0; i < pick->method->card.option_count; i++)
        if (strcmp(pick->method->card.options[i].name, "budget") == 0)
            pick->options.values[i].integer = (int64_t)budget;
    icl_options_format(&line, &pick->options);
    ICL_TRY(icl_text_status(&line));
    pick->method_line = icl_text_take(&line, NULL);
    return ICL_OK;
}

/* ---- the pool and its labels ---- */

static icl_dataset_options data_options(const icl_task *task)
{
    icl_dataset_options options = icl_dataset_options_default();
    options.format = icl_task_format(task);
    options.label_field = icl_task_text(task, ICL_TASK_LABEL_FIELD);
    options.id_field = icl_task_text(task, ICL_TASK_ID_FIELD);
    options.require_label = false;
    if (icl_task_verbalizer(task) != NULL)
        options.labels = icl_verbalizer_labels(icl_task_verbalizer(task));
    return options;
}

static icl_status open_data(icl_dataset **out, const icl_task *task, const char *path,
                            icl_dataset_options options)
{
    const size_t count = icl_task_input_field_count(task);
    const char **fields = malloc(count * sizeof *fields);
    if (fields == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for field names");
    for (size_t i = 0; i < count; i++) fields[i] = icl_task_input_field(task, i);
    options.input_fields = fields;
    options.input_field_count = count;
    const icl_status status = icl_dataset_open(out, path, &options);
    free(fields);
    return status;
}

static icl_status open_pool(icl_pick *pick)
{
    const char *path = icl_task_text(pick->task, ICL_TASK_TRAIN_PATH);
    if (path[0] == '\0')
        return icl_error_set(ICL_EINVAL, "task \"%s\" names no train file",
                             icl_task_text(pick->task, ICL_TASK_NAME));
    ICL_TRY(open_data(&pick->pool, pick->task, path, data_options(pick->task)));
    const size_t count = pick->pool_count = icl_dataset_count(pick->pool);
    pick->texts = malloc(count * sizeof *pick->texts);
    pick->ids = malloc(count * sizeof *pick->ids);
    pick->labels = malloc(count * sizeof *pick->labels);
    pick->items = malloc(count * sizeof *pick->items);
    if (pick->texts == NULL || pick->ids == NULL || pick->labels == NULL || pick->items == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu examples", count);
    for (size_t i = 0; i < count; i++) {
        const icl_example *example = icl_dataset_at(pick->pool, i);
        pick->texts[i] = icl_example_input(example);
        pick->ids[i] = icl_example_id(example);
        pick->labels[i] = icl_example_label(example);
    }
    return ICL_OK;
}

static icl_status adopt_labels(icl_pick *pick, const icl_dataset *labelled)
{
    for (size_t i = 0; i < icl_dataset_count(labelled); i++) {
        const icl_example *example = icl_dataset_at(labelled, i);
        const char *id = icl_example_id(example);
        const size_t item = icl_dataset_find(pick->pool, id);
        char shown[ICL_QUOTE_BYTES];
        if (item == SIZE_MAX)
            return icl_error_set(ICL_EINVAL, "%s:%zu: id %s is not in the pool %s",
                                 icl_dataset_name(labelled), icl_example_line(example),
                                 icl_quote(shown, id, strlen(id)), icl_dataset_name(pick->pool));
        if (icl_example_label(example) != ICL_LABEL_NONE)
            pick->labels[item] = icl_example_label(example);
    }
    return ICL_OK;
}

/* What the model answers hangs on the labels it may choose from, so these must not grow from round
 * to round. */
static icl_status check_label_space(const icl_pick *pick)
{
    if (!asks(pick->method) || icl_task_verbalizer(pick->task) != NULL) return ICL_OK;
    for (size_t i = 0; i < pick->pool_count; i++)
        if (pick->labels[i] == ICL_LABEL_NONE)
            return icl_error_set(ICL_EINVAL,
                                 "%s:%zu has no label, so task \"%s\" has to state all labels: "
                                 "select method \"%s\" asks the model for them",
                                 icl_dataset_name(pick->pool),
                                 icl_example_line(icl_dataset_at(pick->pool, i)),
                                 icl_task_text(pick->task, ICL_TASK_NAME), pick->method->card.name);
    return ICL_OK;
}

/* The label space is the task's, else that of the pool, else that of the labelled file. */
static icl_status settle_labels(icl_pick *pick, const char *labelled_path)
{
    const icl_verbalizer *stated = icl_task_verbalizer(pick->task);
    const icl_label_space *space = icl_dataset_labels(pick->pool);
    icl_dataset *labelled = NULL;
    icl_status status = ICL_OK;
    if (labelled_path != NULL) {
        icl_dataset_options options = data_options(pick->task);
        options.format = ICL_FORMAT_AUTO;
        options.labels = icl_label_space_count(space) > 0 ? space : NULL;
        status = open_data(&labelled, pick->task, labelled_path, options);
        if (status == ICL_OK) space = icl_dataset_labels(labelled);
        if (status == ICL_OK) status = adopt_labels(pick, labelled);
    }
    if (status == ICL_OK)
        status = stated != NULL ? icl_verbalizer_align(&pick->verbalizer, stated, space)
                                : icl_verbalizer_identity(&pick->verbalizer, space);
    if (status == ICL_OK) pick->label_count = icl_label_space_count(space);
    icl_dataset_close(labelled);
    return status;
}

/* ---- picking ---- */

static icl_status open_service(picking *work, icl_pick *pick, icl_engine *engine,
                               const icl_pick_options *options)
{
    assert(engine != NULL);
    work->inputs = calloc(pick->pool_count, sizeof *work->inputs);
    if (work->inputs == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu examples", pick->pool_count);
    ICL_TRY(icl_prompting_template(&work->template, pick->task));
    ICL_TRY(icl_prompting_render_all(work->inputs, work->template, pick->pool, pick->pool_count));
    ICL_TRY(icl_template_forms_init(&work->forms, work->template, pick->task, pick->pool));
    return icl_ask_service_new(
        &work->service,
        &(icl_ask_source){ .engine = engine,
                           .prompts = icl_prompting_options(pick->task, options->boundary,
                                                            options->overflow, options->chat),
                           .verbalizer = pick->verbalizer,
                           .pool = { .count = pick->pool_count,
                                     .inputs = (const char *const *)work->inputs,
                                     .ids = pick->ids },
                           .pool_labels = pick->labels,
                           .forms = &work->forms,
                           .task = icl_task_text(pick->task, ICL_TASK_NAME) });
}

static void picking_deinit(picking *work, size_t pool_count)
{
    icl_ask_service_free(work->service);
    icl_text_vectors_deinit(&work->vectors);
    icl_template_forms_deinit(&work->forms);
    icl_jinja_free(work->template);
    for (size_t i = 0; work->inputs != NULL && i < pool_count; i++) free(work->inputs[i]);
    free(work->inputs);
}

static const atomic_bool *cancel_flag(icl_engine *engine)
{
    return engine != NULL ? icl_model_interrupt_flag(icl_engine_model(engine)) : NULL;
}

/* Picks the budget or, when the method lacks labels of its first picks, those. */
static icl_status choose(icl_pick *pick, const picking *work, const icl_pick_options *options,
                         const atomic_bool *cancelled)
{
    icl_label_wants wants = { .items = malloc(pick->pool_count * sizeof *wants.items) };
    if (wants.items == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu examples", pick->pool_count);
    icl_select_input input = {
        .pool_count = pick->pool_count,
        .label_count = pick->label_count,
        .pool_texts = pick->texts,
        .pool_labels = pick->labels,
        .task = icl_task_text(pick->task, ICL_TASK_NAME),
        .seed = options->seed,
        .cancelled = cancelled,
        .asker = work->service != NULL ? icl_ask_service_asker(work->service) : NULL,
        .wants = &wants,
    };
    icl_text_vectors_serve(&input, &work->vectors);
    icl_status status = pick->method->pick(pick->items, options->budget, &input, &pick->options);
    pick->summary.count = options->budget;
    pick->summary.complete = status == ICL_OK;
    if (status != ICL_OK && wants.count > 0) {
        memcpy(pick->items, wants.items, wants.count * sizeof *wants.items);
        pick->summary.count = wants.count;
        status = ICL_OK;
    }
    free(wants.items);
    return status;
}

static icl_status pick_items(icl_pick *pick, icl_engine *engine, const icl_pick_options *options)
{
    picking work = { 0 };
    const atomic_bool *cancelled = cancel_flag(engine);
    icl_status status =
        icl_text_vectors_make(&work.vectors,
                              &(icl_text_vectors_source){ .encoder_path = options->encoder_path,
                                                          .cache_path = options->vectors_path,
                                                          .thread_count = options->thread_count,
                                                          .pool_texts = pick->texts,
                                                          .pool_count = pick->pool_count,
                                                          .cancelled = cancelled },
                              pick->method->card.needs);
    if (status == ICL_OK && asks(pick->method)) status = open_service(&work, pick, engine, options);
    if (status == ICL_OK) status = choose(pick, &work, options, cancelled);
    picking_deinit(&work, pick->pool_count);
    return status;
}

static icl_status check_budget(const icl_pick *pick, size_t budget)
{
    if (budget == 0) return icl_error_set(ICL_EINVAL, "a budget of 0 items picks nothing");
    if (budget <= pick->pool_count) return ICL_OK;
    return icl_error_set(ICL_EINVAL,
                         "a budget of %zu items is more than the pool %s, which has %zu", budget,
                         icl_dataset_name(pick->pool), pick->pool_count);
}

static icl_status summarise(icl_pick *pick, size_t budget)
{
    icl_pick_summary *summary = &pick->summary;
    icl_repeats repeats = { 0 };
    ICL_TRY(icl_repeats_count(&repeats, pick->texts, pick->labels, pick->pool_count));
    summary->pool_repeats = repeats.count;
    summary->pool_relabelled = repeats.relabelled;
    summary->task = icl_task_text(pick->task, ICL_TASK_NAME);
    summary->method = pick->method_line;
    summary->pool_count = pick->pool_count;
    summary->budget = budget;
    for (size_t i = 0; i < pick->pool_count; i++)
        summary->labelled_count += pick->labels[i] != ICL_LABEL_NONE;
    for (size_t i = 0; i < summary->count; i++)
        summary->unlabelled_count += pick->labels[pick->items[i]] == ICL_LABEL_NONE;
    return ICL_OK;
}

static icl_status build(icl_pick *pick, icl_engine *engine, const icl_pick_options *options)
{
    ICL_TRY(find_method(&pick->method, &pick->options, options->method));
    ICL_TRY(name_method(pick, options->budget));
    ICL_TRY(open_pool(pick));
    ICL_TRY(check_budget(pick, options->budget));
    ICL_TRY(check_label_space(pick));
    ICL_TRY(settle_labels(pick, options->labelled_path));
    ICL_TRY(pick_items(pick, engine, options));
    return summarise(pick, options->budget);
}

icl_status icl_pick_new(icl_pick **out, icl_engine *engine, const icl_pick_options *options)
{
    assert(options->task != NULL);
    icl_pick *pick = calloc(1, sizeof *pick);
    if (pick == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a pick");
    pick->task = options->task;
    const icl_status status = build(pick, engine, options);
    if (status != ICL_OK) {
        icl_pick_free(pick);
        return status;
    }
    *out = pick;
    return ICL_OK;
}

void icl_pick_free(icl_pick *pick)
{
    if (pick == NULL) return;
    free(pick->method_line);
    free(pick->items);
    free(pick->labels);
    free(pick->ids);
    free(pick->texts);
    icl_verbalizer_free(pick->verbalizer);
    icl_dataset_close(pick->pool);
    icl_options_deinit(&pick->options);
    free(pick);
}

const icl_pick_summary *icl_pick_get_summary(const icl_pick *pick)
{
    return &pick->summary;
}

/* ---- writing ---- */

static json_t *item_object(const icl_pick *pick, size_t rank)
{
    const size_t item = pick->items[rank], label = pick->labels[item];
    const char *name = label != ICL_LABEL_NONE
                           ? icl_label_space_name(icl_verbalizer_labels(pick->verbalizer), label)
                           : "";
    json_t *object = json_copy((json_t *)icl_example_row(icl_dataset_at(pick->pool, item)));
    json_object_set_new(object, icl_task_text(pick->task, ICL_TASK_ID_FIELD),
                        json_string(pick->ids[item]));
    json_object_set_new(object, icl_task_text(pick->task, ICL_TASK_LABEL_FIELD), json_string(name));
    json_object_set_new(object, "rank", json_integer((json_int_t)rank + 1));
    return object;
}

icl_status icl_pick_write(const icl_pick *pick, FILE *out)
{
    for (size_t rank = 0; rank < pick->summary.count; rank++) {
        json_t *object = item_object(pick, rank);
        const int failed = json_dumpf(object, out, JSON_COMPACT) != 0 || fputc('\n', out) == EOF;
        json_decref(object);
        if (failed) return icl_error_set(ICL_EIO, "cannot write the picks: %s", strerror(errno));
    }
    return ICL_OK;
}
