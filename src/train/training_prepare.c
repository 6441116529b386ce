/* Everything that stands before the first step: texts, tokenizer, sentence vectors, weights. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <icl/run.h>

#include "base/cancel.h"
#include "base/error.h"
#include "train/start.h"
#include "train/training_parts.h"

/* --- files --- */

icl_status icl_training_join(char **out, const char *folder, const char *name)
{
    icl_text path = { 0 };
    if (name[0] != '/' && folder[0] != '\0') icl_text_printf(&path, "%s/", folder);
    icl_text_append_string(&path, name);
    char *taken = icl_text_take(&path, NULL);
    if (taken == NULL) return icl_error_set(ICL_ENOMEM, "out of memory");
    *out = taken;
    return ICL_OK;
}

/* "name" in the folder that the recipe lies in. */
static icl_status join_recipe_folder(char **out, const icl_training *self, const char *name)
{
    const char *path = self->recipe->path, *slash = strrchr(path, '/');
    char *folder = icl_string_copy(path, slash != NULL ? (size_t)(slash - path) : 0);
    if (folder == NULL) return icl_error_set(ICL_ENOMEM, "out of memory");
    const icl_status status = icl_training_join(out, folder, name);
    free(folder);
    return status;
}

icl_status icl_training_find_file(char **out, const icl_training *self, const char *name)
{
    char *below = NULL, *beside = NULL;
    icl_status status = join_recipe_folder(&beside, self, name);
    if (status == ICL_OK && self->data_folder != NULL)
        status = icl_training_join(&below, self->data_folder, name);
    if (status != ICL_OK) goto cleanup;
    char **found = below != NULL && access(below, R_OK) == 0 ? &below : &beside;
    if (access(*found, R_OK) != 0) {
        status =
            icl_error_set(ICL_EIO,
                          "%s: \"%s\" is not %s%s%sbeside the recipe; --data names the folder "
                          "that files are looked for in",
                          self->recipe->path, name, below != NULL ? "in \"" : "",
                          below != NULL ? self->data_folder : "", below != NULL ? "\" nor " : "");
        goto cleanup;
    }
    *out = *found;
    *found = NULL;

cleanup:
    free(beside);
    free(below);
    return status;
}

void icl_training_say(icl_training *self, const char *stage, size_t done, size_t total)
{
    self->progress.stage = stage;
    self->progress.done = done;
    self->progress.total = total;
    if (self->options.report != NULL) self->options.report(self->options.user, &self->progress);
}

/* --- texts --- */

static icl_status open_pool(icl_training *self, size_t index)
{
    const icl_recipe_pool *described = &self->recipe->pools[index];
    char *path = NULL;
    ICL_TRY(icl_training_find_file(&path, self, described->file));
    const icl_pool_options options = {
        .name = described->name,
        .path = path,
        .text_field = described->text_field != NULL ? described->text_field : "text",
        .label_field = described->label_field,
        .where_field = described->where_field,
        .where_value = described->where_value,
        .cut = described->cut,
        .words_min = described->words_min,
        .words_max = described->words_max,
        .items_max = described->items_max,
        .vectors_max = described->vectors_max,
        .terms = described->terms,
        .seed = self->recipe->seed,
    };
    const icl_status status = icl_pool_open(&self->pools[index], &options);
    free(path);
    return status;
}

static icl_status open_pools(icl_training *self)
{
    const size_t count = self->recipe->pool_count;
    self->pools = calloc(count + 1, sizeof *self->pools);
    if (self->pools == NULL) return icl_error_set(ICL_ENOMEM, "out of memory");
    for (size_t i = 0; i < count; i++) {
        icl_training_say(self, "reading", i, count);
        ICL_TRY(icl_cancel_check(&self->cancelled));
        ICL_TRY(open_pool(self, i));
    }
    return ICL_OK;
}

/* --- tokenizer --- */

static bool trains_tokenizer(const icl_recipe *recipe, const char *pool)
{
    const icl_recipe_names *names = &recipe->tokenizer_pools;
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->items[i], pool) == 0) return true;
    return names->count == 0;
}

static icl_status feed_pool(icl_bpe_trainer *trainer, icl_training *self, const icl_pool *pool)
{
    enum { TEXTS_BETWEEN = 4096 };
    for (size_t i = 0; i < pool->count; i++) {
        if (i % TEXTS_BETWEEN == 0) {
            icl_training_say(self, "tokenizer", i, pool->count);
            ICL_TRY(icl_cancel_check(&self->cancelled));
        }
        ICL_TRY(icl_bpe_trainer_feed(trainer, pool->texts[i], strlen(pool->texts[i]), 1));
    }
    return ICL_OK;
}

