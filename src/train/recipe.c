#include "train/recipe.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "train/recipe_parts.h"

enum { FILE_BYTES_MAX = 1 << 22 };

/* --- parts --- */

/* Room for one more of `count` items; the new one is zero. NULL: out of memory. */
static void *grow(void **items, size_t *count, size_t item_bytes)
{
    char *grown = realloc(*items, (*count + 1) * item_bytes);
    if (grown == NULL) return NULL;
    *items = grown;
    char *item = grown + *count * item_bytes;
    memset(item, 0, item_bytes);
    ++*count;
    return item;
}

static icl_status no_memory(void)
{
    return icl_error_set(ICL_ENOMEM, "out of memory for a recipe");
}

icl_status icl_recipe_add_pool(icl_recipe_pool **out, icl_recipe *recipe)
{
    *out = grow((void **)&recipe->pools, &recipe->pool_count, sizeof **out);
    return *out == NULL ? no_memory() : ICL_OK;
}

icl_status icl_recipe_add_phase(icl_recipe_phase **out, icl_recipe *recipe)
{
    icl_recipe_phase *phase = grow((void **)&recipe->phases, &recipe->phase_count, sizeof *phase);
    if (phase == NULL) return no_memory();
    phase->micro_batches = 1;
    phase->optimizer = icl_optimizer_options_default();
    *out = phase;
    return ICL_OK;
}

icl_status icl_recipe_add_source(icl_recipe_source **out, icl_recipe_phase *phase)
{
    icl_recipe_source *source =
        grow((void **)&phase->sources, &phase->source_count, sizeof *source);
    if (source == NULL) return no_memory();
    source->weight = 1;
    *out = source;
    return ICL_OK;
}

icl_status icl_recipe_add_set(icl_recipe_set **out, icl_recipe *recipe)
{
    *out = grow((void **)&recipe->sets, &recipe->set_count, sizeof **out);
    return *out == NULL ? no_memory() : ICL_OK;
}

static void names_deinit(icl_recipe_names *names)
{
    for (size_t i = 0; i < names->count; i++) free(names->items[i]);
    free(names->items);
}

static void pool_deinit(icl_recipe_pool *pool)
{
    char *texts[] = { pool->name,        pool->file,        pool->text_field, pool->label_field,
                      pool->where_field, pool->where_value, pool->terms };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) free(texts[i]);
}

static void phase_deinit(icl_recipe_phase *phase)
{
    for (size_t i = 0; i < phase->source_count; i++) free(phase->sources[i].call);
    free(phase->sources);
    free(phase->name);
}

void icl_recipe_close(icl_recipe *recipe)
{
    if (recipe == NULL) return;
    for (size_t i = 0; i < recipe->set_count; i++) {
        free(recipe->sets[i].name);
        free(recipe->sets[i].call);
    }
    for (size_t i = 0; i < recipe->phase_count; i++) phase_deinit(&recipe->phases[i]);
    for (size_t i = 0; i < recipe->pool_count; i++) pool_deinit(&recipe->pools[i]);
    for (size_t i = 0; i < recipe->rate_count; i++) free(recipe->rates[i].part);
    icl_recipe_names *names[] = { &recipe->tokenizer_pools, &recipe->lora_targets, &recipe->frozen,
                                  &recipe->label_words, &recipe->held_words };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) names_deinit(names[i]);
    char *texts[] = { recipe->path,    recipe->name,  recipe->tokenizer_file, recipe->from,
                      recipe->encoder, recipe->start, recipe->license,        recipe->description };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) free(texts[i]);
    free(recipe->rates);
    free(recipe->sets);
    free(recipe->phases);
    free(recipe->pools);
    free(recipe);
}

/* --- checks --- */

