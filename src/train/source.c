#include "train/source.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/registry.h"

#define ICL_SOURCE(name) extern const icl_source_kind icl_source_##name;
#include "train/registry.def"
#undef ICL_SOURCE

static const icl_source_kind *const kinds[] = {
#define ICL_SOURCE(name) &icl_source_##name,
#include "train/registry.def"
#undef ICL_SOURCE
};

static const icl_card *const cards[] = {
#define ICL_SOURCE(name) &icl_source_##name.card,
#include "train/registry.def"
#undef ICL_SOURCE
};

enum { KIND_COUNT = sizeof kinds / sizeof *kinds };

struct icl_source {
    const icl_source_kind *kind;
    void *self;
    icl_text name;
    size_t context;
    uint64_t seed;
};

const icl_source_kind *const *icl_source_kinds(size_t *out_count)
{
    *out_count = KIND_COUNT;
    return kinds;
}

const icl_card *const *icl_source_cards(size_t *out_count)
{
    *out_count = KIND_COUNT;
    return cards;
}

/* Kind and options of a call. */
static icl_status read_call(const icl_source_kind **out_kind, icl_options *out_options,
                            const char *text)
{
    icl_call call = { 0 };
    size_t index = 0;
    icl_status status = icl_call_parse(&call, text, strlen(text));
    if (status == ICL_OK)
        status = icl_registry_find(&index, cards, KIND_COUNT, "source", call.name);
    if (status == ICL_OK) status = icl_options_read(out_options, cards[index], &call);
    if (status == ICL_OK) *out_kind = kinds[index];
    icl_call_deinit(&call);
    return status;
}

icl_status icl_source_open(icl_source **out, const char *call, const icl_source_world *world)
{
    icl_options options = { 0 };
    icl_source *source = calloc(1, sizeof *source);
    icl_status status = ICL_OK;
    if (source == NULL) {
        status = icl_error_set(ICL_ENOMEM, "out of memory");
        goto cleanup;
    }
    source->context = world->context;
    source->seed = world->seed;
    status = read_call(&source->kind, &options, call);
    if (status != ICL_OK) goto cleanup;
    icl_options_format(&source->name, &options);
    status = icl_text_status(&source->name);
    if (status == ICL_OK) status = source->kind->open(&source->self, world, &options);
    if (status != ICL_OK) goto cleanup;
    *out = source;
    source = NULL;

cleanup:
    icl_source_close(source);
    icl_options_deinit(&options);
    return status;
}

void icl_source_close(icl_source *source)
{
    if (source == NULL) return;
    if (source->self != NULL) source->kind->close(source->self);
    icl_text_deinit(&source->name);
    free(source);
}

static bool has_option(const icl_card *card, const char *name)
{
    for (size_t i = 0; i < card->option_count; i++)
        if (strcmp(card->options[i].name, name) == 0) return true;
    return false;
}

icl_status icl_source_inspect(char **out_pool_name, bool *out_needs_vectors, const char *call)
{
    const icl_source_kind *kind = NULL;
    icl_options options = { 0 };
    ICL_TRY(read_call(&kind, &options, call));
    char *name = NULL;
    icl_status status = ICL_OK;
    if (has_option(&kind->card, "data")) {
        const char *data = icl_options_text(&options, "data");
        name = icl_string_copy(data, strlen(data));
        if (name == NULL) status = icl_error_set(ICL_ENOMEM, "out of memory");
    }
    if (status == ICL_OK) {
        *out_pool_name = name;
        *out_needs_vectors = kind->needs_vectors != NULL && kind->needs_vectors(&options);
    }
    icl_options_deinit(&options);
    return status;
}

icl_status icl_source_draw(icl_source *source, icl_sequence *out, uint64_t index)
{
    char number[24];
    snprintf(number, sizeof number, "%" PRIu64, index);
    icl_rng rng = icl_rng_new(source->seed, icl_text_string(&source->name), number, "source");
    icl_sequence_clear(out);
    const icl_status status = source->kind->draw(source->self, out, &rng);
    assert(status != ICL_OK || (out->count > 0 && out->count <= source->context));
    return status;
}

const char *icl_source_name(const icl_source *source)
{
    return icl_text_string(&source->name);
}

icl_status icl_source_pool(const icl_pool **out, const icl_source_world *world,
                           const icl_options *options)
{
    const char *name = icl_options_text(options, "data");
    const char *source = options->card->name;
    if (name[0] == '\0')
        return icl_error_set(ICL_EINVAL, "source %s needs the option data, the name of a pool",
                             source);
    const char **names = calloc(world->pool_count + 1, sizeof *names);
    if (names == NULL) return icl_error_set(ICL_ENOMEM, "out of memory");
    size_t index = world->pool_count;
    for (size_t i = 0; i < world->pool_count; i++) {
        names[i] = world->pools[i]->name;
        if (strcmp(names[i], name) == 0) index = i;
    }
    const size_t nearest = icl_nearest_name(name, names, world->pool_count);
    icl_status status = ICL_OK;
    if (index < world->pool_count)
        *out = world->pools[index];
    else if (nearest < world->pool_count)
        status = icl_error_set(ICL_ENOTFOUND, "source %s: no pool \"%s\"; did you mean \"%s\"?",
                               source, name, names[nearest]);
    else
        status = icl_error_set(ICL_ENOTFOUND, "source %s: no pool \"%s\"", source, name);
    free(names);
    return status;
}