static icl_status find_encoder(char **out, const icl_training *self)
{
    if (self->encoder_path != NULL) return icl_training_join(out, "", self->encoder_path);
    if (icl_training_find_file(out, self, self->recipe->encoder) == ICL_OK) return ICL_OK;
    return icl_encoder_default_path(out);
}

static icl_status feed_encoder_words(icl_bpe_trainer *trainer, const icl_training *self)
{
    char *path = NULL;
    ICL_TRY(find_encoder(&path, self));
    const icl_status status = icl_bpe_trainer_feed_vocabulary(trainer, path);
    free(path);
    return status;
}

static icl_status train_tokenizer(icl_training *self)
{
    const icl_recipe *recipe = self->recipe;
    const icl_bpe_options options = { .vocab_count = recipe->tokenizer_vocab, .pair_count_min = 2 };
    icl_bpe_trainer *trainer = NULL;
    ICL_TRY(icl_bpe_trainer_new(&trainer));
    icl_status status = ICL_OK;
    for (size_t i = 0; status == ICL_OK && i < recipe->pool_count; i++)
        if (trains_tokenizer(recipe, recipe->pools[i].name))
            status = feed_pool(trainer, self, self->pools[i]);
    if (status == ICL_OK && recipe->tokenizer_encoder_words)
        status = feed_encoder_words(trainer, self);
    if (status == ICL_OK) status = icl_bpe_train(&self->bpe, trainer, &options);
    icl_bpe_trainer_free(trainer);
    return status;
}

static icl_status make_tokenizer(icl_training *self)
{
    icl_training_say(self, "tokenizer", 0, 0);
    const char *path = self->from_path != NULL ? self->from_path : self->tokenizer_path;
    if (path != NULL)
        ICL_TRY(icl_bpe_open_gguf(&self->bpe, path));
    else
        ICL_TRY(train_tokenizer(self));
    if (self->from_path == NULL) self->config.vocab_count = icl_bpe_vocab_count(self->bpe);
    return ICL_OK;
}

/* --- sentence vectors --- */

static icl_status open_encoder(icl_training *self)
{
    char *path = NULL;
    if (self->recipe->encoder == NULL) return ICL_OK;
    ICL_TRY(find_encoder(&path, self));
    icl_status status = icl_encoder_open(&self->encoder, path, self->options.thread_count);
    free(path);
    if (status != ICL_OK) return status;
    const size_t given = icl_encoder_vector_size(self->encoder);
    const size_t wanted = self->config.readout_width;
    if (wanted > 0 && given != wanted)
        return icl_error_set(ICL_EINVAL,
                             "%s: the model's read-out is %zu wide, the vectors of the "
                             "encoder are %zu",
                             self->recipe->path, wanted, given);
    return ICL_OK;
}

/* Marks the pool of a call that needs its vectors. */
static icl_status mark_pool(bool *needed, const icl_recipe *recipe, const char *call)
{
    char *pool = NULL;
    bool vectors = false;
    ICL_TRY(icl_source_inspect(&pool, &vectors, call));
    for (size_t i = 0; pool != NULL && vectors && i < recipe->pool_count; i++)
        if (strcmp(recipe->pools[i].name, pool) == 0) needed[i] = true;
    free(pool);
    return ICL_OK;
}

static icl_status mark_pools(bool *needed, const icl_recipe *recipe)
{
    for (size_t p = 0; p < recipe->phase_count; p++)
        for (size_t s = 0; s < recipe->phases[p].source_count; s++)
            ICL_TRY(mark_pool(needed, recipe, recipe->phases[p].sources[s].call));
    for (size_t i = 0; i < recipe->set_count; i++)
        ICL_TRY(mark_pool(needed, recipe, recipe->sets[i].call));
    return ICL_OK;
}

static bool vectors_progress(void *user, size_t done, size_t total)
{
    icl_training *self = user;
    icl_training_say(self, "vectors", done, total);
    return icl_cancel_check(&self->cancelled) != ICL_OK;
}

static icl_status embed_pools(icl_training *self)
{
    const icl_recipe *recipe = self->recipe;
    char *cache = NULL;
    bool *needed = calloc(recipe->pool_count + 1, sizeof *needed);
    icl_status status = needed == NULL ? icl_error_set(ICL_ENOMEM, "out of memory") : ICL_OK;
    if (status == ICL_OK) status = icl_training_join(&cache, self->out_folder, "cache");
    if (status == ICL_OK) status = mark_pools(needed, recipe);
    for (size_t i = 0; status == ICL_OK && i < recipe->pool_count; i++)
        if (needed[i])
            status = icl_pool_embed(self->pools[i], recipe->pools[i].vectors_max, self->encoder,
                                    cache, vectors_progress, self);
    free(cache);
    free(needed);
    return status;
}

