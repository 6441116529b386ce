#include "train/pool.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/error.h"
#include "base/quote.h"
#include "base/rng.h"
#include "base/string_map.h"
#include "base/text.h"
#include "train/pool_rows.h"
#include "train/prose.h"

/* A piece while the file is read; its text stands in one buffer that still moves. */
typedef struct piece {
    size_t start;
    uint32_t label;
} piece;

typedef struct gathering {
    const icl_pool_options *options;
    icl_text texts; /* pieces, each with its NUL */
    piece *pieces;
    size_t count, capacity;
    char **names; /* label names */
    size_t name_count, name_capacity;
    icl_string_map name_index;
    icl_text whole; /* the row at hand, normalised */
} gathering;

static icl_status out_of_memory(const icl_pool_options *options)
{
    return icl_error_set(ICL_ENOMEM, "out of memory while reading pool \"%s\"", options->name);
}

/* --- cutting rows into pieces --- */

static icl_status label_index(uint32_t *out, gathering *to, const char *label)
{
    size_t index = to->name_count;
    char *name = icl_string_copy(label, strlen(label));
    if (name == NULL) return out_of_memory(to->options);
    for (char *at = name; *at != '\0'; at++)
        if (*at == '_') *at = ' ';
    icl_status status = icl_array_reserve(&to->names, &to->name_capacity, to->name_count + 1);
    if (status == ICL_OK) status = icl_string_map_add(&to->name_index, name, &index);
    if (status == ICL_OK && index == to->name_count)
        to->names[to->name_count++] = name;
    else
        free(name);
    *out = (uint32_t)index;
    return status;
}

static icl_status add_piece(gathering *to, const char *text, size_t length, uint32_t label)
{
    const icl_pool_options *options = to->options;
    if (options->cut == ICL_CUT_WHOLE && options->words_max > 0)
        length = icl_prose_words(text, length, options->words_max);
    const size_t words = icl_prose_word_count(text, length);
    const bool too_long = options->words_max > 0 && words > options->words_max;
    if (words == 0 || words < options->words_min || too_long) return ICL_OK;
    ICL_TRY(icl_array_reserve(&to->pieces, &to->capacity, to->count + 1));
    to->pieces[to->count++] = (piece){ .start = to->texts.length, .label = label };
    icl_text_append(&to->texts, text, length);
    icl_text_append_char(&to->texts, '\0');
    return icl_text_status(&to->texts);
}

static icl_status add_sentences(gathering *to, const char *line, size_t length, uint32_t label)
{
    for (size_t start = 0; start < length;) {
        const size_t end = icl_prose_sentence_end(line, length, start);
        ICL_TRY(add_piece(to, line + start, end - start, label));
        start = end + (end < length && line[end] == ' ');
    }
    return ICL_OK;
}

/* icl_pool_visit */
static icl_status add_row(void *user, const char *text, size_t length, const char *label)
{
    gathering *to = user;
    uint32_t index = 0;
    if (label != NULL) ICL_TRY(label_index(&index, to, label));
    icl_text_clear(&to->whole);
    icl_prose_normalise(&to->whole, text, length, true);
    ICL_TRY(icl_text_status(&to->whole));
    const char *whole = icl_text_string(&to->whole);
    if (to->options->cut == ICL_CUT_WHOLE) return add_piece(to, whole, to->whole.length, index);
    for (const char *line = whole; *line != '\0';) {
        const size_t bytes = strcspn(line, "\n");
        ICL_TRY(to->options->cut == ICL_CUT_LINES ? add_piece(to, line, bytes, index)
                                                  : add_sentences(to, line, bytes, index));
        line += bytes + (line[bytes] == '\n');
    }
    return ICL_OK;
}

/* --- from pieces to a pool --- */

/* Keeps the first of equal texts; equal texts with different labels stay. */
static icl_status drop_repeats(gathering *to)
{
    icl_string_map seen = { 0 };
    size_t kept = 0;
    icl_status status = ICL_OK;
    for (size_t i = 0; status == ICL_OK && i < to->count; i++) {
        size_t first = kept;
        status = icl_string_map_add(&seen, to->texts.bytes + to->pieces[i].start, &first);
        if (first == kept || to->pieces[first].label != to->pieces[i].label)
            to->pieces[kept++] = to->pieces[i];
    }
    to->count = kept;
    icl_string_map_deinit(&seen);
    return status;
}

