#include "index/phrases.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/array.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/string_map.h"
#include "base/text.h"
#include "index/words.h"

typedef struct entry {
    const char *key;
    size_t words;
    size_t *texts; /* [count] */
    size_t count, capacity;
} entry;

struct icl_phrases {
    icl_phrases_options options;
    icl_arena keys; /* words of a phrase with a blank between, which no word holds */
    icl_string_map vocabulary;
    entry *entries;
    size_t entry_count, entry_capacity;
};

/* The words of one text, a blank after each. */
typedef struct word_list {
    icl_text bytes;
    size_t *starts; /* [count + 1] */
    size_t count, capacity;
} word_list;

static icl_status out_of_memory(void)
{
    return icl_error_set(ICL_ENOMEM, "out of memory for the index of phrases");
}

static void word_list_deinit(word_list *list)
{
    free(list->starts);
    icl_text_deinit(&list->bytes);
}

static icl_status read_words(word_list *list, const char *text, bool lower)
{
    icl_text word = { 0 };
    icl_word_reader reader = icl_word_reader_new(text, lower);
    icl_status status = ICL_OK;
    icl_text_clear(&list->bytes);
    list->count = 0;
    while (status == ICL_OK && icl_word_next(&word, &reader)) {
        status = icl_array_reserve(&list->starts, &list->capacity, list->count + 2);
        if (status != ICL_OK) break;
        list->starts[list->count++] = list->bytes.length;
        icl_text_append(&list->bytes, word.bytes, word.length);
        icl_text_append_char(&list->bytes, ' ');
        list->starts[list->count] = list->bytes.length;
        status = icl_text_status(&word);
    }
    icl_text_deinit(&word);
    return status == ICL_OK ? icl_text_status(&list->bytes) : status;
}

/* The phrase as a string within the list, until end_phrase puts the blank back. */
static char *begin_phrase(word_list *list, size_t first, size_t words)
{
    list->bytes.bytes[list->starts[first + words] - 1] = '\0';
    return &list->bytes.bytes[list->starts[first]];
}

static void end_phrase(word_list *list, size_t first, size_t words)
{
    list->bytes.bytes[list->starts[first + words] - 1] = ' ';
}

/* ---- building ---- */

static icl_status add_entry(icl_phrases *index, size_t *out, const char *phrase, size_t words)
{
    ICL_TRY(icl_array_reserve(&index->entries, &index->entry_capacity, index->entry_count + 1));
    const size_t bytes = strlen(phrase) + 1;
    char *key = icl_arena_alloc(&index->keys, bytes);
    if (key == NULL) return out_of_memory();
    memcpy(key, phrase, bytes);
    size_t place = index->entry_count;
    ICL_TRY(icl_string_map_add(&index->vocabulary, key, &place));
    index->entries[index->entry_count++] = (entry){ .key = key, .words = words };
    *out = place;
    return ICL_OK;
}

static icl_status add_phrase(icl_phrases *index, const char *phrase, size_t words, size_t text)
{
    size_t place = icl_string_map_find(&index->vocabulary, phrase);
    if (place == SIZE_MAX) ICL_TRY(add_entry(index, &place, phrase, words));
    entry *found = &index->entries[place];
    if (found->count > 0 && found->texts[found->count - 1] == text) return ICL_OK;
    ICL_TRY(icl_array_reserve(&found->texts, &found->capacity, found->count + 1));
    found->texts[found->count++] = text;
    return ICL_OK;
}

static icl_status add_text(icl_phrases *index, word_list *list, const char *text, size_t number)
{
    ICL_TRY(read_words(list, text, index->options.lower));
    for (size_t words = 1; words <= index->options.words_max; words++)
        for (size_t first = 0; first + words <= list->count; first++) {
            const icl_status status =
                add_phrase(index, begin_phrase(list, first, words), words, number);
            end_phrase(list, first, words);
            if (status != ICL_OK) return status;
        }
    return ICL_OK;
}

icl_status icl_phrases_new(icl_phrases **out, const char *const *texts, size_t count,
                           const icl_phrases_options *options, const atomic_bool *cancelled)
{
    assert(options->words_max > 0);
    icl_phrases *index = calloc(1, sizeof *index);
    if (index == NULL) return out_of_memory();
    index->options = *options;
    word_list list = { 0 };
    icl_status status = ICL_OK;
    for (size_t i = 0; status == ICL_OK && i < count; i++) {
        status = icl_cancel_check(cancelled);
        if (status == ICL_OK) status = add_text(index, &list, texts[i], i);
    }
    word_list_deinit(&list);
    if (status != ICL_OK) {
        icl_phrases_free(index);
        return status;
    }
    *out = index;
    return ICL_OK;
}

void icl_phrases_free(icl_phrases *index)
{
    if (index == NULL) return;
    for (size_t i = 0; i < index->entry_count; i++) free(index->entries[i].texts);
    free(index->entries);
    icl_string_map_deinit(&index->vocabulary);
    icl_arena_deinit(&index->keys);
    free(index);
}

/* ---- finding ---- */

/* Phrases that were found. A mark at each entry would cost the whole index for every text. */
typedef struct finding {
    icl_phrase *phrases;
    size_t count, capacity;
    icl_string_map seen;
} finding;

static icl_status find_phrase(finding *found, const icl_phrases *index, const char *phrase)
{
    const size_t place = icl_string_map_find(&index->vocabulary, phrase);
    if (place == SIZE_MAX) return ICL_OK;
    const entry *held = &index->entries[place];
    size_t number = found->count;
    ICL_TRY(icl_string_map_add(&found->seen, held->key, &number));
    if (number < found->count) return ICL_OK;
    ICL_TRY(icl_array_reserve(&found->phrases, &found->capacity, found->count + 1));
    found->phrases[found->count++] =
        (icl_phrase){ .words = held->words, .texts = held->texts, .text_count = held->count };
    return ICL_OK;
}

static icl_status find_all(finding *found, const icl_phrases *index, word_list *list)
{
    for (size_t words = index->options.words_max; words > 0; words--)
        for (size_t first = 0; first + words <= list->count; first++) {
            const icl_status status = find_phrase(found, index, begin_phrase(list, first, words));
            end_phrase(list, first, words);
            if (status != ICL_OK) return status;
        }
    return ICL_OK;
}

icl_status icl_phrases_find(icl_phrase **out, size_t *out_count, const icl_phrases *index,
                            const char *text)
{
    word_list list = { 0 };
    finding found = { 0 };
    icl_status status = read_words(&list, text, index->options.lower);
    if (status == ICL_OK) status = find_all(&found, index, &list);
    icl_string_map_deinit(&found.seen);
    word_list_deinit(&list);
    if (status != ICL_OK) {
        free(found.phrases);
        return status;
    }
    *out = found.phrases;
    *out_count = found.count;
    return ICL_OK;
}