icl_status icl_recipe_complete_phase(const icl_recipe *recipe, icl_recipe_phase *phase)
{
    enum { CANDIDATES = 256, POSITIONS_PER_ANSWER = 8 };
    icl_batch_limits *limits = &phase->limits;
    if (phase->name == NULL || phase->steps == 0 || limits->context == 0 || limits->rows == 0 ||
        phase->source_count == 0)
        return icl_error_set(ICL_EPARSE, "a phase needs name, steps, context, rows and a mixture");
    if (phase->answer_weight + phase->text_weight + phase->meaning_weight <= 0)
        return icl_error_set(ICL_EPARSE, "phase \"%.60s\" says nothing of its loss", phase->name);
    for (size_t i = 0; i + 1 < recipe->phase_count; i++)
        if (strcmp(recipe->phases[i].name, phase->name) == 0)
            return icl_error_set(ICL_EPARSE, "phase \"%.60s\" stands twice", phase->name);
    const size_t positions = limits->rows * limits->context;
    const size_t some = positions / POSITIONS_PER_ANSWER + 1;
    if (limits->answers_max == 0) limits->answers_max = some;
    if (limits->meanings_max == 0) limits->meanings_max = some;
    if (limits->texts_max == 0) limits->texts_max = positions;
    if (limits->candidates_max == 0) limits->candidates_max = CANDIDATES;
    phase->optimizer.step_count = phase->steps;
    return icl_optimizer_options_check(&phase->optimizer);
}

static bool has_pool(const icl_recipe *recipe, const char *name)
{
    for (size_t i = 0; i < recipe->pool_count; i++)
        if (strcmp(recipe->pools[i].name, name) == 0) return true;
    return false;
}

static icl_status missing_pool(const icl_recipe *recipe, const char *who, const char *name)
{
    return icl_error_set(ICL_EPARSE, "%s: %.120s names pool \"%.60s\", which is not under `data`",
                         recipe->path, who, name);
}

static icl_status check_call(const icl_recipe *recipe, const char *call)
{
    char *pool = NULL;
    bool vectors = false;
    ICL_TRY(icl_source_inspect(&pool, &vectors, call));
    icl_status status = ICL_OK;
    if (pool != NULL && !has_pool(recipe, pool)) status = missing_pool(recipe, call, pool);
    if (status == ICL_OK && vectors && recipe->encoder == NULL)
        status = icl_error_set(ICL_EPARSE,
                               "%s: %.120s needs sentence vectors, but the recipe names no encoder",
                               recipe->path, call);
    free(pool);
    return status;
}

static icl_status check_phase_shape(const icl_recipe *recipe, const icl_recipe_phase *phase,
                                    const icl_transformer_config *shape)
{
    if (phase->limits.context > shape->window)
        return icl_error_set(ICL_EINVAL,
                             "%s: phase \"%.60s\": a context of %zu is above the "
                             "model's window of %zu",
                             recipe->path, phase->name, phase->limits.context, shape->window);
    if (phase->meaning_layer > shape->layers)
        return icl_error_set(ICL_EINVAL,
                             "%s: phase \"%.60s\": meaning_layer %zu of a model of %zu layers",
                             recipe->path, phase->name, phase->meaning_layer, shape->layers);
    if (phase->meaning_weight > 0 && shape->readout_width == 0)
        return icl_error_set(ICL_EINVAL,
                             "%s: phase \"%.60s\" has a loss of meaning, but the model has no "
                             "`readout`, the width of the encoder's vectors",
                             recipe->path, phase->name);
    return ICL_OK;
}

icl_status icl_recipe_check_shape(const icl_recipe *recipe, const icl_transformer_config *shape)
{
    for (size_t i = 0; i < recipe->phase_count; i++)
        ICL_TRY(check_phase_shape(recipe, &recipe->phases[i], shape));
    return ICL_OK;
}

static icl_status check_phase(const icl_recipe *recipe, const icl_recipe_phase *phase)
{
    for (size_t i = 0; i < phase->source_count; i++)
        ICL_TRY(check_call(recipe, phase->sources[i].call));
    if (recipe->from != NULL) return ICL_OK;
    /* What the recipe itself states is an error of its text. */
    return check_phase_shape(recipe, phase, &recipe->model) == ICL_OK ? ICL_OK : ICL_EPARSE;
}