/* --- weights --- */

static icl_status start_weights(icl_training *self)
{
    const icl_recipe *recipe = self->recipe;
    if (recipe->lora.rank > 0)
        ICL_TRY(icl_transformer_new_lora(&self->model, self->device, &self->config, &recipe->lora));
    else
        ICL_TRY(icl_transformer_new(&self->model, self->device, &self->config));
    if (self->from_path != NULL) {
        ICL_TRY(icl_transformer_start(self->model, recipe->seed));
        return icl_model_file_read(self->model, self->from_path);
    }
    const icl_start_input input = { .model = self->model,
                                    .bpe = self->bpe,
                                    .encoder = self->encoder,
                                    .pools = (const icl_pool *const *)self->pools,
                                    .pool_count = recipe->pool_count,
                                    .seed = recipe->seed,
                                    .cancelled = &self->cancelled };
    return icl_start_run(recipe->start, &input);
}

static void scale_rates(icl_training *self)
{
    const icl_recipe *recipe = self->recipe;
    icl_parameters *parameters = icl_transformer_parameters(self->model);
    for (size_t weight = 0; weight < icl_parameters_count(parameters); weight++) {
        double scale = 1.0;
        for (size_t i = 0; i < recipe->rate_count; i++)
            if (strstr(icl_parameters_at(parameters, weight)->name, recipe->rates[i].part) != NULL)
                scale *= recipe->rates[i].factor;
        icl_parameters_set_rate_scale(parameters, weight, (float)scale);
    }
}

static icl_status make_model(icl_training *self)
{
    icl_training_say(self, "starting", 0, 0);
    ICL_TRY(start_weights(self));
    scale_rates(self);
    icl_encoder_close(self->encoder);
    self->encoder = NULL;
    ICL_TRY(icl_optimizer_new(&self->optimizer, icl_transformer_parameters(self->model),
                              &self->recipe->phases[0].optimizer));
    strcpy(self->state.recipe, self->recipe->fingerprint);
    if (!self->options.resume || !icl_training_has_checkpoint(self)) return ICL_OK;
    return icl_training_load_checkpoint(self);
}

static void set_world(icl_training *self)
{
    const icl_recipe *recipe = self->recipe;
    self->world = (icl_source_world){
        .bpe = self->bpe,
        .pools = self->pools,
        .pool_count = recipe->pool_count,
        .label_words = (const char *const *)recipe->label_words.items,
        .label_word_count = recipe->label_words.count,
        .held_words = (const char *const *)recipe->held_words.items,
        .held_word_count = recipe->held_words.count,
        .context = recipe->evaluate_context,
        .seed = recipe->seed,
    };
}

/* A source that a late phase cannot open should not wait for it. */
static icl_status check_sources(const icl_training *self)
{
    for (size_t i = 0; i < self->recipe->phase_count; i++) {
        const icl_recipe_phase *phase = &self->recipe->phases[i];
        icl_feeder *feeder = NULL;
        const icl_status status = icl_feeder_new(&feeder, phase, &self->world, 0);
        icl_feeder_free(feeder);
        if (status != ICL_OK) return icl_error_prefix(status, "phase \"%s\"", phase->name);
    }
    return ICL_OK;
}

icl_status icl_training_prepare(icl_training *self)
{
    ICL_TRY(open_pools(self));
    ICL_TRY(make_tokenizer(self));
    ICL_TRY(open_encoder(self));
    ICL_TRY(embed_pools(self));
    set_world(self);
    ICL_TRY(check_sources(self));
    ICL_TRY(make_model(self));
    ICL_TRY(icl_training_open_logs(self));
    return icl_evaluator_new(&self->evaluator, self);
}

void icl_training_release(icl_training *self)
{
    icl_evaluator_free(self->evaluator);
    if (self->evaluation != NULL) fclose(self->evaluation);
    if (self->curve != NULL) fclose(self->curve);
    icl_optimizer_free(self->optimizer);
    icl_transformer_free(self->model);
    icl_encoder_close(self->encoder);
    icl_bpe_free(self->bpe);
    for (size_t i = 0; self->pools != NULL && i < self->recipe->pool_count; i++)
        icl_pool_close(self->pools[i]);
    free(self->pools);
    if (self->lock >= 0) close(self->lock);
    self->evaluator = NULL;
    self->evaluation = self->curve = NULL;
    self->optimizer = NULL;
    self->model = NULL;
    self->encoder = NULL;
    self->bpe = NULL;
    self->pools = NULL;
    self->lock = -1;
}
