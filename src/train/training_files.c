/* What a run keeps in its folder. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "base/error.h"
#include "base/file.h"
#include "train/training_parts.h"

static const char checkpoint_name[] = "checkpoint.gguf";

double icl_training_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* --- the folder --- */

/* Some file systems know no locks; there nothing keeps a second run away. */
static icl_status lock_folder(icl_training *self)
{
    self->lock = open(self->out_folder, O_RDONLY | O_CLOEXEC);
    if (self->lock < 0 || flock(self->lock, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return ICL_OK;
    close(self->lock);
    self->lock = -1;
    return icl_error_set(ICL_EBUSY,
                         "\"%s\" is in use by another run; wait for it or choose "
                         "another folder",
                         self->out_folder);
}

static icl_status settle_earlier_run(const icl_training *self)
{
    if (self->options.resume || !icl_training_has_checkpoint(self)) return ICL_OK;
    return icl_error_set(ICL_EINVAL,
                         "\"%s\" holds an earlier run; resume it or choose another "
                         "folder",
                         self->out_folder);
}

icl_status icl_training_lock_folder(icl_training *self)
{
    ICL_TRY(icl_folder_create(self->out_folder));
    ICL_TRY(lock_folder(self));
    return settle_earlier_run(self);
}

/* --- checkpoints --- */

bool icl_training_has_checkpoint(const icl_training *self)
{
    char *path = NULL;
    if (icl_training_join(&path, self->out_folder, checkpoint_name) != ICL_OK) return false;
    const bool there = access(path, F_OK) == 0;
    free(path);
    return there;
}

icl_status icl_training_load_checkpoint(icl_training *self)
{
    char *path = NULL;
    icl_checkpoint state = { 0 };
    ICL_TRY(icl_training_join(&path, self->out_folder, checkpoint_name));
    icl_status status = icl_checkpoint_load(&state, icl_transformer_parameters(self->model), path);
    if (status == ICL_OK && strcmp(state.recipe, self->recipe->fingerprint) != 0)
        status = icl_error_set(ICL_EINVAL,
                               "\"%s\" is of another recipe than %s: something that "
                               "decides the weights has changed",
                               path, self->recipe->path);
    if (status == ICL_OK) self->state = state;
    free(path);
    return status;
}

icl_status icl_training_save_checkpoint(const icl_training *self, const icl_checkpoint *state)
{
    char *path = NULL;
    ICL_TRY(icl_training_join(&path, self->out_folder, checkpoint_name));
    const icl_status status =
        icl_checkpoint_save(path, icl_transformer_parameters(self->model), state);
    free(path);
    return status;
}

/* --- logs --- */

/* Appends the lines whose "step" is at most `last`; a torn last line ends it. */
static icl_status keep_lines(icl_text *out, const char *path, uint64_t last)
{
    icl_text line = { 0 };
    bool too_long = false;
    FILE *stream = fopen(path, "r");
    if (stream == NULL) return ICL_OK;
    while (icl_line_read(&line, stream, &too_long)) {
        json_t *object = json_loads(icl_text_string(&line), 0, NULL);
        const json_t *step = json_object_get(object, "step");
        if (json_is_integer(step) && (uint64_t)json_integer_value(step) <= last)
            icl_text_printf(out, "%s\n", icl_text_string(&line));
        json_decref(object);
        icl_text_clear(&line);
    }
    fclose(stream);
    icl_text_deinit(&line);
    return icl_text_status(out);
}

/* With the lines of an earlier run up to step `last`; it has none when nothing goes on. */
static icl_status open_log(FILE **out, const icl_training *self, const char *name, bool goes_on,
                           uint64_t last)
{
    icl_text kept = { 0 };
    char *path = NULL;
    ICL_TRY(icl_training_join(&path, self->out_folder, name));
    icl_status status = goes_on ? keep_lines(&kept, path, last) : ICL_OK;
    if (status == ICL_OK) status = icl_file_write_atomic(path, icl_text_string(&kept), kept.length);
    if (status == ICL_OK && (*out = fopen(path, "a")) == NULL)
        status = icl_error_set(ICL_EIO, "cannot write \"%s\": %s", path, strerror(errno));
    icl_text_deinit(&kept);
    free(path);
    return status;
}

icl_status icl_training_open_logs(icl_training *self)
{
    const uint64_t step = self->state.step;
    ICL_TRY(open_log(&self->curve, self, "curve.jsonl", step > 0, step));
    /* An evaluation comes before its step and may have been stopped: it is done again. */
    return open_log(&self->evaluation, self, "evaluation.jsonl", step > 0, step - 1);
}

icl_status icl_training_write_line(FILE *stream, json_t *object_taken, const char *folder,
                                   const char *name)
{
    char *text = object_taken != NULL ? json_dumps(object_taken, JSON_REAL_PRECISION(9)) : NULL;
    json_decref(object_taken);
    if (text == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a line of %s", name);
    const bool wrote = fprintf(stream, "%s\n", text) > 0 && fflush(stream) == 0;
    const int failure = errno;
    free(text);
    if (wrote) return ICL_OK;
    return icl_error_set(ICL_EIO, "cannot write \"%s/%s\": %s", folder, name, strerror(failure));
}

static void set_mean(json_t *object, const char *name, const icl_loss_sum *sum)
{
    if (sum->weight > 0) json_object_set_new(object, name, json_real(sum->nats / sum->weight));
}

icl_status icl_training_log_step(icl_training *self, const icl_recipe_phase *phase)
{
    const icl_interval_sums *sums = &self->sums;
    json_t *line = json_object(), *sources = json_object();
    json_object_set_new(line, "step", json_integer((json_int_t)self->state.step));
    json_object_set_new(line, "phase", json_string(phase->name));
    set_mean(line, "loss", &sums->total);
    set_mean(line, "answer", &sums->answer);
    set_mean(line, "text", &sums->text);
    set_mean(line, "meaning", &sums->meaning);
    for (size_t i = 0; i < phase->source_count; i++)
        set_mean(sources, phase->sources[i].call, &sums->sources[i]);
    json_object_set_new(line, "sources", sources);
    json_object_set_new(line, "gradient_norm", json_real(sums->gradient_norm));
    json_object_set_new(line, "rate", json_real(sums->rate));
    json_object_set_new(line, "tokens", json_integer((json_int_t)self->state.tokens_seen));
    json_object_set_new(line, "filled", json_real((double)sums->tokens / (double)sums->positions));
    json_object_set_new(line, "seconds", json_real(sums->seconds));
    json_object_set_new(line, "tokens_per_second",
                        json_real(sums->seconds > 0 ? (double)sums->tokens / sums->seconds : 0));
    return icl_training_write_line(self->curve, line, self->out_folder, "curve.jsonl");
}

/* --- the model --- */

static icl_status write_as(const icl_training *self, const char *path, icl_weight_type type)
{
    const icl_recipe *recipe = self->recipe;
    const icl_model_file_options options = { .type = type,
                                             .name = recipe->name,
                                             .license = recipe->license,
                                             .description = recipe->description };
    return icl_model_file_write(path, self->model, self->bpe, &options);
}

static icl_status write_part(const icl_training *self, const char *suffix,
                             icl_status (*write)(const icl_training *self, const char *path))
{
    icl_text name = { 0 };
    char *path = NULL;
    icl_text_printf(&name, "%s%s.gguf", self->recipe->name, suffix);
    icl_status status = icl_text_status(&name);
    if (status == ICL_OK)
        status = icl_training_join(&path, self->out_folder, icl_text_string(&name));
    if (status == ICL_OK) status = write(self, path);
    icl_text_deinit(&name);
    free(path);
    return status;
}

static icl_status write_f32(const icl_training *self, const char *path)
{
    return write_as(self, path, ICL_WEIGHT_F32);
}

static icl_status write_adapter(const icl_training *self, const char *path)
{
    return icl_model_file_write_adapter(path, self->model);
}

icl_status icl_training_write_model(icl_training *self)
{
    const icl_recipe *recipe = self->recipe;
    icl_text name = { 0 };
    char *path = NULL;
    if (!recipe->writes_model) return ICL_OK;
    icl_training_say(self, "writing", 0, 0);
    if (recipe->output_also_f32) ICL_TRY(write_part(self, "-f32", write_f32));
    if (recipe->lora.rank > 0) ICL_TRY(write_part(self, "-lora", write_adapter));
    icl_text_printf(&name, "%s.gguf", recipe->name);
    icl_status status = icl_text_status(&name);
    if (status == ICL_OK)
        status = icl_training_join(&path, self->out_folder, icl_text_string(&name));
    if (status == ICL_OK) status = write_as(self, path, recipe->output_type);
    icl_text_deinit(&name);
    if (status == ICL_OK)
        self->model_path = path;
    else
        free(path);
    return status;
}

/* --- report.json --- */

static json_t *phase_object(const icl_train_phase_plan *phase)
{
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:f, s:I}", "name", phase->name, "steps",
                     (json_int_t)phase->steps, "context", (json_int_t)phase->context, "rows",
                     (json_int_t)phase->rows, "tokens_per_step", (json_int_t)phase->tokens_per_step,
                     "flops_per_step", phase->flops_per_step, "activation_bytes",
                     (json_int_t)phase->activation_bytes);
}

static json_t *pool_object(const icl_recipe_pool *described, const icl_pool *pool)
{
    json_t *object =
        json_pack("{s:s, s:s, s:I, s:I}", "name", described->name, "file", described->file, "texts",
                  (json_int_t)pool->count, "bytes", (json_int_t)pool->bytes);
    if (described->terms != NULL)
        json_object_set_new(object, "terms", json_string(described->terms));
    return object;
}

static json_t *facts_object(const icl_training *self)
{
    const icl_train_plan *plan = &self->plan;
    json_t *phases = json_array(), *pools = json_array();
    for (size_t i = 0; i < plan->phase_count; i++)
        json_array_append_new(phases, phase_object(&self->phases[i]));
    for (size_t i = 0; i < self->recipe->pool_count; i++)
        json_array_append_new(pools, pool_object(&self->recipe->pools[i], self->pools[i]));
    json_t *object = json_pack(
        "{s:s, s:s, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:f, s:I, s:I, s:o, s:o}", "name",
        self->recipe->name, "recipe", self->recipe->fingerprint, "seed",
        (json_int_t)self->recipe->seed, "device", plan->device, "threads",
        (json_int_t)icl_device_thread_count(self->device), "parameters",
        (json_int_t)plan->parameters, "trained_parameters", (json_int_t)plan->trained_parameters,
        "steps", (json_int_t)self->state.step, "tokens", (json_int_t)self->state.tokens_seen,
        "flops", plan->flops, "weight_bytes", (json_int_t)plan->weight_bytes, "activation_bytes",
        (json_int_t)plan->activation_bytes, "phases", phases, "data", pools);
    if (self->model_path != NULL) {
        const char *name = strrchr(self->model_path, '/');
        json_object_set_new(object, "model",
                            json_string(name != NULL ? name + 1 : self->model_path));
    }
    return object;
}

icl_status icl_training_write_facts(icl_training *self)
{
    char *path = NULL;
    json_t *object = facts_object(self);
    char *text = json_dumps(object, JSON_REAL_PRECISION(9) | JSON_INDENT(2));
    json_decref(object);
    if (text == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a report");
    icl_status status = icl_training_join(&path, self->out_folder, "report.json");
    if (status == ICL_OK) status = icl_file_write_atomic(path, text, strlen(text));
    free(path);
    free(text);
    return status;
}