static icl_status check_tokenizer(icl_recipe *recipe)
{
    if (recipe->from != NULL && (recipe->tokenizer_file != NULL || recipe->tokenizer_vocab > 0))
        return icl_error_set(ICL_EPARSE, "%s: a model `from` a file brings its own tokenizer",
                             recipe->path);
    if (recipe->from == NULL && recipe->tokenizer_file == NULL && recipe->tokenizer_vocab == 0)
        return icl_error_set(ICL_EPARSE, "%s: the recipe has no `tokenizer`", recipe->path);
    if (recipe->tokenizer_encoder_words && recipe->encoder == NULL)
        return icl_error_set(
            ICL_EPARSE, "%s: `encoder_words` needs the recipe to name an `encoder`", recipe->path);
    for (size_t i = 0; i < recipe->tokenizer_pools.count; i++)
        if (!has_pool(recipe, recipe->tokenizer_pools.items[i]))
            return missing_pool(recipe, "tokenizer", recipe->tokenizer_pools.items[i]);
    return ICL_OK;
}

static icl_status check_model(icl_recipe *recipe)
{
    if (recipe->from != NULL && recipe->model_stated)
        return icl_error_set(ICL_EPARSE,
                             "%s: a recipe has a `model` or goes on `from` a file, not "
                             "both",
                             recipe->path);
    if (recipe->from == NULL && !recipe->model_stated)
        return icl_error_set(ICL_EPARSE, "%s: the recipe has no `model`", recipe->path);
    if (recipe->from == NULL && recipe->lora.rank > 0)
        return icl_error_set(ICL_EPARSE,
                             "%s: `lora` adapts a model `from` a file, but none is "
                             "named",
                             recipe->path);
    return check_tokenizer(recipe);
}

static icl_status check(icl_recipe *recipe)
{
    ICL_TRY(check_model(recipe));
    if (recipe->phase_count == 0)
        return icl_error_set(ICL_EPARSE, "%s: the recipe has no `phases`", recipe->path);
    size_t longest = 0;
    for (size_t i = 0; i < recipe->phase_count; i++) {
        const icl_recipe_phase *phase = &recipe->phases[i];
        ICL_TRY(check_phase(recipe, phase));
        if (phase->limits.context > longest) longest = phase->limits.context;
    }
    for (size_t i = 0; i < recipe->set_count; i++)
        ICL_TRY(check_call(recipe, recipe->sets[i].call));
    if (recipe->evaluate_context == 0) recipe->evaluate_context = longest;
    if (recipe->from == NULL && recipe->evaluate_context > recipe->model.window)
        return icl_error_set(
            ICL_EPARSE, "%s: evaluation in a context of %zu is above the model's window of %zu",
            recipe->path, recipe->evaluate_context, recipe->model.window);
    recipe->lora.targets = (const char *const *)recipe->lora_targets.items;
    recipe->model.frozen = (const char *const *)recipe->frozen.items;
    return ICL_OK;
}

/* --- fingerprint --- */

static void say_text(icl_text *out, const char *text)
{
    if (text != NULL) icl_text_append_string(out, text);
    icl_text_append_char(out, '\0');
}

static void say_names(icl_text *out, const icl_recipe_names *names)
{
    icl_text_printf(out, "%zu:", names->count);
    for (size_t i = 0; i < names->count; i++) say_text(out, names->items[i]);
}

static void say_model(icl_text *out, const icl_recipe *recipe)
{
    const icl_transformer_config *m = &recipe->model;
    icl_text_printf(out, "%zu %zu %zu %zu %zu %d %zu %zu %d %d %d %d %d %.9g %.9g %zu\n", m->layers,
                    m->width, m->heads, m->kv_heads, m->head_width, (int)m->feed, m->feed_width,
                    m->window, (int)m->norm, (int)m->positions, m->linear_attention, m->tied,
                    m->biases, (double)m->rope_base, (double)m->norm_epsilon, m->readout_width);
    icl_text_printf(out, "%zu %.9g %" PRIu64 "\n", recipe->lora.rank, (double)recipe->lora.alpha,
                    recipe->seed);
    icl_text_printf(out, "%zu %d\n", recipe->tokenizer_vocab, recipe->tokenizer_encoder_words);
    const char *const texts[] = { recipe->tokenizer_file, recipe->from, recipe->encoder,
                                  recipe->start };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) say_text(out, texts[i]);
    const icl_recipe_names *const lists[] = { &recipe->tokenizer_pools, &recipe->lora_targets,
                                              &recipe->frozen, &recipe->label_words,
                                              &recipe->held_words };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) say_names(out, lists[i]);
    for (size_t i = 0; i < recipe->rate_count; i++) {
        say_text(out, recipe->rates[i].part);
        icl_text_printf(out, "%.17g\n", recipe->rates[i].factor);
    }
}

