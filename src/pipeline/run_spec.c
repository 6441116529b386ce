/* The spec hash: two runs with the same one make the same predictions. */
#include <string.h>

#include <icl/run.h>

#include "base/error.h"
#include "base/hash.h"
#include "pipeline/run_state.h"

static void add_text(icl_hash_state *state, const char *text)
{
    const uint64_t length = strlen(text);
    icl_hash_add(state, &length, sizeof length);
    icl_hash_add(state, text, (size_t)length);
}

static void add_number(icl_hash_state *state, uint64_t number)
{
    icl_hash_add(state, &number, sizeof number);
}

static icl_status add_file(icl_hash_state *state, const char *path)
{
    icl_hash128 hash;
    ICL_TRY(icl_hash_file(&hash, path));
    icl_hash_add(state, &hash, sizeof hash);
    return ICL_OK;
}

static void add_labels(icl_hash_state *state, const icl_verbalizer *verbalizer)
{
    const icl_label_space *labels = icl_verbalizer_labels(verbalizer);
    for (size_t l = 0; l < icl_label_space_count(labels); l++) {
        add_text(state, icl_label_space_name(labels, l));
        add_number(state, icl_verbalizer_word_count(verbalizer, l));
        for (size_t w = 0; w < icl_verbalizer_word_count(verbalizer, l); w++)
            add_text(state, icl_verbalizer_word(verbalizer, l, w));
    }
}

/* What a method was fitted into decides what it chooses. */
static icl_status add_fitted(icl_hash_state *state, const icl_options *options)
{
    if ((options->card->needs & ICL_NEEDS_TRAINING) == 0) return ICL_OK;
    const char *path = icl_options_text(options, "file");
    return path[0] != '\0' ? add_file(state, path) : ICL_OK; /* k=0 needs none */
}

/* Examples that no file holds in this order, the first `count` items: what they are and how they
 * read. */
static void add_examples(icl_hash_state *state, const icl_ask_items *items, size_t count,
                         const icl_dataset *dataset, const char *const *texts)
{
    add_number(state, count);
    for (size_t i = 0; i < count; i++) {
        add_text(state, items->ids[i]);
        add_text(state, texts[i]);
        add_text(state, items->inputs[i]);
        add_number(state, icl_example_label(icl_dataset_at(dataset, i)));
    }
}

static icl_status add_data(icl_hash_state *state, const icl_run *run)
{
    const icl_task *task = run->options.task;
    if (run->options.data == NULL) {
        ICL_TRY(add_file(state, icl_task_text(task, ICL_TASK_TRAIN_PATH)));
        return add_file(state, icl_task_text(task, ICL_TASK_TEST_PATH));
    }
    add_examples(state, &run->source.pool, run->pool_count, run->data.train, run->pool_texts);
    add_examples(state, &run->source.queries, run->query_count, run->data.test, run->query_texts);
    return ICL_OK;
}

icl_status icl_run_hash_spec(icl_run *run)
{
    static const icl_task_key keys[] = { ICL_TASK_NAME,          ICL_TASK_LABEL_FIELD,
                                         ICL_TASK_ID_FIELD,      ICL_TASK_TEMPLATE,
                                         ICL_TASK_ANSWER_PREFIX, ICL_TASK_SEPARATOR,
                                         ICL_TASK_INSTRUCTION };
    const icl_task *task = run->options.task;
    const icl_model_info *model = icl_model_get_info(icl_engine_model(run->engine));
    icl_hash_state state;
    icl_hash_begin(&state);
    add_text(&state, icl_version());
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        add_text(&state, icl_task_text(task, keys[i]));
    for (size_t i = 0; i < icl_task_input_field_count(task); i++)
        add_text(&state, icl_task_input_field(task, i));
    ICL_TRY(add_data(&state, run));
    add_labels(&state, run->data.verbalizer);
    add_text(&state, run->strategy_line);
    for (size_t stage = 0; stage < ICL_STAGE_COUNT; stage++)
        ICL_TRY(add_fitted(&state, &run->strategy.options[stage]));
    add_text(&state, model->identity);
    add_text(&state, model->build);
    add_number(&state, run->options.seed);
    add_number(&state, run->options.limit);
    add_number(&state, (uint64_t)run->options.boundary);
    add_number(&state, (uint64_t)run->options.overflow);
    add_number(&state, run->options.chat);
    icl_hash_hex(run->summary.spec_hash, icl_hash_end(&state));
    return ICL_OK;
}
