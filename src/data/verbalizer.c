#include "data/verbalizer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/quote.h"
#include "base/string_map.h"
#include "base/text.h"
#include "data/label_space.h"

typedef struct word_list {
    char **words; /* [count] */
    size_t count;
} word_list;

struct icl_verbalizer {
    icl_label_space *labels;
    word_list *lists;      /* [labels] */
    icl_string_map owners; /* words -> label; borrows the words */
};

static icl_status out_of_memory(void)
{
    return icl_error_set(ICL_ENOMEM, "out of memory for the verbalizer");
}

icl_status icl_verbalizer_new(icl_verbalizer **out)
{
    icl_verbalizer *verbalizer = calloc(1, sizeof *verbalizer);
    if (verbalizer == NULL) return out_of_memory();
    const icl_status status = icl_label_space_new(&verbalizer->labels, NULL, 0);
    if (status == ICL_OK)
        *out = verbalizer;
    else
        icl_verbalizer_free(verbalizer);
    return status;
}

void icl_verbalizer_free(icl_verbalizer *verbalizer)
{
    if (verbalizer == NULL) return;
    for (size_t y = 0; verbalizer->lists != NULL && y < icl_label_space_count(verbalizer->labels);
         y++) {
        for (size_t i = 0; i < verbalizer->lists[y].count; i++) free(verbalizer->lists[y].words[i]);
        free(verbalizer->lists[y].words);
    }
    free(verbalizer->lists);
    icl_string_map_deinit(&verbalizer->owners);
    icl_label_space_free(verbalizer->labels);
    free(verbalizer);
}

/* The word list of a label, made when the label is new. */
static icl_status list_of(word_list **out, icl_verbalizer *verbalizer, const char *label)
{
    const size_t count = icl_label_space_count(verbalizer->labels);
    size_t index = icl_label_space_find(verbalizer->labels, label);
    if (index == ICL_LABEL_NONE) {
        /* Room first: the label space and the lists must never differ in length. */
        word_list *grown = realloc(verbalizer->lists, (count + 1) * sizeof *grown);
        if (grown == NULL) return out_of_memory();
        verbalizer->lists = grown;
        grown[count] = (word_list){ 0 };
        ICL_TRY(icl_label_space_add(verbalizer->labels, label, &index));
    }
    *out = &verbalizer->lists[index];
    return ICL_OK;
}

static icl_status append_word(icl_verbalizer *verbalizer, word_list *list, const char *words)
{
    char **grown = realloc(list->words, (list->count + 1) * sizeof *grown);
    if (grown == NULL) return out_of_memory();
    list->words = grown;
    char *copy = icl_string_copy(words, strlen(words));
    if (copy == NULL) return out_of_memory();
    size_t label = (size_t)(list - verbalizer->lists);
    const icl_status status = icl_string_map_add(&verbalizer->owners, copy, &label);
    if (status == ICL_OK)
        list->words[list->count++] = copy;
    else
        free(copy);
    return status;
}

icl_status icl_verbalizer_add(icl_verbalizer *verbalizer, const char *label, const char *words)
{
    char shown[ICL_QUOTE_BYTES], words_shown[ICL_QUOTE_BYTES], owner_shown[ICL_QUOTE_BYTES];
    icl_quote(shown, label, strlen(label));
    icl_quote(words_shown, words, strlen(words));
    if (label[0] == '\0') return icl_error_set(ICL_EPARSE, "a label has an empty name");
    if (words[strspn(words, " \t\r\n")] == '\0')
        return icl_error_set(ICL_EPARSE, "the words of label %s are empty", shown);
    const size_t owner = icl_string_map_find(&verbalizer->owners, words);
    if (owner != SIZE_MAX) {
        const char *name = icl_label_space_name(verbalizer->labels, owner);
        if (strcmp(name, label) == 0)
            return icl_error_set(ICL_EPARSE, "label %s has the words %s twice", shown, words_shown);
        return icl_error_set(ICL_EPARSE, "labels %s and %s have the same words %s",
                             icl_quote(owner_shown, name, strlen(name)), shown, words_shown);
    }
    word_list *list = NULL;
    ICL_TRY(list_of(&list, verbalizer, label));
    return append_word(verbalizer, list, words);
}

icl_status icl_verbalizer_identity(icl_verbalizer **out, const icl_label_space *labels)
{
    icl_verbalizer *verbalizer = NULL;
    ICL_TRY(icl_verbalizer_new(&verbalizer));
    icl_status status = ICL_OK;
    for (size_t y = 0; y < icl_label_space_count(labels) && status == ICL_OK; y++) {
        const char *name = icl_label_space_name(labels, y);
        status = icl_verbalizer_add(verbalizer, name, name);
    }
    if (status == ICL_OK)
        *out = verbalizer;
    else
        icl_verbalizer_free(verbalizer);
    return status;
}

static icl_status check_known(const icl_verbalizer *verbalizer, const icl_label_space *labels)
{
    char shown[ICL_QUOTE_BYTES], near_shown[ICL_QUOTE_BYTES];
    for (size_t i = 0; i < icl_label_space_count(verbalizer->labels); i++) {
        const char *name = icl_label_space_name(verbalizer->labels, i);
        if (icl_label_space_find(labels, name) != ICL_LABEL_NONE) continue;
        const char *nearest = icl_label_space_nearest(labels, name);
        icl_quote(shown, name, strlen(name));
        if (nearest == NULL)
            return icl_error_set(ICL_ENOTFOUND, "the label words name an unknown label %s", shown);
        return icl_error_set(ICL_ENOTFOUND,
                             "the label words name an unknown label %s; did you mean %s?", shown,
                             icl_quote(near_shown, nearest, strlen(nearest)));
    }
    return ICL_OK;
}

icl_status icl_verbalizer_align(icl_verbalizer **out, const icl_verbalizer *verbalizer,
                                const icl_label_space *labels)
{
    ICL_TRY(check_known(verbalizer, labels));
    icl_verbalizer *aligned = NULL;
    ICL_TRY(icl_verbalizer_new(&aligned));
    icl_status status = ICL_OK;
    for (size_t y = 0; y < icl_label_space_count(labels) && status == ICL_OK; y++) {
        const char *name = icl_label_space_name(labels, y);
        const size_t from = icl_label_space_find(verbalizer->labels, name);
        char shown[ICL_QUOTE_BYTES];
        if (from == ICL_LABEL_NONE)
            status = icl_error_set(ICL_EINVAL, "label %s has no words",
                                   icl_quote(shown, name, strlen(name)));
        for (size_t i = 0; status == ICL_OK && i < verbalizer->lists[from].count; i++)
            status = icl_verbalizer_add(aligned, name, verbalizer->lists[from].words[i]);
    }
    if (status == ICL_OK)
        *out = aligned;
    else
        icl_verbalizer_free(aligned);
    return status;
}

const icl_label_space *icl_verbalizer_labels(const icl_verbalizer *verbalizer)
{
    return verbalizer->labels;
}

size_t icl_verbalizer_word_count(const icl_verbalizer *verbalizer, size_t label)
{
    assert(label < icl_label_space_count(verbalizer->labels));
    return verbalizer->lists[label].count;
}

const char *icl_verbalizer_word(const icl_verbalizer *verbalizer, size_t label, size_t index)
{
    assert(index < icl_verbalizer_word_count(verbalizer, label));
    return verbalizer->lists[label].words[index];
}