static void say_pool(icl_text *out, const icl_recipe_pool *pool)
{
    const char *const texts[] = { pool->name,        pool->file,        pool->text_field,
                                  pool->label_field, pool->where_field, pool->where_value };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) say_text(out, texts[i]);
    icl_text_printf(out, "%d %zu %zu %zu %zu\n", (int)pool->cut, pool->words_min, pool->words_max,
                    pool->items_max, pool->vectors_max);
}

static void say_phase(icl_text *out, const icl_recipe_phase *phase)
{
    const icl_batch_limits *l = &phase->limits;
    const icl_optimizer_options *o = &phase->optimizer;
    say_text(out, phase->name);
    icl_text_printf(out, "%" PRIu64 " %zu %zu %zu %zu %zu %zu %zu\n", phase->steps, l->rows,
                    l->context, l->answers_max, l->texts_max, l->meanings_max, l->candidates_max,
                    phase->micro_batches);
    icl_text_printf(out, "%d %.17g %.17g %" PRIu64 " %.17g %.17g %.17g %.17g %.17g\n",
                    (int)o->shape, o->rate, o->rate_end, o->warmup_steps, o->beta1, o->beta2,
                    o->epsilon, o->weight_decay, o->clip_norm);
    icl_text_printf(out, "%d %.17g %.17g %.17g %zu\n", (int)phase->answers_over,
                    phase->answer_weight, phase->text_weight, phase->meaning_weight,
                    phase->meaning_layer);
    for (size_t i = 0; i < phase->source_count; i++) {
        say_text(out, phase->sources[i].call);
        icl_text_printf(out, "%.17g\n", phase->sources[i].weight);
    }
}

static icl_status set_fingerprint(icl_recipe *recipe)
{
    icl_text said = { 0 };
    say_model(&said, recipe);
    for (size_t i = 0; i < recipe->pool_count; i++) say_pool(&said, &recipe->pools[i]);
    for (size_t i = 0; i < recipe->phase_count; i++) say_phase(&said, &recipe->phases[i]);
    const icl_status status = icl_text_status(&said);
    if (status == ICL_OK)
        icl_hash_hex(recipe->fingerprint, icl_hash(icl_text_string(&said), said.length));
    icl_text_deinit(&said);
    return status;
}

/* --- opening --- */

/* The file's stem; a recipe may state another name. */
static char *stem(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash == NULL ? path : slash + 1;
    const char *dot = strrchr(base, '.');
    return icl_string_copy(base, dot == NULL || dot == base ? strlen(base) : (size_t)(dot - base));
}

static icl_status new_recipe(icl_recipe **out, const char *path)
{
    icl_recipe *recipe = calloc(1, sizeof *recipe);
    if (recipe == NULL) return no_memory();
    recipe->path = icl_string_copy(path, strlen(path));
    recipe->name = stem(path);
    recipe->start = icl_string_copy("random", strlen("random"));
    recipe->model = icl_transformer_config_default();
    recipe->evaluate_episodes = 200;
    recipe->log_every = 10;
    recipe->output_type = ICL_WEIGHT_Q8_0;
    recipe->writes_model = true;
    if (recipe->path == NULL || recipe->name == NULL || recipe->start == NULL) {
        icl_recipe_close(recipe);
        return no_memory();
    }
    *out = recipe;
    return ICL_OK;
}

icl_status icl_recipe_parse(icl_recipe **out, const char *bytes, size_t length, const char *path)
{
    icl_recipe *recipe = NULL;
    ICL_TRY(new_recipe(&recipe, path));
    icl_status status = icl_recipe_read(recipe, bytes, length);
    if (status == ICL_OK) status = check(recipe);
    if (status == ICL_OK) status = set_fingerprint(recipe);
    if (status == ICL_OK)
        *out = recipe;
    else
        icl_recipe_close(recipe);
    return status;
}

icl_status icl_recipe_open(icl_recipe **out, const char *path)
{
    icl_text bytes = { 0 };
    icl_status status = icl_file_read(&bytes, path, FILE_BYTES_MAX);
    if (status == ICL_OK)
        status = icl_recipe_parse(out, icl_text_string(&bytes), bytes.length, path);
    icl_text_deinit(&bytes);
    return status;
}