/* A seeded order: so the first items are a fair sample of all. */
static icl_status draw_order(size_t **out, const gathering *from)
{
    size_t *order = malloc(from->count * sizeof *order);
    if (order == NULL) return out_of_memory(from->options);
    for (size_t i = 0; i < from->count; i++) order[i] = i;
    icl_rng rng = icl_rng_new(from->options->seed, from->options->name, "", "pool");
    icl_rng_shuffle(&rng, order, from->count);
    *out = order;
    return ICL_OK;
}

static icl_status pool_fill(icl_pool *pool, gathering *from, const size_t *order)
{
    const icl_pool_options *options = from->options;
    pool->name = icl_string_copy(options->name, strlen(options->name));
    pool->texts = malloc(pool->count * sizeof *pool->texts);
    if (options->label_field != NULL) pool->labels = malloc(pool->count * sizeof *pool->labels);
    if (pool->name == NULL || pool->texts == NULL ||
        (options->label_field != NULL && pool->labels == NULL))
        return out_of_memory(options);
    size_t room = 0;
    for (size_t i = 0; i < pool->count; i++)
        room += strlen(from->texts.bytes + from->pieces[order[i]].start) + 1;
    char *to = malloc(room);
    if (to == NULL) return out_of_memory(options);
    pool->storage = to;
    for (size_t i = 0; i < pool->count; i++) {
        const piece *chosen = &from->pieces[order[i]];
        const size_t bytes = strlen(from->texts.bytes + chosen->start) + 1;
        pool->texts[i] = memcpy(to, from->texts.bytes + chosen->start, bytes);
        if (pool->labels != NULL) pool->labels[i] = chosen->label;
        to += bytes;
    }
    pool->bytes = room - pool->count;
    pool->label_names = from->names;
    pool->label_count = from->name_count;
    from->names = NULL;
    from->name_count = 0;
    return ICL_OK;
}

static icl_status nothing_left(const icl_pool_options *options)
{
    char shown[ICL_QUOTE_BYTES];
    icl_text wanted = { 0 };
    if (options->where_field != NULL)
        icl_text_printf(&wanted, " with %s = %s", options->where_field,
                        icl_quote(shown, options->where_value, strlen(options->where_value)));
    if (options->words_min > 0)
        icl_text_printf(&wanted, " of %zu words or more", options->words_min);
    if (options->words_max > 0)
        icl_text_printf(&wanted, " of at most %zu words", options->words_max);
    icl_error_set(ICL_EPARSE, "%s: pool \"%s\" finds no text%s", options->path, options->name,
                  icl_text_string(&wanted));
    icl_text_deinit(&wanted);
    return ICL_EPARSE;
}

static icl_status finish(icl_pool **out, gathering *from)
{
    if (from->count == 0) return nothing_left(from->options);
    size_t *order = NULL;
    icl_pool *pool = NULL;
    icl_status status = drop_repeats(from);
    if (status == ICL_OK) status = draw_order(&order, from);
    if (status != ICL_OK) goto cleanup;
    pool = calloc(1, sizeof *pool);
    if (pool == NULL) {
        status = out_of_memory(from->options);
        goto cleanup;
    }
    const size_t most = from->options->items_max;
    pool->count = most > 0 && most < from->count ? most : from->count;
    status = pool_fill(pool, from, order);
    if (status != ICL_OK) goto cleanup;
    *out = pool;
    pool = NULL;

cleanup:
    icl_pool_close(pool);
    free(order);
    return status;
}

icl_status icl_pool_open(icl_pool **out, const icl_pool_options *options)
{
    gathering to = { .options = options };
    icl_status status = icl_pool_rows_read(options, add_row, &to);
    if (status == ICL_OK) status = finish(out, &to);
    icl_text_deinit(&to.whole);
    icl_string_map_deinit(&to.name_index);
    for (size_t i = 0; i < to.name_count; i++) free(to.names[i]);
    free(to.names);
    free(to.pieces);
    icl_text_deinit(&to.texts);
    return status;
}

void icl_pool_close(icl_pool *pool)
{
    if (pool == NULL) return;
    free(pool->vectors);
    for (size_t i = 0; i < pool->label_count; i++) free(pool->label_names[i]);
    free(pool->label_names);
    free(pool->labels);
    free(pool->storage);
    free(pool->texts);
    free(pool->name);
    free(pool);
}
