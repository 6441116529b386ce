#include "order/probing_set.h"

#include <assert.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/rng.h"
#include "base/string_map.h"
#include "base/text.h"
#include "order/label_distributions.h"

enum { PROBES_WRITTEN, PROBES_POOL };

const char *const icl_probing_kinds[] = {
    [PROBES_WRITTEN] = "written", [PROBES_POOL] = "pool", NULL
};

bool icl_probing_set_is_written(const icl_options *options)
{
    return icl_options_int(options, "probes") == PROBES_WRITTEN;
}

/* ---- from the pool ---- */

icl_status icl_probing_set_from_pool(icl_probing_set *out, const icl_pool_probes *pool,
                                     size_t group)
{
    icl_ask_prompt *inputs = malloc((pool->count + 1) * sizeof *inputs);
    if (inputs == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu probing inputs", pool->count);
    for (size_t i = 0; i < pool->count; i++)
        inputs[i] =
            (icl_ask_prompt){ .of = ICL_ASK_POOL, .item = pool->items[group * pool->count + i] };
    *out = (icl_probing_set){ .count = pool->count, .inputs = inputs };
    return ICL_OK;
}

/* ---- written by the model ---- */

/* The texts of a group, growing. */
typedef struct writing {
    const icl_asker *asker;
    char *opening, *ending; /* what generations begin after, what ends an input */
    size_t most, words_min;
    icl_string_map known; /* texts written so far */
    icl_probing_set probes;
} writing;

/* The opening without blanks at its end, since a word's own first token begins with the blank; the
 * ending is the closing text and the answer prefix, the same way. */
static icl_status writing_begin(writing *self, const icl_asker *asker)
{
    icl_text opening = { 0 }, ending = { 0 };
    self->asker = asker;
    icl_text_append_string(&opening, asker->frame[0]);
    icl_text_append_string(&ending, asker->frame[asker->frame_count - 1]);
    icl_text_append_string(&ending, asker->answer_prefix);
    self->opening = icl_text_take(&opening, NULL);
    self->ending = icl_text_take(&ending, NULL);
    self->probes.texts = malloc(self->most * sizeof *self->probes.texts);
    if (self->opening == NULL || self->ending == NULL || self->probes.texts == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu probing inputs", self->most);
    for (size_t end = strlen(self->opening); end > 0 && self->opening[end - 1] == ' ';)
        self->opening[--end] = '\0';
    for (size_t end = strlen(self->ending); end > 0 && self->ending[end - 1] == ' ';)
        self->ending[--end] = '\0';
    return ICL_OK;
}

static void writing_end(writing *self)
{
    icl_string_map_deinit(&self->known);
    icl_probing_set_deinit(&self->probes);
    free(self->ending);
    free(self->opening);
}

/* Appends the bytes before `end` without control characters, runs of blanks as one; counts words.
 */
static size_t append_field(icl_text *out, const char *from, const char *end)
{
    size_t words = 0;
    bool within = false;
    for (; from < end; from++) {
        const unsigned char byte = (unsigned char)*from;
        if (isspace(byte)) within = false;
        if (isspace(byte) || iscntrl(byte)) continue;
        if (!within && words > 0) icl_text_append_char(out, ' ');
        words += !within;
        within = true;
        icl_text_append_char(out, *from);
    }
    return words;
}

/* Makes an input, as the template would render it, of what the model wrote; `out` stays empty where
 * the text does not have the template's form. */
static void read_input(icl_text *out, const writing *self, const char *sample)
{
    const char *const *frame = self->asker->frame;
    const size_t fields = self->asker->frame_count - 1;
    icl_text_clear(out);
    icl_text_append_string(out, frame[0]);
    for (size_t field = 1; field <= fields; field++) {
        const char *mark = field < fields ? frame[field] : self->ending;
        const char *end = *mark == '\0' ? sample + strlen(sample) : strstr(sample, mark);
        if (end == NULL || append_field(out, sample, end) < self->words_min) {
            icl_text_clear(out);
            return;
        }
        icl_text_append_string(out, frame[field]);
        sample = end + strlen(mark);
    }
}

static icl_status take_sample(writing *self, icl_text *text, const char *sample)
{
    icl_probing_set *probes = &self->probes;
    size_t index = probes->text_count;
    read_input(text, self, sample);
    ICL_TRY(icl_text_status(text));
    if (text->length == 0 || index == self->most ||
        icl_string_map_find(&self->known, icl_text_string(text)) != SIZE_MAX)
        return ICL_OK;
    char *kept = probes->texts[index] = icl_string_copy(text->bytes, text->length);
    if (kept == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a probing input");
    probes->text_count++;
    return icl_string_map_add(&self->known, kept, &index);
}

/* One draw after every order. */
static icl_status draw(writing *self, const icl_candidate_orders *tried, size_t group,
                       const icl_ask_generation *how)
{
    const size_t count = tried->count;
    icl_ask_prompt *prompts = malloc(count * sizeof *prompts);
    char **samples = calloc(count, sizeof *samples);
    icl_text text = { 0 };
    icl_status status = ICL_OK;
    if (prompts == NULL || samples == NULL) {
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu questions", count);
        goto cleanup;
    }
    for (size_t i = 0; i < count; i++) {
        prompts[i] = icl_candidate_prompt(tried, group, i);
        prompts[i].of = ICL_ASK_WRITTEN;
        prompts[i].written = self->opening;
    }
    status = self->asker->generate(self->asker->user, samples, prompts, count, how);
    for (size_t i = 0; status == ICL_OK && i < count; i++)
        status = take_sample(self, &text, samples[i]);

cleanup:
    icl_text_deinit(&text);
    for (size_t i = 0; samples != NULL && i < count; i++) free(samples[i]);
    free(samples);
    free(prompts);
    return status;
}

static icl_status draw_all(writing *self, const icl_order_input *input,
                           const icl_candidate_orders *tried, size_t group,
                           const icl_options *options)
{
    static const size_t never_repeated[] = { 3, 5 }; /* the two runs of the authors' code */
    icl_ask_generation how = { .tokens_max = (size_t)icl_options_int(options, "tokens"),
                               .temperature = icl_options_real(options, "temperature"),
                               .top_k = (size_t)icl_options_int(options, "top_k"),
                               .last = self->ending[0] != '\0' ? self->ending : NULL,
                               .keeps_form = true };
    const int64_t samples = icl_options_int(options, "samples");
    icl_rng rng = icl_rng_new(input->seed, input->task, tried->groups.keys[group], "order-probing");
    for (size_t run = 0; run < sizeof never_repeated / sizeof *never_repeated; run++) {
        how.no_repeat = never_repeated[run];
        for (int64_t i = 0; i < samples; i++) {
            how.seed = (uint64_t)icl_rng_u32(&rng) << 32;
            how.seed |= icl_rng_u32(&rng);
            ICL_TRY(draw(self, tried, group, &how));
        }
    }
    return icl_cancel_check(input->cancelled);
}

static icl_status list_texts(icl_probing_set *probes)
{
    probes->inputs = malloc((probes->text_count + 1) * sizeof *probes->inputs);
    if (probes->inputs == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu probing inputs",
                             probes->text_count);
    probes->count = probes->text_count;
    for (size_t i = 0; i < probes->count; i++)
        probes->inputs[i] = (icl_ask_prompt){ .of = ICL_ASK_WRITTEN, .written = probes->texts[i] };
    return ICL_OK;
}

icl_status icl_probing_set_write(icl_probing_set *out, const icl_order_input *input,
                                 const icl_candidate_orders *tried, size_t group,
                                 const icl_options *options)
{
    writing self = { .most = (size_t)icl_options_int(options, "inputs"),
                     .words_min = (size_t)icl_options_int(options, "words_min") };
    icl_status status = ICL_OK;
    if (input->asker->frame_count >= 2) { /* else there is no field to write */
        status = writing_begin(&self, input->asker);
        if (status == ICL_OK) status = draw_all(&self, input, tried, group, options);
    }
    if (status == ICL_OK) status = list_texts(&self.probes);
    if (status == ICL_OK) {
        *out = self.probes;
        self.probes = (icl_probing_set){ 0 };
    }
    writing_end(&self);
    return status;
}

void icl_probing_set_deinit(icl_probing_set *probes)
{
    for (size_t i = 0; i < probes->text_count; i++) free(probes->texts[i]);
    free(probes->texts);
    free(probes->inputs);
    *probes = (icl_probing_set){ 0 };
}

/* ---- questions ---- */

icl_status icl_probing_set_ask(double *rows, const icl_probing_set *probes,
                               const icl_candidate_orders *tried, size_t group,
                               const icl_order_input *input, const char *method)
{
    const size_t count = tried->count * probes->count;
    icl_ask_prompt *prompts = malloc((count + 1) * sizeof *prompts);
    if (prompts == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu questions", count);
    for (size_t i = 0; i < count; i++) {
        const icl_ask_prompt shown = icl_candidate_prompt(tried, group, i / probes->count);
        prompts[i] = probes->inputs[i % probes->count];
        prompts[i].shown = shown.shown;
        prompts[i].shown_count = shown.shown_count;
    }
    const icl_status status = icl_ask_labels(rows, input->asker, method, prompts, count);
    if (status == ICL_OK) icl_label_distributions(rows, count, input->label_count);
    free(prompts);
    return status;
}
